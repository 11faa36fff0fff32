//! Kubernetes' garbage collector counts as somebody else.

use std::time::Duration;

use pivot_testbed::assets_or_skip;
use pivot_testbed::client::{Progress, wait_until};
use pivot_testbed::garbage::await_garbage_collection;
use pivot_testbed::kind::Gvk;
use serde_json::json;

use crate::scene::{Scene, host, post};

#[tokio::test]
async fn the_garbage_collector_does_not_delete_behind_the_fence() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "garbage").await;
    scene.raise(&scene.scope(), "t1").await;
    let mut orphan = host("orphan");
    orphan["metadata"]["ownerReferences"] = json!([{"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster",
        "name": "never-existed", "uid": "00000000-0000-4000-8000-000000000001"}]);
    post(&scene.tool("t1").await, &scene.hosts(""), &orphan).await.unwrap();
    // Other kinds are not fenced: what the collector would take, it has taken.
    for _ in 0..2 {
        await_garbage_collection(&scene.admin, &scene.namespace).await.unwrap();
    }
    let there = async || scene.admin.get(Gvk::BARE_METAL_HOST, Some(&scene.namespace), "orphan").await;
    assert!(there().await.unwrap().is_some(), "the garbage collector went through the fence");
    scene.lower().await;
    wait_until("the garbage collector to come back", Duration::from_secs(300), async || {
        Ok(match there().await? {
            None => Progress::Done(()),
            Some(_) => Progress::Pending("the orphan is still there".to_owned()),
        })
    })
    .await
    .unwrap();
}
