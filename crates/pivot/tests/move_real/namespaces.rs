//! Namespaces on the way: ensureNamespace and ensureNamespaces, by the names of clusterctl's cases.

use std::collections::BTreeSet;

use pivot_testbed::assets_or_skip;
use pivot_testbed::client::Patch;
use pivot_testbed::dump::Key;
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::content::{assert_not_written, keys};
use crate::quiet::Quiet;
use crate::scene::Scene;

async fn namespace(client: &pivot_testbed::client::PlaneClient, name: &str) -> Value {
    client.get(Gvk::NAMESPACE, None, name).await.unwrap().unwrap()
}

#[tokio::test]
async fn ensure_namespace_does_not_fail_given_an_existing_namespace() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "existing").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    scene.target.ensure_namespace(&scene.namespace).await.unwrap();
    let label = json!({"metadata": {"labels": {"team": "of-the-target"}}});
    scene.target.patch(Gvk::NAMESPACE, None, &scene.namespace, Patch::Merge, &label, "test").await.unwrap();
    let before = namespace(&scene.target, &scene.namespace).await;
    scene.there().run().await.done();
    assert_eq!(namespace(&scene.target, &scene.namespace).await, before, "it is the target's own");
}

#[tokio::test]
async fn ensure_namespace_does_not_fail_if_the_namespace_does_not_already_exist_in_the_target() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "fresh").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let patch = json!({"metadata": {
        "labels": {"pod-security.kubernetes.io/enforce": "privileged", "team": "metal"},
        "annotations": {"openshift.io/node-selector": ""},
    }});
    scene.source.patch(Gvk::NAMESPACE, None, &scene.namespace, Patch::Merge, &patch, "test").await.unwrap();
    let run = scene.there().run().await;
    run.done();
    let made = namespace(&scene.target, &scene.namespace).await;
    // clusterctl makes it bare.
    assert_eq!(made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "privileged");
    assert_eq!(made["metadata"]["labels"]["team"], "metal");
    assert_eq!(made["metadata"]["annotations"]["openshift.io/node-selector"], "");
    assert_eq!(made["metadata"]["annotations"]["pivot.metal3.io/id"], *run.id);
    // The source keeps its namespace, empty.
    let left = namespace(&scene.source, &scene.namespace).await;
    assert!(left["metadata"].get("deletionTimestamp").is_none());
}

/// Two Clusters in two namespaces; those of `there` exist in the target beforehand.
async fn two_namespaces(scene: &Scene<'_>, there: &[&str], all: bool) {
    let (one, two) = (format!("{}-1", scene.namespace), format!("{}-2", scene.namespace));
    let fixture = |name: &str| Fixture::new(FixtureOptions::small().in_namespace(name));
    let both = fixture(&one).with(fixture(&two));
    let moving: BTreeSet<Key> = both.keys().collect();
    scene.load(&both).await;
    for suffix in there {
        scene.target.ensure_namespace(&format!("{}-{suffix}", scene.namespace)).await.unwrap();
    }
    let names = [one.as_str(), two.as_str()];
    let pivot = scene.there().in_namespaces(if all { None } else { Some(&names) });
    pivot.run().await.done();
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), moving);
    assert_eq!(keys(&source), BTreeSet::new());
    assert_eq!(target.dangling_owners(), []);
}

#[tokio::test]
async fn ensure_namespaces_moves_namespace_1_and_namespace_2_to_target() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "two").await;
    two_namespaces(&scene, &[], false).await;
}

#[tokio::test]
async fn ensure_namespaces_moves_namespace_2_to_target_which_already_has_namespace_1() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "second").await;
    two_namespaces(&scene, &["1"], false).await;
}

#[tokio::test]
async fn ensure_namespaces_does_not_fail_given_existing_namespaces() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "both").await;
    two_namespaces(&scene, &["1", "2"], false).await;
}

#[tokio::test]
async fn ensure_namespaces_does_not_fail_if_no_namespace_is_specified() {
    let assets = assets_or_skip!();
    let quiet = Quiet::take(&assets).await;
    let scene = Scene::on(&quiet.pair, "all").await;
    two_namespaces(&scene, &[], true).await;
    quiet.give_back();
}

/// "ensureNamespaces moves namespace-1 and namespace-2 from cross-namespace CC reference": the class is copied.
#[tokio::test]
async fn a_class_of_another_namespace_is_copied_with_its_templates() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "apart").await;
    let shared = format!("{}-classes", scene.namespace);
    let own = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    let moving: BTreeSet<Key> = own.keys().collect();
    let elsewhere =
        Fixture::new(FixtureOptions::small().in_namespace(&shared).named("other").with_cluster_class());
    scene.load(&own.with(elsewhere)).await;
    let topology = json!({"spec": {"topology": {
        "classRef": {"name": "other-class", "namespace": shared},
        "version": "v1.34.4", "controlPlane": {"replicas": 1},
    }}});
    scene.patch(Gvk::CLUSTER, "test1", &topology).await;
    let before = scene.dumps().await.0;

    let run = scene.there().run().await;
    run.done();
    let (source, target) = scene.dumps().await;
    let copied: BTreeSet<(String, String)> =
        keys(&target.in_namespace(&shared)).into_iter().map(|key| (key.kind, key.name)).collect();
    let expected = [
        ("ClusterClass", "other-class"),
        ("Metal3ClusterTemplate", "other-class"),
        ("KubeadmControlPlaneTemplate", "other-class"),
        ("Metal3MachineTemplate", "other-class"),
        ("Metal3MachineTemplate", "other-class-worker"),
        ("KubeadmConfigTemplate", "other-class-worker"),
    ];
    assert_eq!(copied, expected.map(|(kind, name)| (kind.to_owned(), name.to_owned())).into());
    assert_eq!(keys(&target.in_namespace(&scene.namespace)), moving);
    // In the source nobody touched them, nor the Cluster that uses them there.
    assert_not_written(&before.in_namespace(&shared), &source.in_namespace(&shared));
    let class = target.get(&Key::new(Gvk::CLUSTER_CLASS, &shared, "other-class")).unwrap();
    let annotations = &class["metadata"]["annotations"];
    assert!(annotations.get("cluster.x-k8s.io/paused").is_none(), "a class that is used is not left paused");
    assert_eq!(target.dangling_owners(), []);
}
