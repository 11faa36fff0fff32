//! checkProvisioningCompleted, by the names of clusterctl's cases.

use pivot_core::check::CheckId;
use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::Value;

use crate::scene::Scene;

/// What is wrong with a status.
type Change<'a> = &'a dyn Fn(&mut Value);

#[tokio::test]
async fn provisioning_completed() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "provisioned").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let condition = |status: &mut Value, name: &str, wanted: Option<&str>| {
        let conditions = status["conditions"].as_array_mut().unwrap();
        match wanted {
            None => conditions.retain(|condition| condition["type"] != name),
            Some(wanted) => {
                let found = conditions.iter_mut().find(|condition| condition["type"] == name).unwrap();
                found["status"] = wanted.into();
            }
        }
    };
    let cases: [(&str, &Gvk, &str, Change<'_>, &str); 5] = [
        (
            "Blocks with a cluster without InfrastructureReady",
            Gvk::CLUSTER,
            "test1",
            &|status| status["initialization"]["infrastructureProvisioned"] = false.into(),
            "infrastructure is still being provisioned",
        ),
        (
            "Blocks with a cluster without ControlPlaneInitialized",
            Gvk::CLUSTER,
            "test1",
            &|status| condition(status, "ControlPlaneInitialized", None),
            "control plane is not initialized",
        ),
        (
            "Blocks with a cluster with ControlPlaneInitialized=False",
            Gvk::CLUSTER,
            "test1",
            &|status| condition(status, "ControlPlaneInitialized", Some("False")),
            "control plane is not initialized",
        ),
        (
            "Blocks with a cluster without ControlPlaneReady",
            Gvk::CLUSTER,
            "test1",
            &|status| status["initialization"]["controlPlaneInitialized"] = false.into(),
            "control plane is not ready",
        ),
        (
            "Blocks with a Machine Without NodeRef",
            Gvk::MACHINE,
            "test1-md-0-0000",
            &|status| drop(status.as_object_mut().unwrap().remove("nodeRef")),
            "no node yet",
        ),
    ];
    for (case, gvk, name, change, message) in cases {
        let object = scene.in_source(gvk, name).await.unwrap();
        let mut status = object["status"].clone();
        change(&mut status);
        let changed = scene.source.put_status(&object, status, "manager").await.unwrap();
        let findings = scene.refused(CheckId::ProvisioningIncomplete).await;
        assert_eq!(findings.len(), 1, "{case}: {findings:?}");
        assert_eq!(findings[0].object.as_ref().unwrap().name, name, "{case}");
        assert!(findings[0].message.contains(message), "{case}: {}", findings[0]);
        scene.source.put_status(&changed, object["status"].clone(), "manager").await.unwrap();
    }
    let survey = scene.there().survey().await;
    assert_eq!(survey.report().errors().next(), None, "Pass");
}
