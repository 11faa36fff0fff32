//! Real Ironic in both clusters: after a pivot the target's adopts the machines, and the source's is never asked again.

mod site;

use std::fs;

use pivot_testbed::{assets_or_skip, ironic, ironic_or_skip};
use serde_json::Value;

use self::site::{HOSTS, Site, ids};
use crate::operators::bank::{hosts, state};
use crate::operators::timeline::States;
use crate::scene::NAMESPACE;

/// What of a host only somebody changes who does something to its machine.
fn lasting(host: &Value) -> [&Value; 6] {
    let status = &host["status"];
    let history = &status["operationHistory"];
    [
        &status["provisioning"]["state"],
        &status["provisioning"]["image"],
        &status["operationalStatus"],
        &history["inspect"],
        &history["provision"],
        &history["deprovision"],
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_targets_ironic_adopts_what_the_sources_had() {
    let assets = assets_or_skip!();
    ironic_or_skip!(&assets);
    let site = Site::new(&assets).await;
    let (source, target) = (&site.source, &site.target);
    let before = hosts(&source.client).await;
    let states = States::watch([&source.client, &target.client]);

    let pods = source.kubelet.pods();
    let pod = pods.iter().find(|pod| pod.name.starts_with(ironic::DEPLOYMENT)).unwrap();
    assert!(!pod.pids.is_empty());
    let [database] = source.ironic.databases().unwrap().try_into().unwrap();
    assert!(target.ironic.databases().unwrap().is_empty(), "nobody started it yet");
    site.run(&["move", "--yes", "-n", NAMESPACE], &[("--kubeconfig", source), ("--to-kubeconfig", target)]);
    // Its process ended within the pivot: from here on nothing is written to what it knew.
    let known = fs::read(&database).unwrap();

    target.adopts().await;
    let after = hosts(&target.client).await;
    assert_eq!(after.len(), HOSTS.len());
    for (name, host) in &after {
        assert_eq!(lasting(host), lasting(&before[name]), "{name}");
    }
    // Ironic knows them by other names than before, and the one that the operator provisioned as an instance of the host that is here.
    assert!(ids(&after).iter().all(|id| !ids(&before).contains(id)), "{after:?}");
    for node in target.ironic.nodes().await.unwrap() {
        let host = &after[node.name.trim_start_matches(&format!("{NAMESPACE}~"))];
        let uid = host["metadata"]["uid"].as_str().filter(|_| state(host) == "provisioned");
        assert_eq!(node.instance, uid.unwrap_or_default(), "{node:?}");
    }
    site.run(
        &["wait", "--for", "settled", "--timeout", "3m"],
        &[("--kubeconfig", source), ("--to-kubeconfig", target)],
    );
    states.never_changed(&before).await;
    site.nobody_touched_the_power().await;

    assert!(hosts(&source.client).await.is_empty());
    assert!(pod.pids.iter().all(|pid| fs::metadata(format!("/proc/{pid}")).is_err()), "{pod:?}");
    assert!(source.ironic.nodes().await.is_err(), "somebody answers for the source's Ironic");
    assert_eq!(
        source.ironic.databases().unwrap(),
        std::slice::from_ref(&database),
        "the source's Ironic was started again"
    );
    assert!(fs::read(&database).unwrap() == known, "the source's Ironic did something");
}
