//! Objects that cannot be moved as they are.

use pivot_core::check::CheckId;
use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::json;

use crate::scene::Scene;

#[tokio::test]
async fn nothing_to_move() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "nothing").await;
    let findings = scene.refused(CheckId::NothingToMove).await;
    assert!(findings[0].message.contains(&scene.namespace), "{}", findings[0]);
    assert!(findings[0].hint.contains("--namespace"), "{}", findings[0].hint);
}

#[tokio::test]
async fn a_cluster_that_is_not_there() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "filter").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let findings =
        scene.refused_as(scene.there().filtered(&["test1", "test2"]), CheckId::ClusterNotFound).await;
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.contains("test2"), "{}", findings[0]);
    assert!(findings[0].hint.contains("--filter-cluster"), "{}", findings[0].hint);
}

#[tokio::test]
async fn an_object_that_is_being_deleted() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "deleted").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    scene.source.delete(Gvk::BARE_METAL_HOST, Some(&scene.namespace), "test1-free-0").await.unwrap();
    let host = scene.in_source(Gvk::BARE_METAL_HOST, "test1-free-0").await.unwrap();
    assert!(host["metadata"]["deletionTimestamp"].is_string(), "its finalizer holds it");
    let findings = scene.refused(CheckId::ObjectTerminating).await;
    let names: Vec<_> =
        findings.iter().map(|finding| finding.object.as_ref().unwrap().name.as_str()).collect();
    assert_eq!(names, ["test1-free-0"]);
}

#[tokio::test]
async fn a_host_in_the_middle_of_something() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "busy").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    for state in ["provisioning", "deprovisioning", "inspecting", "preparing", "deleting"] {
        let host = scene.in_source(Gvk::BARE_METAL_HOST, "test1-node-1").await.unwrap();
        let mut status = host["status"].clone();
        status["provisioning"]["state"] = state.into();
        scene.source.put_status(&host, status, "baremetal-operator").await.unwrap();
        let findings = scene.refused(CheckId::HostNotSteady).await;
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].object.as_ref().unwrap().name, "test1-node-1");
        assert!(findings[0].message.contains(&format!("`{state}`")), "{}", findings[0]);
    }
}

#[tokio::test]
async fn machines_that_are_being_replaced_or_remediated() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "rollout").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let condition = |name: &str, status: &str| json!({"type": name, "status": status, "reason": "Test", "message": "", "lastTransitionTime": "2026-11-21T10:00:00Z"});
    let counts = |up_to_date: i64| json!({"upToDateReplicas": up_to_date});
    let conditions = |name: &str, status: &str| json!({"conditions": [condition(name, status)]});
    let cases = [
        (Gvk::MACHINE_DEPLOYMENT, "test1-md-0", counts(0), CheckId::RolloutInProgress),
        (Gvk::KUBEADM_CONTROL_PLANE, "test1-control-plane", counts(0), CheckId::RolloutInProgress),
        (
            Gvk::KUBEADM_CONTROL_PLANE,
            "test1-control-plane",
            conditions("RollingOut", "True"),
            CheckId::RolloutInProgress,
        ),
        (
            Gvk::MACHINE,
            "test1-md-0-0000",
            conditions("OwnerRemediated", "False"),
            CheckId::RemediationInProgress,
        ),
    ];
    for (gvk, name, change, id) in cases {
        let object = scene.in_source(gvk, name).await.unwrap();
        let mut status = object["status"].clone();
        status.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let changed = scene.source.put_status(&object, status, "manager").await.unwrap();
        let findings = scene.refused(id).await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].object.as_ref().unwrap().name, name);
        assert!(findings[0].hint.contains("--wait-steady"), "{}", findings[0].hint);
        scene.source.put_status(&changed, object["status"].clone(), "manager").await.unwrap();
    }
    assert_eq!(scene.there().survey().await.report().errors().next(), None);
}

/// The garbage collector of the source would delete it with its owner, and nobody would have it.
#[tokio::test]
async fn a_dependent_of_a_kind_that_takes_no_part() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "stray").await;
    let loaded = scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let cluster = &loaded[&scene.key(Gvk::CLUSTER, "test1")];
    let owned = |mut object: serde_json::Value| {
        object["metadata"]["namespace"] = scene.namespace.clone().into();
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": Gvk::CLUSTER.api_version(), "kind": "Cluster", "name": "test1",
            "uid": cluster["metadata"]["uid"],
        }]);
        object
    };
    let template = json!({"metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "registry.example/c:1"}]}});
    let strays = [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "autoscaler"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "autoscaler"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "autoscaler"},
            "rules": []}),
    ];
    for stray in strays {
        scene.source.create(&owned(stray), "kubectl-create").await.unwrap();
    }
    let findings = scene.refused(CheckId::DependentStays).await;
    let mut kinds: Vec<_> = findings.iter().map(|f| f.object.as_ref().unwrap().kind.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["Deployment", "Role", "ServiceAccount"]);
    for finding in &findings {
        assert_eq!(finding.object.as_ref().unwrap().name, "autoscaler");
        assert!(finding.message.contains("Cluster"), "{finding}");
        assert!(finding.hint.contains("--links"), "{}", finding.hint);
    }
}
