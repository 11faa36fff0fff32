//! block-move: WaitReadyForMove, by the names of clusterctl's cases. "Moving unblocked cluster should succeed" is every other test.

use std::collections::BTreeSet;
use std::time::Duration;

use pivot_core::check::{CheckId, Severity};
use pivot_core::machine::{End, Notice, Phase};
use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::json;

use crate::content::{assert_untouched_content, keys};
use crate::scene::Scene;

const BLOCK_MOVE: &str = "clusterctl.cluster.x-k8s.io/block-move";

async fn blocked(scene: &Scene<'_>) -> BTreeSet<pivot_testbed::dump::Key> {
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    scene.load(&fixture).await;
    // On the object of the infrastructure, where a provider sets it.
    let patch = json!({"metadata": {"annotations": {BLOCK_MOVE: "true"}}});
    scene.patch(Gvk::METAL3_CLUSTER, "test1", &patch).await;
    fixture.keys().collect()
}

#[tokio::test]
async fn moving_blocked_cluster_should_fail() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "blocked").await;
    blocked(&scene).await;
    let before = scene.dumps().await.0;
    let mut pivot = scene.there();
    pivot.options.wait = Duration::from_secs(2);
    let run = pivot.run().await;
    let warned = run.report().findings.iter().find(|finding| finding.id == CheckId::MoveBlocked).unwrap();
    assert_eq!(warned.severity, Severity::Warning);
    assert_eq!(warned.object.as_ref().unwrap().name, "test1");
    let (phase, cause) = run.rolled_back();
    assert_eq!(phase, Phase::Quiesce);
    assert!(cause.contains("Metal3Cluster") && cause.contains("within 2 s"), "{cause}");
    let (source, target) = scene.dumps().await;
    assert_untouched_content(&before, &source);
    assert_eq!(keys(&target), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_blocked_cluster_that_is_eventually_unblocked_should_succeed() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "unblocked").await;
    let moving = blocked(&scene).await;
    let mut waits = 0;
    let run = scene
        .there()
        .run_with(async |notice| {
            let Notice::Waiting { objects, .. } = notice else { return };
            if objects.is_empty() {
                // For a fence.
                return;
            }
            assert_eq!(objects.len(), 1);
            waits += 1;
            if waits == 2 {
                // Its provider has seen the pause.
                assert_eq!(scene.in_source(Gvk::CLUSTER, "test1").await.unwrap()["spec"]["paused"], true);
                let patch = json!({"metadata": {"annotations": {BLOCK_MOVE: null}}});
                scene.patch(Gvk::METAL3_CLUSTER, "test1", &patch).await;
            }
        })
        .await;
    assert_eq!(run.done().end, End::Done { moved: moving.len(), copied: 0 });
    let moved = scene.in_target(Gvk::METAL3_CLUSTER, "test1").await.unwrap();
    assert!(moved["metadata"]["annotations"].get(BLOCK_MOVE).is_none());
}
