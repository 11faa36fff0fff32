//! Controllers run on the source: their acknowledgement of the pause is awaited.

use pivot_core::machine::{End, Phase};
use pivot_testbed::dump::Key;
use pivot_testbed::fake::{FakeServer, Target, Verb};
use pivot_testbed::kind::Gvk;
use serde_json::json;

use crate::objects::NAMESPACE;
use crate::records::is_of_records;
use crate::scene::{Scene, key_of};

const BLOCK_MOVE: &str = "clusterctl.cluster.x-k8s.io/block-move";

fn cluster() -> Key {
    Key::new(Gvk::METAL3_CLUSTER, NAMESPACE, "tiny")
}

fn block(server: &FakeServer) {
    server.edit(&cluster(), |cluster| cluster["metadata"]["annotations"] = json!({BLOCK_MOVE: "true"}));
}

#[tokio::test(start_paused = true)]
async fn a_block_on_the_move_is_waited_for() {
    let scene = Scene::tiny();
    block(&scene.source);
    let survey = scene.survey().await;
    // Its controller sees the pause some lists later.
    scene.source.before_nth(Target::new(Verb::List, "Metal3Cluster"), 5, |server, _| {
        server.edit(&cluster(), |cluster| {
            cluster["metadata"].as_object_mut().unwrap().remove("annotations");
        });
    });
    let ran = scene.run(survey).await;
    assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
    scene.judge(&ran, "a block");
}

#[tokio::test(start_paused = true)]
async fn a_block_that_stays_ends_the_pivot() {
    let mut scene = Scene::tiny();
    block(&scene.source);
    scene.source_before = scene.source.dump().into_values().collect();
    let survey = scene.survey().await;
    let ran = scene.run(survey).await;
    let End::RolledBack { phase: Phase::Quiesce, cause, .. } = &ran.end else { panic!("{:?}", ran.end) };
    assert!(cause.contains("Metal3Cluster") && cause.contains("20 s"), "{cause}");
    scene.judge(&ran, "a block that stays");
    assert!(scene.target.writes().iter().all(|entry| is_of_records(&key_of(entry))));
}
