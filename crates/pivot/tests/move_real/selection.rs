//! What moves, what is copied and what stays, where it is not simply everything.

use std::collections::BTreeSet;

use pivot_core::check::CheckId;
use pivot_core::select::Action;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::Patch;
use pivot_testbed::dump::{Dump, Key};
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::content::{assert_not_written, keys};
use crate::garbage::await_garbage_collection;
use crate::scene::Scene;

const MOVE: &str = "clusterctl.cluster.x-k8s.io/move";
const MOVE_HIERARCHY: &str = "clusterctl.cluster.x-k8s.io/move-hierarchy";

fn config_map(scene: &Scene<'_>, name: &str, metadata: &Value) -> Value {
    let mut object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"of": name}});
    object["metadata"]["name"] = name.into();
    object["metadata"]["namespace"] = scene.namespace.clone().into();
    object
}

fn owner(object: &Value) -> Value {
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"]})
}

async fn small(scene: &Scene<'_>) -> BTreeSet<Key> {
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    scene.load(&fixture).await;
    fixture.keys().collect()
}

#[tokio::test]
async fn one_of_two_clusters_that_share_a_template_and_a_secret() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "one-of-two").await;
    let fixture = |name: &str| {
        Fixture::new(
            FixtureOptions { free_hosts: 0, ..FixtureOptions::small() }
                .in_namespace(&scene.namespace)
                .named(name),
        )
    };
    let (one, two) = (fixture("one"), fixture("two"));
    let of_two: BTreeSet<Key> = two.keys().collect();
    scene.load(&one.with(two)).await;
    let shared_secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "shared-bmc", "namespace": scene.namespace},
        "data": {"username": "c2hhcmVk", "password": "c2hhcmVk"}});
    let shared_template = json!({"apiVersion": Gvk::METAL3_REMEDIATION_TEMPLATE.api_version(),
        "kind": Gvk::METAL3_REMEDIATION_TEMPLATE.kind,
        "metadata": {"name": "shared-remediation", "namespace": scene.namespace},
        "spec": {"template": {"spec": {"strategy": {"type": "Reboot", "retryLimit": 1, "timeout": "300s"}}}}});
    for shared in [&shared_secret, &shared_template] {
        scene.source.create(shared, "kubectl-create").await.unwrap();
    }
    for cluster in ["one", "two"] {
        let bmc = json!({"spec": {"bmc": {"credentialsName": "shared-bmc"}}});
        scene.patch(Gvk::BARE_METAL_HOST, &format!("{cluster}-node-0"), &bmc).await;
        let template = json!({"spec": {"remediation": {"templateRef": {"name": "shared-remediation"}}}});
        scene.patch(Gvk::MACHINE_HEALTH_CHECK, &format!("{cluster}-worker-healthcheck"), &template).await;
    }
    let shared = [
        scene.key(Gvk::SECRET, "shared-bmc"),
        scene.key(Gvk::METAL3_REMEDIATION_TEMPLATE, "shared-remediation"),
    ];
    let before = scene.dumps().await.0;
    let staying = |dump: &Dump| dump.filter(|key| of_two.contains(key) || shared.contains(key));

    let run = scene.there().filtered(&["one"]).run().await;
    run.done();
    for key in &shared {
        assert_eq!(run.action(key), Some(Action::Copy), "{key}");
    }
    await_garbage_collection(&scene.source, &scene.namespace).await;
    let (source, target) = scene.dumps().await;
    assert_not_written(&staying(&before), &staying(&source));
    let arrived = keys(&target);
    assert!(shared.iter().all(|key| arrived.contains(key)));
    assert!(arrived.is_disjoint(&of_two), "{:?}", arrived.intersection(&of_two).collect::<Vec<_>>());
    for gvk in [Gvk::CLUSTER, Gvk::METAL3_CLUSTER] {
        assert!(arrived.contains(&scene.key(gvk, "one")) && source.get(&scene.key(gvk, "one")).is_none());
    }
    assert!(arrived.contains(&scene.key(Gvk::BARE_METAL_HOST, "one-node-0")));
    assert!(arrived.contains(&scene.key(Gvk::IP_POOL, "one-provisioning")));
    assert_eq!(target.dangling_owners(), []);
    assert_eq!(source.dangling_owners(), []);
}

