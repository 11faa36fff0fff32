//! Somebody else acts while a pivot runs.

use std::collections::BTreeSet;

use pivot_core::machine::{End, Notice, Phase};
use pivot_core::record::Verb;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::dump::Key;
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::content::{assert_not_written, assert_untouched_content, keys};
use crate::pivot::{Run, begins};
use crate::scene::Scene;

/// Waits until nothing of a namespace is left that the pivot made: its own end takes a controller.
pub(crate) async fn await_no_namespace(client: &PlaneClient, name: &str) {
    wait_until("the namespace to be gone", std::time::Duration::from_secs(300), async || {
        Ok(match client.get(Gvk::NAMESPACE, None, name).await? {
            None => Progress::Done(()),
            Some(namespace) => Progress::Pending(namespace["status"].to_string()),
        })
    })
    .await
    .unwrap();
}

async fn loaded(name: &str, assets: &pivot_testbed::assets::Assets) -> (Scene<'static>, BTreeSet<Key>) {
    let scene = Scene::new(assets, name).await;
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    let keys = fixture.keys().collect();
    scene.load(&fixture).await;
    (scene, keys)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_in_the_source_during_stage_arrives_changed() {
    let assets = assets_or_skip!();
    let (scene, moving) = loaded("changed", &assets).await;
    let run = scene
        .there()
        .unfenced()
        .run_with(async |notice| {
            // One object staged already, perhaps; the resource set is among the first.
            if let Notice::Progress { phase: Phase::Stage, done: 20, .. } = notice
                && scene.in_target(Gvk::CONFIG_MAP, "test1-cni-manifests").await.is_some()
            {
                let patch = json!({"data": {"cni.yaml": "# a later version\n"}});
                scene.patch(Gvk::CONFIG_MAP, "test1-cni-manifests", &patch).await;
                let patch = json!({"spec": {"description": "in another rack"}});
                scene.patch(Gvk::BARE_METAL_HOST, "test1-node-1", &patch).await;
            }
        })
        .await;
    assert_eq!(run.done().end, End::Done { moved: moving.len(), copied: 0 });
    assert!(run.resnapshots() > 0, "{}", run.story());
    let manifests = scene.in_target(Gvk::CONFIG_MAP, "test1-cni-manifests").await.unwrap();
    assert_eq!(manifests["data"]["cni.yaml"], "# a later version\n");
    let host = scene.in_target(Gvk::BARE_METAL_HOST, "test1-node-1").await.unwrap();
    assert_eq!(host["spec"]["description"], "in another rack");
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), moving);
    assert_eq!(keys(&source), BTreeSet::new());
}

/// The gate holds behind the pause too: the operator would write another image as soon as the host is opened in the target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_would_be_provisioned_anew_is_not_moved() {
    let assets = assets_or_skip!();
    let (scene, _) = loaded("unsteady", &assets).await;
    let run = scene
        .there()
        .unfenced()
        .run_with(async |notice| {
            if begins(notice, Phase::Stage) {
                let patch = json!({"spec": {"image": {"url": "http://172.22.0.1/images/later.raw"}}});
                scene.patch(Gvk::BARE_METAL_HOST, "test1-node-1", &patch).await;
            }
        })
        .await;
    let (_, cause) = run.rolled_back();
    assert!(cause.contains("test1-node-1") && cause.contains("`spec.image.url`"), "{cause}");
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), BTreeSet::new());
    assert!(source.iter().all(|(_, object)| {
        object["metadata"]["annotations"]["baremetalhost.metal3.io/paused"].is_null()
            && object["spec"]["paused"] != true
    }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_appears_in_the_source_during_the_run_arrives() {
    let assets = assets_or_skip!();
    let (scene, mut moving) = loaded("appears", &assets).await;
    let secret =
        object("v1", "Secret", "late-bmc", &json!({"type": "Opaque", "data": {"password": "bGF0ZQ=="}}));
    let host = object(
        "metal3.io/v1alpha1",
        "BareMetalHost",
        "late",
        &json!({"spec": {"online": true, "bmc": {"address": "redfish://192.168.111.1/9", "credentialsName": "late-bmc"}}}),
    );
    let run = scene
        .there()
        .unfenced()
        .run_with(async |notice| {
            if begins(notice, Phase::Stage) && scene.in_source(Gvk::BARE_METAL_HOST, "late").await.is_none() {
                for late in [&secret, &host] {
                    scene
                        .source
                        .create(&in_namespace(late, &scene.namespace), "kubectl-create")
                        .await
                        .unwrap();
                }
            }
        })
        .await;
    run.done();
    assert!(run.warns("appeared since the plan was made"), "{}", run.story());
    moving.extend([scene.key(Gvk::SECRET, "late-bmc"), scene.key(Gvk::BARE_METAL_HOST, "late")]);
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), moving);
    assert_eq!(keys(&source), BTreeSet::new());
    // It was paused like all others before it was staged, and is not in the target.
    let late = scene.in_target(Gvk::BARE_METAL_HOST, "late").await.unwrap();
    assert!(late["metadata"]["annotations"].get("baremetalhost.metal3.io/paused").is_none());
}

