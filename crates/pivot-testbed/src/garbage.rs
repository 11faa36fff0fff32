//! Waiting for the garbage collector: what it would take, it has taken.

use std::time::Duration;

use serde_json::json;

use crate::{
    Result,
    client::{PlaneClient, Progress, wait_until},
    kind::Gvk,
};

/// Waits until the garbage collector has looked at everything that was created before: it is given an object of a custom kind
/// whose owner never existed, and comes to that one last.
pub async fn await_garbage_collection(client: &PlaneClient, namespace: &str) -> Result<()> {
    let name = crate::unique_name("garbage");
    let canary = json!({
        "apiVersion": Gvk::METAL3_MACHINE_TEMPLATE.api_version(),
        "kind": Gvk::METAL3_MACHINE_TEMPLATE.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "ownerReferences": [{
                "apiVersion": Gvk::CLUSTER.api_version(),
                "kind": Gvk::CLUSTER.kind,
                "name": "never-existed",
                "uid": "00000000-0000-4000-8000-000000000000",
            }],
        },
        "spec": {"template": {"spec": {"image": {"url": "http://x", "checksum": "y"}}}},
    });
    client.create(&canary, "testbed").await?;
    wait_until("the garbage collector to take its canary", Duration::from_secs(300), async || {
        let canary = client.get(Gvk::METAL3_MACHINE_TEMPLATE, Some(namespace), &name).await?;
        Ok(if canary.is_none() { Progress::Done(()) } else { Progress::Pending(String::new()) })
    })
    .await
}
