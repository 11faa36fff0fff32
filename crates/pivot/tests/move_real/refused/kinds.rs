//! Kinds that the target does not serve, or serves otherwise.

use std::time::Duration;

use pivot_core::check::CheckId;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::crds;
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::quiet::Quiet;
use crate::scene::Scene;

const NAME: &str = "hostupdatepolicies.metal3.io";

#[tokio::test]
async fn kinds_that_the_target_does_not_take() {
    let assets = assets_or_skip!();
    let quiet = Quiet::take(&assets).await;
    let scene = Scene::on(&quiet.pair, "kinds").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let original =
        crds::read(&assets).unwrap().into_iter().find(|crd| crd["metadata"]["name"] == NAME).unwrap();

    remove(&scene.target).await;
    let findings = scene.refused(CheckId::KindMissing).await;
    assert!(findings[0].message.contains("HostUpdatePolicy.metal3.io"), "{}", findings[0]);
    assert_eq!(findings[0].object.as_ref().unwrap().name, "test1-node-0");

    let mut other_version = original.clone();
    other_version["spec"]["versions"][0]["name"] = "v1alpha9".into();
    install(&scene.target, &other_version, "v1alpha9").await;
    let findings = scene.refused(CheckId::VersionMissing).await;
    assert!(
        findings[0].message.contains("served as v1alpha1 in the source and as v1alpha9 in the target"),
        "{}",
        findings[0]
    );
    assert_eq!(findings[0].object.as_ref().unwrap().name, "test1-node-0");

    remove(&scene.target).await;
    let mut older = original.clone();
    let pointer = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let removed = older.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove("firmwareUpdates");
    assert!(removed.is_some());
    install(&scene.target, &older, "v1alpha1").await;
    let findings = scene.refused(CheckId::WouldPrune).await;
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].message.contains("spec.firmwareUpdates")
            || findings[0].message.contains("/spec/firmwareUpdates"),
        "{}",
        findings[0]
    );
    assert_eq!(findings[0].object.as_ref().unwrap().name, "test1-node-0");

    remove(&scene.target).await;
    install(&scene.target, &original, "v1alpha1").await;
    let survey = scene.there().survey().await;
    assert_eq!(survey.report().errors().next(), None);
    quiet.give_back();
}

async fn remove(client: &PlaneClient) {
    client.delete(Gvk::CRD, None, NAME).await.unwrap();
    await_served(client, None).await;
}

async fn install(client: &PlaneClient, crd: &Value, version: &str) {
    let taken = client.get(Gvk::CRD, None, NAME).await.unwrap();
    assert!(taken.is_none());
    client.create(crd, "clusterctl").await.unwrap();
    await_served(client, Some(version)).await;
}

/// Waits until the kind is served in this version, in discovery and on its path, or not at all.
async fn await_served(client: &PlaneClient, version: Option<&str>) {
    wait_until("discovery to follow the CRD", Duration::from_secs(300), async || {
        let gone = client.get(Gvk::CRD, None, NAME).await?.is_none();
        let kinds = client.kinds().await?;
        let found = kinds.iter().find(|served| served.gvk.kind == "HostUpdatePolicy");
        let listable = match found {
            Some(served) => client.list(&served.gvk, None).await.is_ok(),
            None => true,
        };
        let now =
            json!({"crd": !gone, "served": found.map(|served| served.gvk.to_string()), "listable": listable});
        let as_wanted = match version {
            None => gone && found.is_none(),
            Some(version) => listable && found.is_some_and(|served| served.gvk.version == version),
        };
        Ok(if as_wanted { Progress::Done(()) } else { Progress::Pending(now.to_string()) })
    })
    .await
    .unwrap();
}