/// clusterctl: "fails if the object is missing from the source". Here the rest moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_vanishes_from_the_source_during_stage_does_not_arrive() {
    let assets = assets_or_skip!();
    let (scene, mut moving) = loaded("vanishes", &assets).await;
    let gone = scene.key(Gvk::METAL3_REMEDIATION_TEMPLATE, "test1-remediation");
    let run = scene
        .there()
        .unfenced()
        .run_with(async |notice| {
            if let Notice::Progress { phase: Phase::Stage, done: 30, .. } = notice {
                let namespace = Some(scene.namespace.as_str());
                scene.source.delete(Gvk::METAL3_REMEDIATION_TEMPLATE, namespace, &gone.name).await.unwrap();
            }
        })
        .await;
    run.done();
    assert!(run.warns("is gone since the plan was made"), "{}", run.story());
    moving.remove(&gone);
    assert_eq!(keys(&scene.dumps().await.1), moving);
}

fn object(api_version: &str, kind: &str, name: &str, content: &Value) -> Value {
    let mut object = content.clone();
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    object["metadata"] = json!({"name": name});
    object
}

fn in_namespace(object: &Value, namespace: &str) -> Value {
    let mut object = object.clone();
    object["metadata"]["namespace"] = namespace.into();
    object
}

/// Creates a foreign object in the target when the pivot says `at`, and asserts that everything is undone but that object.
async fn foreign_in_target(scene: &Scene<'_>, at: impl Fn(&Notice) -> bool + Sync) -> Run {
    let before = scene.dumps().await.0;
    let schema = in_namespace(
        &object(
            "metal3.io/v1alpha1",
            "FirmwareSchema",
            "test1-schema-4bcc035f",
            &json!({"spec": {"schema": {}, "hardwareVendor": "Somebody"}}),
        ),
        &scene.namespace,
    );
    let mut foreign = None;
    let run = scene
        .there()
        .unfenced()
        .run_with(async |notice| {
            if foreign.is_none() && at(notice) {
                scene.target.ensure_namespace(&scene.namespace).await.unwrap();
                foreign = Some(scene.target.create(&schema, "kubectl-create").await.unwrap());
            }
        })
        .await;
    let (phase, cause) = run.rolled_back();
    assert_eq!(phase, Phase::Stage);
    assert!(cause.contains("test1-schema-4bcc035f exists in the target and differs at /spec"), "{cause}");
    assert_eq!(run.end.exit_code(), 3);

    let (source, target) = scene.dumps().await;
    assert_untouched_content(&before, &source);
    let left = keys(&target);
    assert_eq!(left, BTreeSet::from([scene.key(Gvk::FIRMWARE_SCHEMA, "test1-schema-4bcc035f")]));
    let still = scene.in_target(Gvk::FIRMWARE_SCHEMA, "test1-schema-4bcc035f").await.unwrap();
    assert_eq!(Some(still), foreign);
    // The tool stepped back for good: what is there now would be refused beforehand.
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_object_that_appears_before_stage_is_left_alone_and_all_is_undone() {
    let assets = assets_or_skip!();
    let (scene, _) = loaded("before", &assets).await;
    foreign_in_target(&scene, |notice| begins(notice, Phase::Quiesce)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_object_that_appears_during_stage_is_left_alone_and_all_is_undone() {
    let assets = assets_or_skip!();
    let (scene, _) = loaded("during", &assets).await;
    // The schema comes last: it waits for the settings of all hosts. By now the namespace is ours, and must stay all the same.
    let run = foreign_in_target(&scene, |notice| {
        matches!(notice, Notice::Progress { phase: Phase::Stage, done: 1, .. })
    })
    .await;
    let namespace = scene.target.get(Gvk::NAMESPACE, None, &scene.namespace).await.unwrap().unwrap();
    assert!(namespace["metadata"].get("deletionTimestamp").is_none(), "{}", run.story());
}

/// Pauses come back as they were: none, and those that the user had set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_restores_every_pause_and_removes_the_namespace() {
    let assets = assets_or_skip!();
    let (scene, _) = loaded("restored", &assets).await;
    let paused = json!({"metadata": {"annotations": {"baremetalhost.metal3.io/paused": "by-the-user"}}});
    scene.patch(Gvk::BARE_METAL_HOST, "test1-free-0", &paused).await;
    scene.patch(Gvk::CLUSTER, "test1", &json!({"spec": {"paused": false}})).await;
    let before = scene.dumps().await.0;
    let pivot = scene.there();
    let turn = pivot.turn().await;
    let token = pivot.interrupt.clone();
    let run = pivot
        .run_with_in(&turn, async |notice| {
            if begins(notice, Phase::Verify) {
                let host = scene.in_source(Gvk::BARE_METAL_HOST, "test1-node-0").await.unwrap();
                assert!(host["metadata"]["annotations"]["baremetalhost.metal3.io/paused"].is_string());
                assert_eq!(scene.in_source(Gvk::CLUSTER, "test1").await.unwrap()["spec"]["paused"], true);
                token.cancel();
            }
        })
        .await;
    assert_eq!(run.interrupted(), Phase::Verify);
    pivot.take_up(&turn, Verb::Rollback).await.rolled_back();
    let (source, target) = scene.dumps().await;
    assert_untouched_content(&before, &source);
    assert_eq!(keys(&target), BTreeSet::new());
    await_no_namespace(&scene.target, &scene.namespace).await;
}

/// The garbage collector would take it along with its owner, and it is in no other place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_belong_to_an_object_after_the_commit_keeps_its_owner() {
    let assets = assets_or_skip!();
    let (scene, moving) = loaded("newcomer", &assets).await;
    let pivot = scene.there();
    let turn = pivot.turn().await;
    let run = pivot
        .run_with_in(&turn, async |notice| {
            if begins(notice, Phase::Activate) {
                let set = scene.in_source(Gvk::CLUSTER_RESOURCE_SET, "test1-cni").await.unwrap();
                let mut secret = object("v1", "Secret", "newcomer", &json!({"type": "Opaque"}));
                secret["metadata"]["namespace"] = json!(scene.namespace);
                secret["metadata"]["ownerReferences"] = json!([{"apiVersion": set["apiVersion"], "kind": set["kind"],
                    "name": "test1-cni", "uid": set["metadata"]["uid"]}]);
                scene.source.create(&secret, "somebody").await.unwrap();
            }
        })
        .await;
    let End::CleanupPending { cause } = &run.end else { panic!("{:?}\n{}", run.end, run.story()) };
    assert!(cause.contains("test1-cni"), "{cause}");
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), moving);
    let left: BTreeSet<_> = keys(&source).into_iter().map(|key| key.name).collect();
    assert_eq!(left, BTreeSet::from(["newcomer".to_owned(), "test1-cni".to_owned()]));
    // Nobody needs what is kept: the pivot is closed, and it stays.
    pivot.finalize(&turn).await.done();
    let (rest, _) = scene.dumps().await;
    assert_eq!(keys(&rest), keys(&source));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_in_the_source_after_the_commit_is_kept_there() {
    let assets = assets_or_skip!();
    let (scene, moving) = loaded("late", &assets).await;
    let pivot = scene.there().unfenced();
    let turn = pivot.turn().await;
    let run = pivot
        .run_with_in(&turn, async |notice| {
            if begins(notice, Phase::Activate) {
                let patch = json!({"data": {"cni.yaml": "# written behind our back\n"}});
                scene.patch(Gvk::CONFIG_MAP, "test1-cni-manifests", &patch).await;
            }
        })
        .await;
    let End::CleanupPending { cause } = &run.end else { panic!("{:?}\n{}", run.end, run.story()) };
    assert!(cause.contains("test1-cni-manifests"), "{cause}");
    assert_eq!(run.end.exit_code(), 6);
    assert!(run.warns("changed in the source after the snapshot"), "{}", run.story());
    // Nothing is lost: the later value here, the moved one there, and here the owner as well.
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), moving);
    let kept = scene.in_source(Gvk::CONFIG_MAP, "test1-cni-manifests").await.unwrap();
    assert_eq!(kept["data"]["cni.yaml"], "# written behind our back\n");
    let left = keys(&source);
    assert!(left.contains(&scene.key(Gvk::CLUSTER_RESOURCE_SET, "test1-cni")), "{left:?}");
    assert!(left.len() < 5, "{left:?}");
    crate::garbage::await_garbage_collection(&scene.source, &scene.namespace).await;
    assert!(scene.in_source(Gvk::CONFIG_MAP, "test1-cni-manifests").await.is_some());
    // Nobody needs what is kept: the pivot is closed, and it stays.
    pivot.finalize(&turn).await.done();
    let (rest, _) = scene.dumps().await;
    assert_eq!(keys(&rest), keys(&source));
}

