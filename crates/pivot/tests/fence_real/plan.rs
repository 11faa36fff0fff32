//! What PLAN says where the full fence is asked for.

use pivot::cluster::Cluster;
use pivot::survey::{Survey, survey};
use pivot_core::check::CheckId;
use pivot_core::fence::{self, Controller, FenceFacts, Identity};
use pivot_core::machine::Side;
use pivot_core::record::FenceMode;
use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use pivot_testbed::plane::PlaneOptions;
use pivot_testbed::{providers, unique_name};
use serde_json::{Value, json};

use crate::scene::{Scene, await_grants, connect, merge};

async fn load(scene: &Scene<'_>) {
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    fixture::load(&scene.admin, &fixture).await.unwrap();
}

async fn look(scene: &Scene<'_>, who: &Cluster, fence: FenceMode) -> Survey {
    survey(who, None, &scene.options(fence)).await.unwrap()
}

/// Messages and hints of one check.
fn said(survey: &Survey, id: CheckId) -> Vec<String> {
    let findings = survey.report().findings.iter().filter(|finding| finding.id == id);
    findings.map(|finding| format!("{} ({})", finding.message, finding.hint)).collect()
}

fn facts(survey: &Survey) -> &FenceFacts {
    survey.blueprint().source.fence.as_ref().unwrap()
}

#[tokio::test]
async fn missing_rights_are_named_and_granted_ones_are_enough() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "plan-rights").await;
    load(&scene).await;
    let user = unique_name("user");
    let plain = connect(&scene.plane.user_kubeconfig(&user, None).unwrap()).await;
    let me = plain.whoami().await.unwrap();
    let identity = Identity::new(&me.user, &me.groups, "p", "t");
    // All that a move takes of its source, but nothing for a fence that is not of its kind.
    let verbs = ["get", "list", "watch", "update", "patch", "delete"];
    let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": verbs}]);
    scene.grant(&user, &user, &rules).await;
    let (granted, lacking): (Vec<_>, Vec<_>) = fence::permissions(Side::Target, &[])
        .into_iter()
        .partition(|permission| verbs.contains(&permission.verb.as_str()));
    await_grants(&plain, &granted).await;

    let poor = look(&scene, &plain, FenceMode::Full).await;
    let named = said(&poor, CheckId::FencePermission);
    let missing: Vec<_> = lacking.iter().cloned().chain(identity.permissions()).collect();
    assert_eq!(missing.len(), 6, "{missing:?}");
    assert_eq!(named.len(), missing.len(), "{named:#?}");
    for permission in &missing {
        let message = format!("you may not {permission} on the source");
        assert!(named.iter().any(|said| said.starts_with(&message)), "{message}: {named:#?}");
    }
    assert!(named.iter().all(|said| said.contains("--fence=pause")), "{named:#?}");

    let paused = look(&scene, &plain, FenceMode::Pause).await;
    assert!(paused.blueprint().source.fence.is_none());
    assert!(said(&paused, CheckId::FencePermission).is_empty());

    let rule = |group: &str, verb: &str, resources: &[&str]| json!({"apiGroups": [group], "verbs": [verb], "resources": resources});
    let mut oneself = rule("", "impersonate", &["users"]);
    oneself["resourceNames"] = json!([user]);
    let extras = ["userextras/pivot.metal3.io/id", "userextras/pivot.metal3.io/token"];
    let policies = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"];
    let rules = json!([
        oneself,
        rule("authentication.k8s.io", "impersonate", &extras),
        rule("admissionregistration.k8s.io", "create", &policies),
        rule("", "create", &["configmaps"]),
    ]);
    scene.grant(&format!("{user}-fence"), &user, &rules).await;
    await_grants(&plain, &missing).await;
    let rich = look(&scene, &plain, FenceMode::Full).await;
    assert!(said(&rich, CheckId::FencePermission).is_empty(), "{:#?}", rich.report().findings);
    assert!(facts(&rich).supported);
}

