//! Nothing goes wrong.

use pivot_core::machine::{End, Phase};
use pivot_testbed::fixture::{Fixture, FixtureOptions, bystanders};
use serde_json::json;

use crate::objects::NAMESPACE;
use crate::scene::Scene;

#[tokio::test(start_paused = true)]
async fn the_tiny_cluster_moves() {
    let scene = Scene::tiny();
    let ran = scene.pivot().await;
    assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
    scene.judge(&ran, "nothing goes wrong");
    assert_eq!(ran.started(Phase::Snapshot), 1);
}

#[tokio::test(start_paused = true)]
async fn a_whole_metal3_cluster_moves_and_the_garbage_collector_has_nothing_to_do() {
    let options = FixtureOptions::small().with_cluster_class();
    let scene = Scene::of_fixture(&Fixture::new(options), &bystanders("metal3"));
    let ran = scene.pivot().await;
    assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
    assert!(scene.source.gc().is_empty() && scene.target.gc().is_empty());
    scene.judge(&ran, "a Metal3 cluster");
}

#[tokio::test(start_paused = true)]
async fn a_garbage_collector_that_acts_at_once_changes_nothing() {
    let scene = Scene::of_fixture(&Fixture::new(FixtureOptions::small()), &bystanders("metal3"));
    let collectors = [&scene.source, &scene.target].map(|server| server.spawn_gc(std::time::Duration::ZERO));
    let ran = scene.pivot().await;
    drop(collectors);
    assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
    scene.judge(&ran, "with a garbage collector");
}

#[tokio::test(start_paused = true)]
async fn owners_in_a_cycle_move() {
    let scene = Scene::tiny_and(cycle());
    let ran = scene.pivot().await;
    assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
    scene.judge(&ran, "a cycle");
}

/// Three ConfigMaps that own each other.
pub(crate) fn cycle() -> Vec<serde_json::Value> {
    let uid = |name: &str| format!("source-cycle-{name}");
    [("a", "b"), ("b", "c"), ("c", "a")]
        .into_iter()
        .map(|(name, owner)| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"name": name},
                "metadata": {"name": name, "namespace": NAMESPACE, "uid": uid(name), "generation": 1,
                    "labels": {"clusterctl.cluster.x-k8s.io/move": ""},
                    "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid(owner)}]}})
        })
        .collect()
}