#[tokio::test]
async fn a_cycle_of_owners_moves() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "cycle").await;
    let mut moving = small(&scene).await;
    let cluster = scene.in_source(Gvk::CLUSTER, "test1").await.unwrap();
    let first = config_map(&scene, "first", &json!({"ownerReferences": [owner(&cluster)]}));
    let first = scene.source.create(&first, "kubectl-create").await.unwrap();
    let second = config_map(&scene, "second", &json!({"ownerReferences": [owner(&first)]}));
    let second = scene.source.create(&second, "kubectl-create").await.unwrap();
    let both = json!({"metadata": {"ownerReferences": [owner(&cluster), owner(&second)]}});
    scene.patch(Gvk::CONFIG_MAP, "first", &both).await;
    moving.extend([scene.key(Gvk::CONFIG_MAP, "first"), scene.key(Gvk::CONFIG_MAP, "second")]);

    scene.there().run().await.done();
    await_garbage_collection(&scene.target, &scene.namespace).await;
    let (source, target) = scene.dumps().await;
    assert_eq!((keys(&target), keys(&source)), (moving, BTreeSet::new()));
    assert_eq!(target.dangling_owners(), []);
    let moved = scene.in_target(Gvk::CONFIG_MAP, "first").await.unwrap();
    let owners: Vec<_> =
        moved["metadata"]["ownerReferences"].as_array().unwrap().iter().map(|o| &o["name"]).collect();
    assert_eq!(owners, ["test1", "second"]);
    assert!(moved["metadata"]["annotations"]["pivot.metal3.io/pivoted-ready"].is_string());
}

#[tokio::test]
async fn an_owner_outside_the_set_is_left_behind_and_told() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "outside").await;
    let moving = small(&scene).await;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "vault", "namespace": scene.namespace}});
    let account = scene.source.create(&account, "kubectl-create").await.unwrap();
    let owned = json!({"metadata": {"ownerReferences": [owner(&account)]}});
    scene.patch(Gvk::SECRET, "test1-free-0-bmc-secret", &owned).await;

    let run = scene.there().run().await;
    run.done();
    let told = run.report().findings.iter().find(|finding| {
        finding.id == CheckId::OwnerNotCarried
            && finding.object.as_ref().is_some_and(|key| key.name == "test1-free-0-bmc-secret")
    });
    assert!(told.is_some_and(|finding| finding.message.contains("vault")), "{:?}", run.report().findings);
    await_garbage_collection(&scene.target, &scene.namespace).await;
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), moving);
    assert_eq!(keys(&source), BTreeSet::from([scene.key(Gvk::SERVICE_ACCOUNT, "vault")]));
    let moved = scene.in_target(Gvk::SECRET, "test1-free-0-bmc-secret").await.unwrap();
    assert!(moved["metadata"].get("ownerReferences").is_none());
}

/// clusterctl refuses ("Paused Cluster", "Paused ClusterClass") and unpauses in the target what it did not pause.
#[tokio::test]
async fn what_the_user_paused_stays_paused() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "paused").await;
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace).with_cluster_class());
    scene.load(&fixture).await;
    scene.patch(Gvk::CLUSTER, "test1", &json!({"spec": {"paused": true}})).await;
    let paused = |key: &str| json!({"metadata": {"annotations": {key: "by-the-user"}}});
    scene.patch(Gvk::CLUSTER_CLASS, "test1-class", &paused("cluster.x-k8s.io/paused")).await;
    scene.patch(Gvk::BARE_METAL_HOST, "test1-node-0", &paused("baremetalhost.metal3.io/paused")).await;

    let run = scene.there().run().await;
    run.done();
    let told = run.report().findings.iter().filter(|finding| finding.id == CheckId::AlreadyPaused);
    let names: Vec<_> = told.map(|finding| finding.object.as_ref().unwrap().name.as_str()).collect();
    assert_eq!(
        names.iter().collect::<BTreeSet<_>>(),
        ["test1", "test1-class", "test1-node-0"].iter().collect()
    );
    let annotation = async |gvk: &Gvk, name: &str, key: &str| -> Option<String> {
        let object = scene.in_target(gvk, name).await.unwrap();
        object["metadata"]["annotations"].get(key).map(|value| value.as_str().unwrap().to_owned())
    };
    let user = Some("by-the-user".to_owned());
    assert_eq!(scene.in_target(Gvk::CLUSTER, "test1").await.unwrap()["spec"]["paused"], true);
    assert_eq!(annotation(Gvk::CLUSTER_CLASS, "test1-class", "cluster.x-k8s.io/paused").await, user);
    assert_eq!(
        annotation(Gvk::BARE_METAL_HOST, "test1-node-0", "baremetalhost.metal3.io/paused").await,
        user
    );
    assert_eq!(
        annotation(Gvk::BARE_METAL_HOST, "test1-node-1", "baremetalhost.metal3.io/paused").await,
        None
    );
}

