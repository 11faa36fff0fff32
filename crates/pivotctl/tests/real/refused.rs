//! Refusals that need clusters: a pivot that somebody drives, and a target that is away.

use pivot_testbed::assets_or_skip;
use pivot_testbed::proxy::Link;

use crate::scene::{NAMESPACE, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_drives_a_pivot_is_named_and_a_target_that_is_away_is_not_taken_for_dead() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    // A dry run needs no target; anything else does.
    let dry = scene.run(&["move", "--dry-run", "-n", NAMESPACE, "--kubeconfig", scene.source()]).exits(0);
    assert!(dry.stdout.contains(" to move"), "{dry:#?}");
    scene.run(&["move", "--yes", "-n", NAMESPACE, "--kubeconfig", scene.source()]).exits(2);
    // The source is prepared, the target's decision is on its way.
    let move_args = ["move", "--yes", "--fence=pause", "-n", NAMESPACE];
    let halted = scene.halted_in_doubt(&move_args).await;

    let status = scene.run(&["status", "--kubeconfig", scene.source()]).exits(0);
    assert!(status.stdout.contains("Driver  process "), "{status:#?}");
    assert_eq!(status.next()[0], "status", "somebody is at it: {status:#?}");
    halted.kill();

    scene.proxy.set_link(Link::Down);
    for verb in ["resume", "rollback"] {
        let doubt = scene.pivotctl(&[verb, "--silence", "1s"]).exits(5);
        assert!(doubt.stderr.starts_with("error[pivot-in-doubt]"), "{doubt:#?}");
        assert!(doubt.last_line().contains("is in doubt"), "{doubt:#?}");
        assert_eq!(doubt.next()[0], "resume");
    }
    let status = scene.pivotctl(&["status", "--silence", "1s"]).exits(0);
    assert!(status.stdout.contains("cannot be read"), "{status:#?}");
    assert!(status.last_line().contains("is in doubt"), "{status:#?}");
    scene.proxy.set_link(Link::Up);
    let undone = scene.pivotctl(&["rollback"]).exits(0);
    assert!(undone.last_line().starts_with("source "), "{undone:#?}");
}
