//! Real Ironic as a pod, and a machine that it knows.

use std::{fs, time::Duration};

use pivot_testbed::{
    assets_or_skip,
    client::{Patch, Progress, wait_until},
    ironic::{self, Bmcs, Ironic, Machine, Order, Standing},
    ironic_or_skip,
    kind::Gvk,
    kubelet::Kubelet,
    operators::{self, Operator},
    plane::PlaneOptions,
    providers,
};
use serde_json::json;

const DEADLINE: Duration = Duration::from_secs(300);
const ID: &str = "8f3c5b1e-0000-4000-9000-000000000001";

#[tokio::test]
async fn a_host_is_registered_and_ironic_ends_with_its_pod() {
    let assets = assets_or_skip!();
    ironic_or_skip!(&assets);
    let mac = "52:54:00:00:00:01";
    let machine = Machine { id: ID.to_owned(), name: "node-0".to_owned(), mac: mac.to_owned(), on: true };
    let bmcs = Bmcs::start(&assets, &[machine]).await.unwrap();
    let plane =
        providers::start_management_plane(&assets, "ironic", &PlaneOptions::with_pods()).await.unwrap();
    let client = plane.client().await.unwrap();
    let images = Ironic::with_image(operators::images(&assets).unwrap());
    let kubelet = Kubelet::start(&plane, "node", images).await.unwrap();
    let ironic = Ironic::new(&assets, &plane).unwrap();
    ironic.install(&client, Standing::Stopped).await.unwrap();
    // The operator leads, and waits for its Ironic.
    operators::install_with_ironic(&client, &assets, &kubelet, &[Operator::Baremetal], &ironic)
        .await
        .unwrap();
    assert!(ironic.nodes().await.is_err() && ironic.databases().unwrap().is_empty());
    let scale = async |replicas: u8| {
        let patch = json!({"spec": {"replicas": replicas}});
        let (namespace, name) = (Some(ironic::NAMESPACE), ironic::DEPLOYMENT);
        client.patch(Gvk::DEPLOYMENT, namespace, name, Patch::Merge, &patch, "test").await.unwrap();
    };
    scale(1).await;
    ironic.await_ready(&client).await.unwrap();

    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "bmc", "namespace": "default"},
        "stringData": {"username": "u", "password": "p"}});
    let host = json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": {"name": "host", "namespace": "default", "annotations": {"inspect.metal3.io": "disabled"}},
        "spec": {"online": true, "bootMACAddress": mac, "externallyProvisioned": true,
            "bmc": {"address": bmcs.address(ID), "credentialsName": "bmc"}}});
    client.create(&secret, "test").await.unwrap();
    client.create(&host, "test").await.unwrap();
    let host = wait_until("the host to be registered", DEADLINE, async || {
        let host = client.get(Gvk::BARE_METAL_HOST, Some("default"), "host").await?.unwrap_or_default();
        let is_known = host["status"]["provisioning"]["state"] == "externally provisioned"
            && host["status"]["poweredOn"] == true;
        Ok(if is_known { Progress::Done(host) } else { Progress::Pending(host["status"].to_string()) })
    })
    .await
    .unwrap();
    let node = wait_until("the node to be adopted", DEADLINE, async || {
        let nodes = ironic.nodes().await?;
        Ok(match nodes.iter().find(|node| node.state == "active") {
            Some(node) => Progress::Done(node.clone()),
            None => Progress::Pending(format!("{nodes:?}")),
        })
    })
    .await
    .unwrap();
    assert_eq!(
        (node.name.as_str(), json!(node.id)),
        ("default~host", host["status"]["provisioning"]["ID"].clone())
    );
    assert!(bmcs.is_on(ID).await.unwrap());
    let orders = bmcs.orders().unwrap();
    assert!(!orders.iter().any(Order::is_about_power), "{orders:?}");

    // What is asked of a machine is seen.
    let off = json!({"spec": {"online": false}});
    client.patch(Gvk::BARE_METAL_HOST, Some("default"), "host", Patch::Merge, &off, "test").await.unwrap();
    wait_until("the machine to be off", DEADLINE, async || {
        Ok(if bmcs.is_on(ID).await? { Progress::Pending("on".to_owned()) } else { Progress::Done(()) })
    })
    .await
    .unwrap();
    let orders = bmcs.orders().unwrap();
    let order = orders.iter().find(|order| order.is_about_power()).unwrap();
    let pods = kubelet.pods();
    let pod = pods.iter().find(|pod| pod.name.starts_with(ironic::DEPLOYMENT)).unwrap();
    let [database] = ironic.databases().unwrap().try_into().unwrap();
    assert_eq!(order.from, pod.address);
    assert!(!pod.pids.is_empty());
    scale(0).await;
    wait_until("the pod to go", DEADLINE, async || {
        let pods = kubelet.pods();
        Ok(if pods.iter().any(|left| left.uid == pod.uid) {
            Progress::Pending(format!("{pods:?}"))
        } else {
            Progress::Done(())
        })
    })
    .await
    .unwrap();
    assert!(pod.pids.iter().all(|pid| fs::metadata(format!("/proc/{pid}")).is_err()), "{pod:?}");
    assert!(ironic.nodes().await.is_err(), "nobody has the endpoint");
    let known = fs::read(&database).unwrap();
    assert!(known.windows(ID.len()).any(|window| window == ID.as_bytes()), "what it knew can be looked at");

    scale(1).await;
    ironic.await_ready(&client).await.unwrap();
    let nodes = ironic.nodes().await.unwrap();
    assert!(
        nodes.iter().all(|again| again.id != node.id),
        "the next pod knows nothing of the last: {nodes:?}"
    );
    assert_eq!(ironic.databases().unwrap().len(), 2);
    assert!(fs::read(&database).unwrap() == known, "nobody writes into the database of a pod that is gone");
}