/// clusterctl: "no op if the object is already deleted from source".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_from_the_source_after_the_commit_needs_no_deleting() {
    let assets = assets_or_skip!();
    let (scene, moving) = loaded("deleted", &assets).await;
    let run = scene
        .there()
        .unfenced()
        .run_with(async |notice| {
            if begins(notice, Phase::Activate) {
                let namespace = Some(scene.namespace.as_str());
                scene.source.delete(Gvk::SECRET, namespace, "test1-node-0-bmc-secret").await.unwrap();
            }
        })
        .await;
    assert_eq!(run.done().end, End::Done { moved: moving.len(), copied: 0 });
    let (source, target) = scene.dumps().await;
    assert_eq!((keys(&target), keys(&source)), (moving, BTreeSet::new()));
}

/// What another writer did to the pause while we were rolling back is theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bystanders_of_a_rolled_back_pivot_are_not_written() {
    let assets = assets_or_skip!();
    let (scene, moving) = loaded("beside", &assets).await;
    let beside =
        in_namespace(&object("v1", "ConfigMap", "beside", &json!({"data": {"a": "b"}})), &scene.namespace);
    scene.source.create(&beside, "kubectl-create").await.unwrap();
    let before = scene.dumps().await.0.filter(|key| !moving.contains(key));
    let pivot = scene.there();
    let turn = pivot.turn().await;
    let token = pivot.interrupt.clone();
    let run = pivot
        .run_with_in(&turn, async |notice| {
            if begins(notice, Phase::Verify) {
                token.cancel();
            }
        })
        .await;
    run.interrupted();
    pivot.take_up(&turn, Verb::Rollback).await.rolled_back();
    assert_not_written(&before, &scene.dumps().await.0.filter(|key| !moving.contains(key)));
}
