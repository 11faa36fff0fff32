//! The fixture is what it claims to be: real API servers take it whole, the garbage collector leaves it alone, and the real
//! `clusterctl move` moves it.

use std::{collections::BTreeMap, io::Write, process::Stdio, time::Duration};

use pivot_testbed::{
    assets::Program,
    assets_or_skip,
    client::{PlaneClient, Progress, wait_until},
    dump::{Key, dump},
    fixture::{self, Fixture, FixtureOptions, bystanders},
    kind::Gvk,
    plane::{Pair, PlaneOptions},
    unique_name,
};
use serde_json::{Value, json};
use tokio::{process::Command, time::Instant};

/// Waits until the garbage collector has looked at everything created before: it deletes an object of a custom kind whose
/// owner never existed.
async fn await_garbage_collection(client: &PlaneClient, namespace: &str) {
    let canary = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
        "kind": "Metal3MachineTemplate",
        "metadata": {
            "name": "garbage",
            "namespace": namespace,
            "ownerReferences": [{
                "apiVersion": "cluster.x-k8s.io/v1beta2",
                "kind": "Cluster",
                "name": "never-existed",
                "uid": "00000000-0000-4000-8000-000000000000",
            }],
        },
        "spec": {"template": {"spec": {"image": {"url": "http://x", "checksum": "y"}}}},
    });
    client.create(&canary, "test").await.expect("the canary is created");
    wait_until("the garbage collector to take its canary", Duration::from_secs(300), async || {
        let canary = client.get(Gvk::METAL3_MACHINE_TEMPLATE, Some(namespace), "garbage").await?;
        Ok(if canary.is_none() { Progress::Done(()) } else { Progress::Pending(String::new()) })
    })
    .await
    .expect("the garbage collector runs");
}

/// What the API server left out or changed of `expected`, by JSON pointer.
fn lost(expected: &Value, actual: Option<&Value>, path: &str, paths: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Some(Value::Object(actual))) => {
            for (key, value) in expected {
                lost(value, actual.get(key), &format!("{path}/{key}"), paths);
            }
        }
        (Value::Array(expected), Some(Value::Array(actual))) if expected.len() == actual.len() => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                lost(expected, Some(actual), &format!("{path}/{index}"), paths);
            }
        }
        // Kinds whose times may be absent do not store a null.
        (Value::Null, None) => {}
        (expected, Some(actual)) if expected == actual => {}
        _ => paths.push(path.to_owned()),
    }
}

/// Fields that only a cluster knows.
fn is_assigned(path: &str) -> bool {
    let assigned = ["/uid", "/resourceVersion", "/generation", "/creationTimestamp", "/observedGeneration"];
    assigned.iter().any(|end| path.ends_with(end)) || path.ends_with("/credentialsVersion")
}

#[tokio::test]
async fn a_plane_takes_the_fixture_whole() {
    let assets = assets_or_skip!();
    let pair = Pair::shared(&assets).await.unwrap();
    let client = pair.source.client().await.unwrap();
    let namespace = unique_name("whole");
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&namespace).with_cluster_class());
    let loaded = fixture::load(&client, &fixture).await.unwrap();
    assert_eq!(loaded.len(), fixture.objects().len());

    let mut generations = BTreeMap::new();
    for expected in fixture.complete("uid") {
        let key = Key::of(&expected).unwrap();
        let actual = &loaded[&key];
        let mut paths = Vec::new();
        lost(&expected, Some(actual), "", &mut paths);
        paths.retain(|path| !is_assigned(path));
        assert!(paths.is_empty(), "{key}: lost {paths:?}\n{actual:#}");

        let generation = &actual["metadata"]["generation"];
        for observed in [
            &actual["status"]["observedGeneration"],
            &actual["status"]["conditions"][0]["observedGeneration"],
        ] {
            assert!(observed.is_null() || observed == generation, "{key}: {observed} of {generation}");
        }
        generations.insert(key, generation.as_i64());
    }
    assert!(generations.values().any(|generation| *generation > Some(1)), "some spec has a history");

    let host = &loaded[&Key::new(Gvk::BARE_METAL_HOST, &namespace, "test1-node-0")];
    let secret = &loaded[&Key::new(Gvk::SECRET, &namespace, "test1-node-0-bmc-secret")];
    assert_eq!(
        host["status"]["goodCredentials"]["credentialsVersion"], secret["metadata"]["resourceVersion"],
        "the operator knows the credentials it read"
    );
    let mut managers: Vec<_> = host["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["manager"].as_str().unwrap())
        .collect();
    managers.dedup();
    assert!(managers.len() >= 3, "several managers: {managers:?}");
}

