//! Hosts that are busy: nothing is written before they stand still.

use std::collections::BTreeMap;

use pivot_testbed::assets_or_skip;
use pivot_testbed::dump::{Dump, Key};
use pivot_testbed::kind::Gvk;
use serde_json::Value;

use crate::scene::{NAMESPACE, RECORDS, Scene};

const MOVE: [&str; 4] = ["move", "--yes", "-n", NAMESPACE];
const HOST: &str = "test1-node-0";

async fn set_state(scene: &Scene, state: &str) {
    let source = scene.pair.source.client().await.unwrap();
    let host = source.get(Gvk::BARE_METAL_HOST, Some(NAMESPACE), HOST).await.unwrap().unwrap();
    let mut status: Value = host["status"].clone();
    status["provisioning"]["state"] = state.into();
    source.put_status(&host, status, "baremetal-operator").await.unwrap();
}

/// Revisions of what moves, of records, and of what a pivot writes besides: namespaces and policies.
fn revisions(dump: &Dump) -> BTreeMap<Key, String> {
    let written = |key: &Key| {
        key.namespace == NAMESPACE
            || key.namespace == RECORDS
            || key.kind == "Namespace"
            || key.kind.starts_with("ValidatingAdmissionPolicy")
    };
    let concerned = dump.iter().filter(|(key, _)| written(key));
    concerned.map(|(key, object)| (key.clone(), object["metadata"]["resourceVersion"].to_string())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_host_is_refused_before_anything_is_written() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    set_state(&scene, "provisioning").await;
    let (source, target) = scene.dumps().await;
    assert!(revisions(&source).len() > 50, "the fixture is there");
    let refused = scene.pivotctl(&MOVE).exits(1);
    let named = format!("BareMetalHost {NAMESPACE}/{HOST}: is in state `provisioning`");
    assert!(refused.stderr.contains("host-not-steady") && refused.stderr.contains(&named), "{refused:#?}");
    assert!(refused.stderr.contains("--wait-steady"), "{refused:#?}");
    // A wait that is too short changes nothing either.
    let late = scene.pivotctl(&[&MOVE[..], &["--wait-steady", "1s"]].concat()).exits(1);
    assert!(late.stderr.contains(&named), "{late:#?}");
    let (source_after, target_after) = scene.dumps().await;
    assert_eq!(revisions(&source), revisions(&source_after));
    assert_eq!(revisions(&target), revisions(&target_after));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_host_is_waited_for() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    set_state(&scene, "provisioning").await;
    let (source, target) = scene.dumps().await;
    let mut waiting = scene.begun(&[&MOVE[..], &["--wait-steady", "5m"]].concat());
    let line = waiting.says("waiting: ");
    assert!(line.contains(HOST), "{line}");
    let (source_after, target_after) = scene.dumps().await;
    assert_eq!(revisions(&source), revisions(&source_after), "it only looks while it waits");
    assert_eq!(revisions(&target), revisions(&target_after), "it only looks while it waits");
    set_state(&scene, "provisioned").await;
    let moved = waiting.end().exits(0);
    assert!(moved.last_line().contains("is active and complete"), "{moved:#?}");
}
