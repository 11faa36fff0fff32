//! The node that the kubelet stands for.

use std::net::Ipv4Addr;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    Result,
    client::{Patch, PlaneClient},
    kind::Gvk,
};

/// Registers the node, ready and with room for everything; `port` is where its kubelet serves the API server. No controller of a plane watches nodes, so that it stays ready
/// without a lease.
pub(super) async fn register(client: &PlaneClient, name: &str, address: Ipv4Addr, port: u16) -> Result<()> {
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        }},
    });
    match client.create(&node, "kubelet").await {
        Ok(_) => {}
        Err(error) if error.is_already_exists() => {}
        Err(error) => return Err(error),
    }
    // Admission gives every new node a taint that the controller of node lifecycles would take away.
    let patches = [
        ("", json!({"spec": {"taints": null}})),
        ("/status", json!({"status": status(name, address, port)})),
    ];
    let path = client.served(Gvk::NODE).await?.path(None, Some(name));
    for (part, patch) in patches {
        let path = format!("{path}{part}?fieldManager=kubelet");
        client.send(http::Method::PATCH, &path, Patch::Merge.content_type(), Some(&patch)).await?;
    }
    Ok(())
}

fn status(name: &str, address: Ipv4Addr, port: u16) -> Value {
    let room = json!({"cpu": "64", "memory": "256Gi", "ephemeral-storage": "256Gi", "pods": "250"});
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "capacity": room,
        "allocatable": room,
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "conditions": [{
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }],
    })
}
