//! The real garbage collector, seen to have finished.

use std::time::Duration;

use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::kind::Gvk;
use serde_json::json;

/// Waits until the garbage collector has been through all that was written before, twice: it takes an object of a custom kind
/// whose owner never existed.
pub(crate) async fn await_garbage_collection(client: &PlaneClient, namespace: &str) {
    for round in 0..2 {
        let name = format!("garbage-{round}");
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
        client.create(&canary, "test").await.unwrap();
        wait_until("the garbage collector to take its canary", Duration::from_secs(120), async || {
            let canary = client.get(Gvk::METAL3_MACHINE_TEMPLATE, Some(namespace), &name).await?;
            Ok(if canary.is_none() { Progress::Done(()) } else { Progress::Pending(String::new()) })
        })
        .await
        .unwrap();
    }
}
