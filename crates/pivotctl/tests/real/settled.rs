//! What became of a pivot: waited for beside the `move`, and judged after it.

use std::process::{Command, Output};
use std::time::Duration;

use pivot_testbed::assets::Assets;
use pivot_testbed::client::{Patch, PlaneClient, Progress, wait_until};
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use pivot_testbed::kubelet::Kubelet;
use pivot_testbed::operators::{self, Operator};
use pivot_testbed::plane::{Plane, PlaneOptions};
use pivot_testbed::proxy::Stage;
use pivot_testbed::traffic::{Target, Verb};
use pivot_testbed::{assets_or_skip, pods_or_skip, providers, unique_name};
use serde_json::{Value, json};

use crate::scene::{Halted, NAMESPACE, Outcome, Scene};

const DEADLINE: Duration = Duration::from_secs(120);
const MOVE: [&str; 5] = ["move", "--yes", "--no-pre-copy", "-n", NAMESPACE];
const VERIFY: [&str; 3] = ["verify", "-n", NAMESPACE];
const HOST: &str = "test1-node-0";

async fn in_stage(scene: &Scene) -> Halted {
    scene.halted(&MOVE, Stage::Applied, Target::new(Verb::Create, "Machine")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pivot_is_waited_for_beside_the_move() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let none = scene.pivotctl(&["wait"]).exits(1);
    assert!(none.stderr.starts_with("error[no-pivot]"), "{none:#?}");
    let before = scene.pivotctl(&VERIFY).exits(2);
    assert!(!before.stdout.contains("Not settled") && !before.stdout.contains("brought"), "{before:#?}");

    let halted = in_stage(&scene).await;
    let late = scene.pivotctl(&["wait", "--timeout", "1s"]).exits(1);
    assert!(late.stderr.contains("error[wait-timeout]: after 1s"), "{late:#?}");
    assert!(late.stderr.contains(" to be decided"), "{late:#?}");
    assert_eq!(late.next()[0], "status", "somebody is at it: {late:#?}");
    let during = scene.pivotctl(&VERIFY).exits(2);
    assert!(during.stdout.contains("Cluster metal3/test1: is still paused by pivot "), "{during:#?}");
    assert!(
        !during.stdout.contains("controller"),
        "nothing is expected of a target that does not act: {during:#?}"
    );

    let mut settled = scene.begun(&["wait"]);
    let mut ready = scene.begun(&["wait", "--for", "pivoted-ready"]);
    for waiting in [&mut settled, &mut ready] {
        waiting.says("waiting: pivot ");
    }
    let moved = halted.go_on().exits(0);
    assert!(moved.last_line().contains("is active and complete"), "{moved:#?}");
    for waiting in [settled, ready] {
        let ended = waiting.end().exits(0);
        assert!(ended.last_line().starts_with("target "), "{ended:#?}");
        assert!(!ended.stderr.contains("error["), "{ended:#?}");
    }

    // Nobody else has to wait, also not with the flags the other way round.
    let again = scene.pivotctl(&["wait", "-o", "json"]).exits(0);
    let told = again.json();
    assert!(told["objects"].as_u64() > Some(50) && told["unsettled"] == json!([]), "{told:#}");
    assert!(again.stderr.contains("not judged: no Deployment of baremetal-operator"), "{again:#?}");
    let (source, target) = (scene.source(), scene.target());
    let exchanged = scene.run(&["wait", "--kubeconfig", target, "--to-kubeconfig", source]).exits(0);
    assert_eq!(
        exchanged.stdout.split(" of pivot ").next(),
        scene.pivotctl(&["wait"]).stdout.split(" of pivot ").next()
    );
    let other = scene.pivotctl(&["wait", "--id", "p0"]).exits(1);
    assert!(other.stderr.starts_with("error[no-pivot]: the clusters remember no pivot p0"), "{other:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_waiting_cannot_help_it_ends_at_once() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    in_stage(&scene).await.kill();
    let left = scene.pivotctl(&["wait"]).exits(4);
    assert!(left.stderr.contains("error[pivot-suspended]"), "{left:#?}");
    assert_eq!(left.next()[0], "resume", "{left:#?}");

    scene.pivotctl(&["rollback"]).exits(0);
    let undone = scene.pivotctl(&["wait"]).exits(3);
    assert!(undone.stderr.contains("error[pivot-rolled-back]"), "{undone:#?}");
    assert!(undone.last_line().starts_with("source "), "{undone:#?}");
}

/// An API server obeys a policy for a moment after it was deleted.
async fn set_state(target: &PlaneClient, state: &str) {
    wait_until("the fence to be gone", DEADLINE, async || {
        let host = target.get(Gvk::BARE_METAL_HOST, Some(NAMESPACE), HOST).await?.unwrap();
        let mut status: Value = host["status"].clone();
        status["provisioning"]["state"] = state.into();
        Ok(match target.put_status(&host, status, "baremetal-operator").await {
            Ok(_) => Progress::Done(()),
            Err(error) => Progress::Pending(error.to_string()),
        })
    })
    .await
    .unwrap();
}

async fn install_manager(cluster: &PlaneClient, replicas: u8) {
    let labels = json!({"app": "manager"});
    cluster.ensure_namespace("capi-system").await.unwrap();
    let manager = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "capi-controller-manager", "namespace": "capi-system",
            "labels": {"cluster.x-k8s.io/provider": "cluster-api"}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "manager", "image": "none"}]}}}});
    cluster.create(&manager, "test").await.unwrap();
}

