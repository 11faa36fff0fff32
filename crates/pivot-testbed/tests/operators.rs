//! The real managers as pods of real planes.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

use std::{fs, time::Duration};

use http::Method;
use pivot_testbed::{
    assets::Assets,
    assets_or_skip,
    client::{PlaneClient, Progress, wait_until},
    crds::condition_is_true,
    kind::Gvk,
    kubelet::Kubelet,
    operators::{self, Operator},
    plane::{Plane, PlaneOptions},
    pods_or_skip, providers,
};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(300);
const CLUSTER_API: [Operator; 3] =
    [Operator::Core, Operator::KubeadmBootstrap, Operator::KubeadmControlPlane];

fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with('Z'))
}

/// A management plane with a node that knows every manager.
async fn stage(assets: &Assets, name: &str) -> (Plane, PlaneClient, Kubelet) {
    let plane = providers::start_management_plane(assets, name, &PlaneOptions::with_pods()).await.unwrap();
    let client = plane.client().await.unwrap();
    let kubelet = Kubelet::start(&plane, "node", operators::images(assets).unwrap()).await.unwrap();
    (plane, client, kubelet)
}

#[tokio::test]
async fn the_baremetal_operator_leads_stops_and_leads_again() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let (_plane, client, kubelet) = stage(&assets, "hosts").await;
    let operator = Operator::Baremetal;
    operators::install(&client, &assets, &kubelet, &[operator]).await.unwrap();

    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "bmc", "namespace": "default"},
        "stringData": {"username": "u", "password": "p"}});
    let host = |address: &str| {
        json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": {"name": "host", "namespace": "default"},
            "spec": {"online": true, "bootMACAddress": "00:00:5e:00:53:01",
                "bmc": {"address": address, "credentialsName": "bmc"}}})
    };
    client.create(&secret, "test").await.unwrap();
    let refused = client.create(&host("nonsense://192.0.2.1"), "test").await.unwrap_err().to_string();
    assert!(refused.contains("denied the request"), "the operator's webhook has a say: {refused}");
    client.create(&host("redfish+http://192.0.2.1/redfish/v1/Systems/1"), "test").await.unwrap();
    let host = wait_until("the host to become available", DEADLINE, async || {
        let host = client.get(Gvk::BARE_METAL_HOST, Some("default"), "host").await?.unwrap_or_default();
        let state = host["status"]["provisioning"]["state"].as_str().unwrap_or_default().to_owned();
        Ok(if state == "available" {
            Progress::Done(host)
        } else {
            Progress::Pending(host["status"].to_string())
        })
    })
    .await
    .unwrap();
    assert_eq!(host["metadata"]["finalizers"], json!(["baremetalhost.metal3.io"]));
    for step in ["register", "inspect"] {
        assert!(host["status"]["operationHistory"][step]["end"].is_string(), "{step}: {}", host["status"]);
    }

    let [pod] = kubelet.pods().try_into().unwrap();
    let before = operators::leader(&client, operator).await.unwrap().unwrap();
    assert!(before.starts_with(&pod.name));
    operators::scale(&client, operator, 0).await.unwrap();
    wait_until("the pod to go", DEADLINE, async || {
        let left = client.list(Gvk::POD, Some(operator.namespace())).await?;
        let uids: Vec<String> = left.iter().map(|pod| pod["metadata"]["uid"].to_string()).collect();
        Ok(if uids.is_empty() { Progress::Done(()) } else { Progress::Pending(uids.join(", ")) })
    })
    .await
    .unwrap();
    assert!(!pod.pids.iter().any(|pid| runs(*pid)), "no object goes before its processes");
    let idle = client.get(Gvk::LEASE, Some(operator.namespace()), operator.lease()).await.unwrap().unwrap();
    assert_eq!(idle["spec"]["holderIdentity"], json!(before), "nobody took over");

    operators::scale(&client, operator, 1).await.unwrap();
    operators::await_leader(&client, &kubelet, operator).await.unwrap();
    assert_ne!(operators::leader(&client, operator).await.unwrap().unwrap(), before);
}

#[tokio::test]
async fn the_managers_of_cluster_api_answer_on_two_planes_at_once() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let ((_west, west, west_node), (_east, east, east_node)) =
        tokio::join!(stage(&assets, "west"), stage(&assets, "east"));
    let installs = [(&west, &west_node), (&east, &east_node)]
        .map(|(client, kubelet)| operators::install(client, &assets, kubelet, &CLUSTER_API));
    for installed in futures::future::join_all(installs).await {
        installed.unwrap();
    }
    for client in [&west, &east] {
        for operator in CLUSTER_API {
            let name = operator.deployment();
            let deployment =
                client.get(Gvk::DEPLOYMENT, Some(operator.namespace()), name).await.unwrap().unwrap();
            assert!(condition_is_true(&deployment, "Available"), "{name}");
            let labels = &deployment["metadata"]["labels"];
            assert_eq!(labels["cluster.x-k8s.io/provider"], json!(operator.provider()));
            assert_eq!(labels["clusterctl.cluster.x-k8s.io"], "");
        }
        webhooks_answer(client).await;
    }
    assert_ne!(west_node.pods()[0].address, east_node.pods()[0].address);
}

/// Defaulting, validation and conversion are those of the managers.
async fn webhooks_answer(client: &PlaneClient) {
    let machines = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineSet",
        "metadata": {"name": "machines", "namespace": "default"},
        "spec": {
            "clusterName": "c",
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
                "clusterName": "c",
                "bootstrap": {"dataSecretName": "s"},
                "infrastructureRef": {
                    "apiGroup": "infrastructure.cluster.x-k8s.io",
                    "kind": "Metal3MachineTemplate",
                    "name": "t",
                },
            }},
        },
    });
    let created = client.create(&machines, "test").await.unwrap();
    let label = "cluster.x-k8s.io/cluster-name";
    assert_eq!(created["metadata"]["labels"][label], "c", "defaulted by the webhook: {created}");
    let path = "/apis/cluster.x-k8s.io/v1beta1/namespaces/default/machinesets/machines";
    let older = client.send(Method::GET, path, "application/json", None).await.unwrap();
    let reference = &older["spec"]["template"]["spec"]["infrastructureRef"];
    assert!(reference["apiVersion"].is_string(), "converted by the webhook: {reference}");

    let even: Value = json!({
        "apiVersion": "controlplane.cluster.x-k8s.io/v1beta2",
        "kind": "KubeadmControlPlane",
        "metadata": {"name": "even", "namespace": "default"},
        "spec": {"replicas": 2, "version": "v1.34.0", "machineTemplate": {"spec": {"infrastructureRef": {
            "apiGroup": "infrastructure.cluster.x-k8s.io",
            "kind": "Metal3MachineTemplate",
            "name": "t",
        }}}},
    });
    let refused = client.create(&even, "test").await.unwrap_err().to_string();
    assert!(refused.contains("even number"), "{refused}");
}
