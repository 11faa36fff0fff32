//! Users who may do less than a pivot takes.

use std::path::PathBuf;
use std::time::Duration;

use pivot::cluster::{Cluster, ClusterConfig};
use pivot_core::check::CheckId;
use pivot_core::plan::Permission;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::{Progress, wait_until};
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::plane::Plane;
use pivot_testbed::unique_name;
use serde_json::{Value, json};

use crate::scene::Scene;

/// Every group but the core one: rules cannot say "all but".
const GROUPS: [&str; 11] = [
    "addons.cluster.x-k8s.io",
    "apiextensions.k8s.io",
    "apps",
    "bootstrap.cluster.x-k8s.io",
    "cluster.x-k8s.io",
    "clusterctl.cluster.x-k8s.io",
    "controlplane.cluster.x-k8s.io",
    "infrastructure.cluster.x-k8s.io",
    "ipam.cluster.x-k8s.io",
    "ipam.metal3.io",
    "metal3.io",
];

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
}

/// Makes a user who may do this, and waits until the server knows; `last` is something that the rules allow.
async fn user(plane: &Plane, rules: &[Value], last: Permission) -> PathBuf {
    let (admin, name) = (plane.client().await.unwrap(), unique_name("user"));
    let api = "rbac.authorization.k8s.io";
    let role = json!({"apiVersion": format!("{api}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
        "rules": rules});
    let binding = json!({"apiVersion": format!("{api}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": api, "kind": "User", "name": name}]});
    admin.create(&role, "test").await.unwrap();
    admin.create(&binding, "test").await.unwrap();
    let kubeconfig = plane.user_kubeconfig(&name, None).unwrap();
    let cluster = Cluster::connect(ClusterConfig::new(&kubeconfig)).await.unwrap();
    wait_until("the grants to reach the authorizer", Duration::from_secs(300), async || {
        let denied = cluster.denied([last.clone()]).await.unwrap();
        Ok(if denied.is_empty() { Progress::Done(()) } else { Progress::Pending(format!("{denied:?}")) })
    })
    .await
    .unwrap();
    kubeconfig
}

fn permission(verb: &str, group: &str, resource: &str) -> Permission {
    Permission {
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        subresource: None,
        name: None,
        namespace: None,
    }
}

#[tokio::test]
async fn a_user_who_may_not_delete_secrets_in_the_source() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "source-user").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let rules = [
        rule(&GROUPS, &["*"], &["*"]),
        rule(&[""], &["*"], &["get", "list", "watch", "create", "update", "patch"]),
        rule(&[""], &["configmaps"], &["delete"]),
    ];
    let mut pivot = scene.there();
    pivot.source_user = Some(user(&scene.pair.source, &rules, permission("delete", "", "configmaps")).await);
    let findings = scene.refused_as(pivot, CheckId::SourcePermission).await;
    let text: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [format!(
            "[source-permission] you may not delete secrets in namespace {} on the source",
            scene.namespace
        )]
    );
}

#[tokio::test]
async fn a_user_who_may_only_look_at_the_target() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "target-user").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let rules = [rule(&["*"], &["*"], &["get", "list", "watch"])];
    let mut pivot = scene.there();
    pivot.target_user =
        Some(user(&scene.pair.target, &rules, permission("list", "metal3.io", "baremetalhosts")).await);
    let findings = scene.refused_as(pivot, CheckId::TargetPermission).await;
    let text: Vec<_> = findings.iter().map(|finding| finding.message.as_str()).collect();
    let namespace = &scene.namespace;
    for expected in [
        format!("you may not create machines.cluster.x-k8s.io in namespace {namespace} on the target"),
        format!("you may not update baremetalhosts.metal3.io/status in namespace {namespace} on the target"),
        format!("you may not patch secrets in namespace {namespace} on the target"),
        "you may not create namespaces on the target".to_owned(),
    ] {
        assert!(text.contains(&expected.as_str()), "{expected}: {text:#?}");
    }
    assert!(text.iter().all(|message| !message.contains("get ") && !message.contains("list ")), "{text:#?}");
}
