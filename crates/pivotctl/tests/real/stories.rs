//! A pivot is killed in STAGE, and somebody comes back to it.

use pivot_testbed::assets_or_skip;
use pivot_testbed::dump::Key;
use pivot_testbed::proxy::Stage;
use pivot_testbed::traffic::{Target, Verb};

use crate::scene::{Halted, NAMESPACE, RECORDS, Scene, changes};

const MOVE: [&str; 5] = ["move", "--yes", "--no-pre-copy", "-n", NAMESPACE];

/// Stands in STAGE, with something of it in the target already.
async fn in_stage(scene: &Scene) -> Halted {
    scene.halted(&MOVE, Stage::Applied, Target::new(Verb::Create, "Machine")).await
}

fn is_ours(key: &Key) -> bool {
    key.namespace == RECORDS || (key.kind == "Namespace" && key.name == RECORDS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_killed_is_resumed() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let never = scene.run(&["whoami", "--kubeconfig", scene.source(), "-o", "json"]).exits(0);
    assert_eq!(never.json()["standing"], "none");

    in_stage(&scene).await.kill();

    let status = scene.pivotctl(&["status", "-o", "json"]).exits(0);
    let told = status.json();
    let id = told["pivot"]["id"].as_str().unwrap().to_owned();
    assert_eq!((&told["active"], &told["next"]), (&"neither".into(), &"resume".into()), "{told:#}");
    assert_eq!(told["pivot"]["phase"], "stage", "{told:#}");
    for side in ["source", "target"] {
        assert_eq!(told["pivot"][format!("{side}State")], "locked", "{told:#}");
        assert_eq!(told["pivot"][format!("{side}Fenced")], true, "{told:#}");
    }
    assert_eq!(
        (&told["source"]["standing"], &told["target"]["standing"]),
        (&"handing-over".into(), &"receiving".into())
    );
    assert_eq!(told["driver"]["gone"], true, "{told:#}");
    assert!(told["source"]["objects"].as_u64() > Some(0), "the selection of the pivot counts: {told:#}");
    assert!(told["pivots"][&id]["staged"].as_u64() > Some(0), "{told:#}");
    assert!(status.last_line().starts_with("neither "), "{status:#?}");

    let whoami = scene.run(&["whoami", "--kubeconfig", scene.source(), "-o", "json"]).exits(0);
    assert_eq!(
        (&whoami.json()["standing"], &whoami.json()["pivot"]),
        (&"handing-over".into(), &id.as_str().into())
    );

    // The one next command is all that is needed.
    let next = status.next();
    assert_eq!(next[0], "resume");
    let resumed = scene.run(&next.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
    assert!(resumed.last_line().contains("is active and complete"), "{resumed:#?}");
    assert!(resumed.stderr.contains("management gap: "), "{resumed:#?}");

    let status = scene.pivotctl(&["status", "-o", "json"]).exits(0);
    let told = status.json();
    assert_eq!((told["active"].as_str(), told.get("next")), (Some("target"), None), "{told:#}");
    assert!(!status.last_line().contains("next: "), "{status:#?}");
    let verified = scene.pivotctl(&["verify", "-n", NAMESPACE]).exits(0);
    assert!(verified.last_line().starts_with("target "), "{verified:#?}");
    for (kubeconfig, standing) in [(scene.source(), "retired"), (scene.target(), "active")] {
        let whoami = scene.run(&["whoami", "--kubeconfig", kubeconfig, "-o", "json"]).exits(0);
        assert_eq!((&whoami.json()["standing"], &whoami.json()["epoch"]), (&standing.into(), &1.into()));
    }
    let history = scene.pivotctl(&["history", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&history[0]["id"], &history[0]["state"]),
        (&id.as_str().into(), &"finished".into()),
        "{history:#}"
    );
    let table = scene.pivotctl(&["history"]).exits(0).stdout;
    assert!(table.starts_with("NAME ") && table.lines().nth(1).unwrap().starts_with(&id), "{table}");

    let again = scene.pivotctl(&["resume"]).exits(0);
    assert!(
        again.last_line().contains("is active; pivot") && again.last_line().contains("finished before"),
        "{again:#?}"
    );
    let back = scene.pivotctl(&["rollback"]).exits(1);
    assert!(back.stderr.starts_with("error[pivot-decided]"), "{back:#?}");
    let reverse = format!(
        "pivotctl move --kubeconfig {} --to-kubeconfig {} -n {NAMESPACE}",
        scene.target(),
        scene.source()
    );
    assert!(back.stderr.contains(&reverse), "{back:#?}");
    let exchanged =
        scene.run(&["resume", "--kubeconfig", scene.target(), "--to-kubeconfig", scene.source()]).exits(2);
    assert!(exchanged.stderr.starts_with("error[wrong-cluster]"), "{exchanged:#?}");
    assert!(exchanged.last_line().starts_with("source "), "{exchanged:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_killed_is_rolled_back() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let (source, target) = scene.dumps().await;

    in_stage(&scene).await.kill();

    // A killed pivot stands in the way of the next one, and says so before anybody is asked.
    for verb in [&["plan"][..], &["check"], &["move", "--yes"]] {
        let refused = scene.pivotctl(&[verb, &["-n", NAMESPACE]].concat()).exits(1);
        assert!((refused.stdout + &refused.stderr).contains("which is not finished"), "{verb:?}");
    }
    // Without its target a pivot that is not prepared can be judged, and not undone whole.
    let alone = scene.run(&["status", "--kubeconfig", scene.source()]).exits(0);
    assert!(alone.last_line().starts_with("neither "), "{alone:#?}");
    assert!(
        alone.last_line().contains("pivotctl resume") && alone.last_line().ends_with("--to-kubeconfig FILE"),
        "{alone:#?}"
    );
    let attested = scene.pivotctl(&["resume", "--attest-target-dead", "somebody"]).exits(2);
    assert!(attested.stderr.starts_with("error[attest-refused]"), "{attested:#?}");

    let undone = scene.pivotctl(&["rollback"]).exits(0);
    assert!(
        undone.last_line().starts_with("source ") && undone.last_line().ends_with("everything was undone"),
        "{undone:#?}"
    );

    scene.await_no_records().await;
    let (source_after, target_after) = scene.dumps().await;
    let concerns = |key: &Key| {
        !is_ours(key) && key.kind != "Event" && key.kind != "Lease" && key.kind != "EndpointSlice"
    };
    assert_eq!(changes(&source, &source_after, concerns), [""; 0]);
    // Nothing of the pivot stays in the target, the records included.
    let everything = |key: &Key| concerns(key) || is_ours(key);
    assert_eq!(changes(&target, &target_after, everything), [""; 0]);

    let whoami = scene.run(&["whoami", "--kubeconfig", scene.source()]).exits(0);
    assert!(whoami.stdout.contains(" is active: the pivot to "), "{whoami:#?}");
    let history = scene.pivotctl(&["history", "-o", "json"]).exits(0).json();
    assert_eq!(history[0]["state"], "aborted", "{history:#}");
    let again = scene.pivotctl(&["rollback"]).exits(0);
    assert!(again.last_line().contains("was undone before"), "{again:#?}");
    let moved = scene.pivotctl(&["move", "--yes", "-n", NAMESPACE]).exits(0);
    assert!(moved.last_line().contains("is active and complete"), "{moved:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_suspend_and_a_second_one_leaves_at_once() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let halted = in_stage(&scene).await;
    halted.signal("TERM");
    // It waits for what is under way, which here is told to go on.
    let suspended = halted.go_on().exits(130);
    assert!(
        suspended.stderr.contains("error[pivot-interrupted]: interrupted in phase stage"),
        "{suspended:#?}"
    );
    assert_eq!(suspended.next()[0], "resume", "{suspended:#?}");

    // Taken up, and left at once by the second signal, while a request is under way.
    let mut halted =
        scene.halted(&["resume"], Stage::Before, Target::new(Verb::Create, "BareMetalHost")).await;
    halted.signal("HUP");
    let said = halted.says("as good as a crash");
    halted.signal("INT");
    let left = halted.end().exits(130);
    assert!(said.contains("suspended at the next safe point"), "{said}");
    assert!(left.last_line().contains("left at once") && left.next()[0] == "resume", "{left:#?}");

    let resumed = scene.pivotctl(&["resume"]).exits(0);
    assert!(resumed.last_line().contains("is active and complete"), "{resumed:#?}");
}