#[tokio::test]
async fn every_kind_with_a_status_has_one() {
    let assets = assets_or_skip!();
    let pair = Pair::shared(&assets).await.unwrap();
    let client = pair.source.client().await.unwrap();
    let fixture = Fixture::new(FixtureOptions::small().with_cluster_class());
    for object in fixture.objects() {
        let gvk = Gvk::of(&object.manifest).unwrap();
        let served = client.served(&gvk).await.unwrap();
        // Nothing ever writes the status of this template.
        let expected = served.has_status && gvk != *Gvk::METAL3_REMEDIATION_TEMPLATE;
        assert_eq!(object.status.is_some(), expected, "{}", object.key());
    }
}

#[tokio::test]
async fn the_garbage_collector_takes_nothing() {
    let assets = assets_or_skip!();
    let pair = Pair::shared(&assets).await.unwrap();
    let client = pair.source.client().await.unwrap();
    let namespace = unique_name("gc");
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&namespace)).with(bystanders(&namespace));
    let loaded = fixture::load(&client, &fixture).await.unwrap();
    await_garbage_collection(&client, &namespace).await;

    let after = dump(&client).await.unwrap();
    for (key, before) in &loaded {
        let now = after.get(key).unwrap_or_else(|| panic!("{key} is gone"));
        assert_eq!(before["metadata"]["uid"], now["metadata"]["uid"], "{key}");
        assert_eq!(before["metadata"]["resourceVersion"], now["metadata"]["resourceVersion"], "{key}");
    }
    assert_eq!(after.in_namespace(&namespace).dangling_owners(), []);
}

#[tokio::test]
async fn dumps_see_exactly_what_changed() {
    let assets = assets_or_skip!();
    // A cluster-wide look needs a plane where no other test writes.
    let pair = Pair::dedicated(&assets, &PlaneOptions::default()).await.unwrap();
    let client = pair.source.client().await.unwrap();
    let fixture = Fixture::new(FixtureOptions::small()).with(bystanders("metal3"));
    fixture::load(&client, &fixture).await.unwrap();
    await_garbage_collection(&client, "metal3").await;
    let before = dump(&client).await.unwrap();
    let again = dump(&client).await.unwrap();
    assert_eq!(before.uids_and_resource_versions(), again.uids_and_resource_versions());

    client.delete(Gvk::SECRET, Some("metal3"), "gone-kubeconfig").await.unwrap();
    let patch = json!({"data": {"log-level": "debug"}});
    let merge = pivot_testbed::client::Patch::Merge;
    client.patch(Gvk::CONFIG_MAP, Some("metal3"), "ironic", merge, &patch, "test").await.unwrap();
    let differences = before.diff(&dump(&client).await.unwrap());
    let text: Vec<_> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 2, "{text:?}");
    assert!(text[0].starts_with("changed ConfigMap metal3/ironic: /data/log-level, "), "{text:?}");
    assert_eq!(text[1], "removed Secret metal3/gone-kubeconfig");
}

#[tokio::test]
async fn the_real_clusterctl_moves_the_fixture() {
    let assets = assets_or_skip!();
    let pair = Pair::shared(&assets).await.unwrap();
    let (source, target) = tokio::try_join!(pair.source.client(), pair.target.client()).unwrap();
    let namespace = unique_name("clusterctl");
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&namespace)).with(bystanders(&namespace));
    let loaded = fixture::load(&source, &fixture).await.unwrap();

    let home = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let output = Command::new(assets.program(Program::Clusterctl).unwrap())
        .arg("move")
        .args(["--namespace", &namespace])
        .arg("--kubeconfig")
        .arg(pair.source.kubeconfig())
        .arg("--to-kubeconfig")
        .arg(pair.target.kubeconfig())
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let elapsed = started.elapsed();

    let moved = dump(&target).await.unwrap().in_namespace(&namespace);
    let names: Vec<_> = loaded.keys().filter(|key| moved.get(key).is_some()).collect();
    let line = format!(
        "clusterctl move: {} of {} objects in {elapsed:.1?}\n",
        names.len(),
        Fixture::new(FixtureOptions::small()).objects().len()
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    for gvk in [
        Gvk::CLUSTER,
        Gvk::MACHINE,
        Gvk::METAL3_MACHINE,
        Gvk::BARE_METAL_HOST,
        Gvk::HARDWARE_DATA,
        Gvk::IP_ADDRESS,
    ] {
        let of_kind = |key: &&Key| key.kind == gvk.kind && key.group == gvk.group;
        let expected = loaded.keys().filter(of_kind).count();
        assert!(expected > 0);
        assert_eq!(moved.iter().filter(|(key, _)| of_kind(key)).count(), expected, "{gvk}");
    }
    let cluster = moved.get(&Key::new(Gvk::CLUSTER, &namespace, "test1")).unwrap();
    assert!(cluster["spec"].get("paused").is_none(), "unpaused");
    assert_eq!(moved.dangling_owners(), []);
    // What this tool is there to do better.
    assert!(moved.get(&Key::new(Gvk::SECRET, &namespace, "test1-free-0-user-userdata")).is_none());
    assert!(cluster.get("status").is_none());
    for key in bystanders(&namespace).keys() {
        assert!(moved.get(&key).is_none(), "{key} is a bystander");
    }
}