/// A user who may read everything that moves, and no Deployments.
async fn user_without_deployments(plane: &Plane) -> String {
    let (admin, name) = (plane.client().await.unwrap(), unique_name("user"));
    let group = "rbac.authorization.k8s.io";
    let groups = [
        "",
        "addons.cluster.x-k8s.io",
        "apiextensions.k8s.io",
        "bootstrap.cluster.x-k8s.io",
        "cluster.x-k8s.io",
        "clusterctl.cluster.x-k8s.io",
        "controlplane.cluster.x-k8s.io",
        "coordination.k8s.io",
        "infrastructure.cluster.x-k8s.io",
        "ipam.cluster.x-k8s.io",
        "ipam.metal3.io",
        "metal3.io",
        "runtime.cluster.x-k8s.io",
    ];
    let kind =
        |kind: &str| json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": name}});
    let (mut role, mut binding) = (kind("ClusterRole"), kind("ClusterRoleBinding"));
    role["rules"] = json!([{"apiGroups": groups, "resources": ["*"], "verbs": ["get", "list"]}]);
    binding["roleRef"] = json!({"apiGroup": group, "kind": "ClusterRole", "name": name});
    binding["subjects"] = json!([{"apiGroup": group, "kind": "User", "name": name}]);
    admin.create(&role, "test").await.unwrap();
    admin.create(&binding, "test").await.unwrap();
    plane.user_kubeconfig(&name, None).unwrap().to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_pivot_is_judged() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    scene.pivotctl(&[&MOVE[..], &["--retire", "keep"]].concat()).exits(0);
    let says =
        |outcome: &Outcome, words: &str| assert!(outcome.stdout.contains(words), "{words}: {outcome:#?}");
    let well = scene.pivotctl(&VERIFY).exits(0);
    says(&well, "no differences; ");
    says(&well, " brought by pivots, settled");

    // A host that left its state, whoever did it.
    let (source, target) =
        (scene.pair.source.client().await.unwrap(), scene.pair.target.client().await.unwrap());
    set_state(&target, "deprovisioning").await;
    let left =
        format!("BareMetalHost {NAMESPACE}/{HOST}: was `provisioned` when it moved, and is `deprovisioning`");
    says(&scene.pivotctl(&VERIFY).exits(2), &left);
    let late = scene.pivotctl(&["wait", "--timeout", "1s"]).exits(1);
    assert!(late.stderr.contains(&format!("waiting: {left}")), "{late:#?}");
    scene.pivotctl(&["wait", "--for", "pivoted-ready"]).exits(0);
    set_state(&target, "provisioned").await;
    scene.pivotctl(&VERIFY).exits(0);

    // Controllers: one that stands still in the target, and one that came back in the source.
    install_manager(&target, 0).await;
    install_manager(&source, 1).await;
    let acting = scene.pivotctl(&VERIFY).exits(2);
    let manager = "Deployment capi-system/capi-controller-manager";
    says(&acting, &format!("{manager}: is scaled to zero in the target"));
    says(&acting, &format!("{manager}: still runs in the source"));
    let told = scene.pivotctl(&[&VERIFY[..], &["-o", "json"]].concat()).exits(2).json();
    assert_eq!(told["settlement"]["unsettled"][0]["aspect"], "acting", "{told:#}");

    // Who may not see them is told so. The source's still runs.
    let kubeconfig = user_without_deployments(&scene.pair.target).await;
    let blind = wait_until("the grants to reach the authorizer", DEADLINE, async || {
        let sides = ["--kubeconfig", scene.source(), "--to-kubeconfig", &kubeconfig];
        let outcome = scene.run(&[&VERIFY[..], &sides].concat());
        Ok(if outcome.code == Some(2) {
            Progress::Done(outcome)
        } else {
            Progress::Pending(format!("{outcome:#?}"))
        })
    });
    let blind = blind.await.unwrap();
    says(&blind, "not judged: you may not list deployments.apps on the target");
    assert!(!blind.stdout.contains("in the target\n"), "{blind:#?}");
}

