//! A target that cannot take what moves.

use std::time::Duration;

use pivot_core::check::CheckId;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::{Patch, Progress, wait_until};
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::json;

use crate::scene::Scene;

const QUOTA: &Gvk = &Gvk::new("", "v1", "ResourceQuota");

#[tokio::test]
async fn a_quota_that_leaves_no_room() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "quota").await;
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    let secrets = fixture.keys().filter(|key| key.kind == "Secret").count();
    scene.load(&fixture).await;
    scene.target.ensure_namespace(&scene.namespace).await.unwrap();
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "tight", "namespace": scene.namespace},
        "spec": {"hard": {"count/secrets": (secrets - 1).to_string(), "count/baremetalhosts.metal3.io": "2",
            "count/machines.cluster.x-k8s.io": "2"}}});
    scene.target.create(&quota, "kubectl-create").await.unwrap();
    wait_until("the quota to be counted", Duration::from_secs(300), async || {
        let quota = scene.target.get(QUOTA, Some(&scene.namespace), "tight").await?.unwrap();
        let counted = quota["status"]["used"].as_object().is_some_and(|used| used.len() == 3);
        Ok(if counted { Progress::Done(()) } else { Progress::Pending(quota["status"].to_string()) })
    })
    .await
    .unwrap();
    let findings = scene.refused(CheckId::QuotaExceeded).await;
    let mut text: Vec<_> = findings.iter().map(|finding| finding.message.clone()).collect();
    text.sort_unstable();
    let place = format!("ResourceQuota {}/tight leaves room for", scene.namespace);
    assert_eq!(
        text,
        [
            format!("{place} {} count/secrets, {secrets} are needed", secrets - 1),
            format!("{place} 2 count/baremetalhosts.metal3.io, 3 are needed"),
        ]
    );
}

#[tokio::test]
async fn a_namespace_that_is_being_deleted() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "ending").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    scene.target.ensure_namespace(&scene.namespace).await.unwrap();
    let held = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": scene.namespace, "finalizers": ["example.org/hold"]}});
    scene.target.create(&held, "test").await.unwrap();
    scene.target.delete(Gvk::NAMESPACE, None, &scene.namespace).await.unwrap();
    // The namespace controller writes on; refused() asks for silence.
    wait_until("the namespace to be empty but for what is held", Duration::from_secs(300), async || {
        let namespace = scene.target.get(Gvk::NAMESPACE, None, &scene.namespace).await?.unwrap();
        let conditions = namespace["status"]["conditions"].as_array();
        let waits = conditions.into_iter().flatten().any(|condition| {
            condition["type"] == "NamespaceFinalizersRemaining" && condition["status"] == "True"
        });
        Ok(if waits { Progress::Done(()) } else { Progress::Pending(namespace["status"].to_string()) })
    })
    .await
    .unwrap();
    let findings = scene.refused(CheckId::NamespaceTerminating).await;
    assert!(findings[0].message.contains(&scene.namespace), "{}", findings[0]);
    let release = json!({"metadata": {"finalizers": null}});
    let namespace = Some(scene.namespace.as_str());
    scene.target.patch(Gvk::CONFIG_MAP, namespace, "held", Patch::Merge, &release, "test").await.unwrap();
}

/// clusterctl overwrites it: "updates the object if it already exists and the object is not Global/GlobalHierarchy".
#[tokio::test]
async fn a_foreign_object_of_the_same_name() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "foreign").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    scene.target.ensure_namespace(&scene.namespace).await.unwrap();
    let foreign = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "test1-node-0-bmc-secret", "namespace": scene.namespace},
        "data": {"username": "bWluZQ=="}});
    scene.target.create(&foreign, "kubectl-create").await.unwrap();
    let findings = scene.refused(CheckId::TargetConflict).await;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].object.as_ref().unwrap().name, "test1-node-0-bmc-secret");
    assert!(findings[0].message.contains("nothing foreign is overwritten"), "{}", findings[0]);
    let there = scene.in_target(Gvk::SECRET, "test1-node-0-bmc-secret").await.unwrap();
    assert_eq!(there["data"], foreign["data"]);
}
