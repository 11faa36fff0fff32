//! After the pivot the target goes on where the source was: a worker more is wanted, and comes.

use pivot_testbed::client::{Patch, Progress, wait_until};
use pivot_testbed::kind::Gvk;
use pivot_testbed::{assets_or_skip, pods_or_skip};
use serde_json::{Value, json};

use super::MOVE;
use super::bank::{DEADLINE, FREE, River, Staff, state};
use crate::scene::NAMESPACE;

const WORKERS: &str = "test1-md-1";

/// Workers that start with data which is there already: nobody has to make it.
fn workers() -> [Value; 2] {
    let labels =
        json!({"cluster.x-k8s.io/cluster-name": "test1", "cluster.x-k8s.io/deployment-name": WORKERS});
    let data = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "md-1-data", "namespace": NAMESPACE, "labels": {"cluster.x-k8s.io/cluster-name": "test1"}},
        "stringData": {"value": "#cloud-config", "format": "cloud-config"},
        "type": "cluster.x-k8s.io/secret",
    });
    let deployment = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineDeployment",
        "metadata": {"name": WORKERS, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "clusterName": "test1",
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "clusterName": "test1",
                "bootstrap": {"dataSecretName": "md-1-data"},
                "infrastructureRef": {
                    "apiGroup": "infrastructure.cluster.x-k8s.io",
                    "kind": "Metal3MachineTemplate",
                    "name": "test1-workers",
                },
            }},
        },
    });
    [data, deployment]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_pivot_the_target_provisions_a_new_worker() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let river = River::with(&assets, Staff::Machines, &workers()).await;
    let (east, west) = (&river.east, &river.west);
    let role = json!({"metadata": {"labels": {"role": "worker"}}});
    let namespace = Some(NAMESPACE);
    east.client.patch(Gvk::BARE_METAL_HOST, namespace, FREE, Patch::Merge, &role, "kubectl").await.unwrap();
    river.run(&MOVE, east, west);
    river.hosts_are_in(west, east).await;
    // Each controller of the target says so itself: it leads, and has looked at what arrived.
    river.run(&["wait", "--for", "settled", "--timeout", "3m"], east, west);
    river.run(&["verify", "-n", NAMESPACE], east, west);

    let one = json!({"spec": {"replicas": 1}});
    west.client
        .patch(Gvk::MACHINE_DEPLOYMENT, namespace, WORKERS, Patch::Merge, &one, "kubectl")
        .await
        .unwrap();
    let machine = wait_until("the new machine to be there", DEADLINE, async || {
        let machines = west.client.list(Gvk::MACHINE, namespace).await?;
        let of_workers =
            |machine: &Value| machine["metadata"]["labels"]["cluster.x-k8s.io/deployment-name"] == WORKERS;
        let machine = machines.into_iter().find(of_workers).unwrap_or_default();
        Ok(if machine["spec"]["providerID"].is_string() {
            Progress::Done(machine)
        } else {
            Progress::Pending(machine["status"]["conditions"].to_string())
        })
    })
    .await
    .unwrap();
    let hosts = west.hosts().await;
    let id = machine["spec"]["providerID"].as_str().unwrap();
    assert!(id.starts_with(&format!("metal3://{NAMESPACE}/{FREE}/")), "{id}");
    assert_eq!(state(&hosts[FREE]), "provisioned");
    for (name, host) in hosts.iter().filter(|(name, _)| *name != FREE) {
        assert_eq!(state(host), state(&river.before[name]), "{name}");
    }
}