/// A cluster with a node, on which the real operator runs.
async fn start_with_operator(assets: &Assets, name: &str) -> (Plane, PlaneClient, Kubelet) {
    let plane = providers::start_management_plane(assets, name, &PlaneOptions::with_pods()).await.unwrap();
    let client = plane.client().await.unwrap();
    let kubelet = Kubelet::start(&plane, "node", operators::images(assets).unwrap()).await.unwrap();
    (plane, client, kubelet)
}

/// Revisions of the Secrets with which the operator of this cluster reached the BMCs; none where one was not reached.
async fn reached(cluster: &PlaneClient) -> Option<usize> {
    let hosts = cluster.list(Gvk::BARE_METAL_HOST, Some(NAMESPACE)).await.ok()?;
    for host in &hosts {
        let secret = host["spec"]["bmc"]["credentialsName"].as_str()?;
        let secret = cluster.get(Gvk::SECRET, Some(NAMESPACE), secret).await.ok()??;
        if host["status"]["goodCredentials"]["credentialsVersion"] != secret["metadata"]["resourceVersion"] {
            return None;
        }
    }
    (!hosts.is_empty()).then_some(hosts.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_operator_takes_up_hosts_that_were_moved() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let (east, west) =
        tokio::join!(start_with_operator(&assets, "here"), start_with_operator(&assets, "there"));
    east.1.ensure_namespace(NAMESPACE).await.unwrap();
    fixture::load(&east.1, &Fixture::new(FixtureOptions::small().in_namespace(NAMESPACE))).await.unwrap();
    for (_, client, kubelet) in [&east, &west] {
        operators::install(client, &assets, kubelet, &[Operator::Baremetal]).await.unwrap();
    }
    wait_until("the source's operator to reach every BMC", DEADLINE, async || {
        let reached = reached(&east.1).await;
        Ok(reached.map_or_else(|| Progress::Pending("not yet".to_owned()), |_| Progress::Done(())))
    })
    .await
    .unwrap();

    let home = tempfile::tempdir().unwrap();
    let sides = [("--kubeconfig", &east.0), ("--to-kubeconfig", &west.0)];
    let run = |args: &[&str], code: i32| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pivotctl"));
        command.env_clear().env("HOME", home.path()).current_dir(home.path()).args(args);
        for (flag, plane) in sides {
            command.arg(flag).arg(plane.kubeconfig());
        }
        let Output { status, stdout, stderr } = tokio::task::block_in_place(|| command.output().unwrap());
        let told = format!("{}\n{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(code), "{args:?}: {told}");
        told
    };
    run(&[&MOVE[..], &["--wait-steady", "5m"]].concat(), 0);
    let waited = run(&["wait", "--timeout", "5m"], 0);
    assert!(
        waited.contains("have settled") && !waited.contains("no Deployment of baremetal-operator"),
        "{waited}"
    );
    assert!(reached(&west.1).await > Some(2), "settled is what the operator of the target has reached");
    run(&VERIFY, 0);

    // The operator that nobody leaves running.
    let (namespace, name) = (Operator::Baremetal.namespace(), Operator::Baremetal.deployment());
    let stopped = json!({"spec": {"replicas": 0}});
    west.1.patch(Gvk::DEPLOYMENT, Some(namespace), name, Patch::Merge, &stopped, "test").await.unwrap();
    let left = run(&VERIFY, 2);
    assert!(
        left.contains(&format!("Deployment {namespace}/{name}: is scaled to zero in the target")),
        "{left}"
    );
}