#[tokio::test]
async fn a_fence_that_was_left_is_named_with_what_clears_it() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "plan-left").await;
    load(&scene).await;
    let clean = look(&scene, &scene.others, FenceMode::Full).await;
    assert!(!facts(&clean).fences.contains(&scene.id));

    scene.raise(&scene.scope(), "t0").await;
    let left = look(&scene, &scene.others, FenceMode::Full).await;
    let named: Vec<_> = said(&left, CheckId::FenceLeftBehind);
    // Fences of other tests may stand beside it.
    let ours: Vec<_> = named.iter().filter(|said| said.contains(&scene.id)).collect();
    assert_eq!(ours.len(), 1, "{named:?}");
    for command in ["resume", "rollback"] {
        assert!(ours[0].contains(&format!("`pivotctl {command} --id {}`", scene.id)), "{ours:?}");
    }
    scene.lower().await;
    let lowered = look(&scene, &scene.others, FenceMode::Full).await;
    assert!(!facts(&lowered).fences.contains(&scene.id));
}

fn deployment(namespace: &str, name: &str, labels: &Value) -> Value {
    let pods = json!({"app": name});
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": pods}, "template": {"metadata": {"labels": pods},
            "spec": {"containers": [{"name": "manager", "image": "manager"}]}}}})
}

fn lease(namespace: &str, name: &str, holder: &str) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 60, "leaseTransitions": 4}})
}

/// On a plane of its own: the objects of other tests would keep the managers running.
#[tokio::test]
async fn managers_are_found_with_their_leases_and_stopped_if_all_of_theirs_moves() {
    let assets = assets_or_skip!();
    let plane = providers::start_management_plane(&assets, "managers", &PlaneOptions::bare()).await.unwrap();
    let scene = Scene::on(&plane, "managers").await;
    load(&scene).await;
    let provider = |name: &str| json!({"cluster.x-k8s.io/provider": name});
    for object in [
        deployment("capi-system", "capi-controller-manager", &provider("cluster-api")),
        deployment("capm3-system", "capm3-controller-manager", &provider("infrastructure-metal3")),
        deployment("capm3-system", "baremetal-operator-controller-manager", &json!({})),
        deployment("capm3-system", "somebody-else", &json!({})),
        lease("capi-system", "controller-leader-election-capi", "capi-controller-manager-6d5f-abcde_1"),
        lease("capm3-system", "controller-leader-election-capm3", "capm3-controller-manager-77c-xyz_2"),
    ] {
        scene.admin.create(&object, "test").await.unwrap();
    }
    let shown = |controllers: &[Controller]| -> Vec<String> {
        let lease =
            |c: &Controller| c.leases.iter().map(|l| l.key.name.clone()).collect::<Vec<_>>().join(",");
        controllers.iter().map(|c| format!("{} x{} [{}]", c.deployment.name, c.replicas, lease(c))).collect()
    };
    let whole = look(&scene, &scene.others, FenceMode::Full).await;
    assert_eq!(
        shown(&facts(&whole).controllers),
        [
            "capi-controller-manager x2 [controller-leader-election-capi]",
            "baremetal-operator-controller-manager x2 []",
            "capm3-controller-manager x2 [controller-leader-election-capm3]",
        ]
    );
    assert!(facts(&whole).running.is_empty());
    let capi = facts(&whole).controllers[0].leases[0].clone();
    assert_eq!(capi.duration_seconds, Some(60));
    let told: Vec<_> = whole.report().fence.controllers.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "source capi-system/capi-controller-manager: loses its leader lease; stopped once the target acts",
            "source capm3-system/baremetal-operator-controller-manager: stopped (it elects no leader)",
            "source capm3-system/capm3-controller-manager: loses its leader lease; stopped once the target acts",
        ]
    );

    // A lease that a pivot holds is still that of its manager.
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/capi-system/leases/{}", capi.key.name);
    merge(&scene.others, &path, &json!({"spec": fence::captured_spec("p1")})).await.unwrap();
    let captured = look(&scene, &scene.others, FenceMode::Full).await;
    let holder = facts(&captured).controllers[0].leases[0].holder.clone();
    assert_eq!(holder.as_deref().and_then(fence::captured_by), Some("p1"));
    merge(&scene.others, &path, &json!({"spec": fence::original(&capi)})).await.unwrap();

    let stays = unique_name("stays");
    scene.admin.ensure_namespace(&stays).await.unwrap();
    let cluster = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster",
        "metadata": {"name": "stays", "namespace": stays}, "spec": {"infrastructureRef": {
            "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "Metal3Cluster", "name": "stays"}}});
    scene.admin.create(&cluster, "test").await.unwrap();
    let partial = look(&scene, &scene.others, FenceMode::Full).await;
    assert_eq!(
        shown(&facts(&partial).running),
        ["capi-controller-manager x2 [controller-leader-election-capi]"]
    );
}