#[tokio::test]
async fn labels_on_objects_take_them_along() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "labels").await;
    let mut moving = small(&scene).await;
    let labelled = config_map(&scene, "labelled", &json!({"labels": {MOVE: ""}}));
    let root = config_map(&scene, "root", &json!({"labels": {MOVE_HIERARCHY: ""}}));
    scene.source.create(&labelled, "kubectl-create").await.unwrap();
    let root = scene.source.create(&root, "kubectl-create").await.unwrap();
    let leaf = config_map(&scene, "leaf", &json!({"ownerReferences": [owner(&root)]}));
    scene.source.create(&leaf, "kubectl-create").await.unwrap();
    scene.source.create(&config_map(&scene, "bystander", &json!({})), "kubectl-create").await.unwrap();
    moving.extend(["labelled", "root", "leaf"].map(|name| scene.key(Gvk::CONFIG_MAP, name)));

    scene.there().run().await.done();
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), moving);
    assert_eq!(keys(&source), BTreeSet::from([scene.key(Gvk::CONFIG_MAP, "bystander")]));
}

/// A shared object that is in the target already, and equal, is taken as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_firmware_schema_that_an_operator_made_in_the_target_is_as_good() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "schema").await;
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    scene.load(&fixture).await;
    let schema = fixture.keys().find(|key| key.is_of(Gvk::FIRMWARE_SCHEMA)).unwrap();
    let original = scene.in_source(Gvk::FIRMWARE_SCHEMA, &schema.name).await.unwrap();
    scene.target.ensure_namespace(&scene.namespace).await.unwrap();
    let made = |spec: &Value| {
        json!({"apiVersion": "metal3.io/v1alpha1", "kind": "FirmwareSchema", "spec": spec,
            "metadata": {"name": schema.name, "namespace": scene.namespace}})
    };
    let other = made(&json!({"hardwareVendor": "Other", "schema": {}}));
    scene.target.create(&other, "baremetal-operator").await.unwrap();
    let findings = scene.refused(CheckId::CopyDiffers).await;
    assert_eq!(findings[0].object.as_ref().unwrap().name, schema.name);
    scene.target.delete(Gvk::FIRMWARE_SCHEMA, Some(&scene.namespace), &schema.name).await.unwrap();

    let there = scene.target.create(&made(&original["spec"]), "baremetal-operator").await.unwrap();
    scene.there().run().await.done();
    let now = scene.in_target(Gvk::FIRMWARE_SCHEMA, &schema.name).await.unwrap();
    assert_eq!(now["metadata"]["uid"], there["metadata"]["uid"]);
    assert_eq!(scene.in_source(Gvk::FIRMWARE_SCHEMA, &schema.name).await, None);
}

#[tokio::test]
async fn a_copy_that_is_there_already_is_not_written() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "there").await;
    let shared = format!("{}-classes", scene.namespace);
    let own = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    let class = FixtureOptions::small().in_namespace(&shared).named("other").with_cluster_class();
    scene.load(&own.with(Fixture::new(class.clone()))).await;
    pivot_testbed::fixture::load(&scene.target, &Fixture::new(class)).await.unwrap();
    let topology = json!({"spec": {"topology": {
        "classRef": {"name": "other-class", "namespace": shared}, "version": "v1.34.4",
    }}});
    scene.patch(Gvk::CLUSTER, "test1", &topology).await;
    let before = scene.dumps().await.1;
    let run = scene.there().run().await;
    run.done();
    assert_eq!(run.action(&Key::new(Gvk::CLUSTER_CLASS, &shared, "other-class")), Some(Action::Copy));
    assert_not_written(&before.in_namespace(&shared), &scene.dumps().await.1.in_namespace(&shared));

    // One that differs is not overwritten either.
    let back = scene.back().run().await;
    back.done();
    let differs = json!({"spec": {"controlPlane": {"metadata": {"labels": {"of": "the-target"}}}}});
    let merge = Patch::Merge;
    let client = &scene.source;
    client
        .patch(Gvk::CLUSTER_CLASS, Some(&shared), "other-class", merge, &differs, "kubectl-edit")
        .await
        .unwrap();
    let findings = scene.refused(CheckId::CopyDiffers).await;
    assert_eq!(findings[0].object.as_ref().unwrap().name, "other-class");
    assert!(findings[0].message.contains("/spec/controlPlane/metadata"), "{}", findings[0]);
}
