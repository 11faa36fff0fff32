//! Objects that come from a directory: what becomes of an import that is killed.

use pivot_testbed::assets_or_skip;
use pivot_testbed::proxy::Stage;
use pivot_testbed::traffic::{Target, Verb};

use crate::scene::{NAMESPACE, RECORDS, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_killed_after_its_decision_is_finished_without_the_directory() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("export");
    std::fs::create_dir(&path).unwrap();
    let path = path.to_str().unwrap();
    scene
        .run(&["move", "--yes", "-n", NAMESPACE, "--kubeconfig", scene.source(), "--to-directory", path])
        .exits(0);
    let (source, _) = scene.dumps().await;

    // Decided, and some of it acts already.
    let import = ["move", "--yes", "--from-directory", path, "--to-kubeconfig", scene.target()];
    let opened = Target::new(Verb::Delete, "ValidatingAdmissionPolicyBinding");
    scene.halted_whole(&import, Stage::Before, opened).await.kill();
    drop(directory);

    let on_target = |verb| [verb, "--to-kubeconfig", scene.target()];
    let refused = scene.run(&on_target("rollback")).exits(1);
    assert!(refused.stderr.starts_with("error[pivot-decided]"), "{refused:#?}");
    assert_eq!(refused.next()[0], "resume", "{refused:#?}");
    let resumed = scene.run(&on_target("resume")).exits(0);
    assert!(resumed.last_line().starts_with("target "), "{resumed:#?}");
    assert!(!resumed.last_line().contains("next: "), "{resumed:#?}");

    let (_, target) = scene.dumps().await;
    let moved = source.iter().filter(|(key, _)| key.namespace == NAMESPACE && key.kind == "BareMetalHost");
    for (key, host) in moved {
        let pause = "/metadata/annotations/baremetalhost.metal3.io~1paused";
        let arrived = target.get(key).unwrap();
        assert_eq!(
            (&arrived["status"], arrived.pointer(pause)),
            (&host["status"], host.pointer(pause)),
            "{key}"
        );
    }
    let left: Vec<_> = target
        .iter()
        .map(|(key, _)| key)
        .filter(|key| key.name.starts_with("pivotctl-") || (key.namespace == RECORDS && key.kind == "Secret"))
        .filter(|key| key.kind != "Namespace")
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let again = scene.run(&on_target("resume")).exits(0);
    assert!(again.last_line().contains("finished before"), "{again:#?}");
}
