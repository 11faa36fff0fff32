//! Ironic as the Ironic Standalone Operator keeps it, handed over between two clusters whose pods are processes: prepared in the target as a user
//! prepares it, by the operator at zero replicas and what `generate ironic --form irso` writes.
//!
//! The operator is a stand-in, because the real one cannot be had. So are the programs in Ironic's pods: what counts is when they run, and where.

mod killed;
pub(crate) mod site;

use pivot_testbed::{assets_or_skip, pods_or_skip};
use serde_json::{Value, json};

use self::site::{IRONIC, SERVICE, Site, prepared, stopped};
use crate::scene::NAMESPACE;

const MOVE: [&str; 4] = ["move", "--yes", "-n", NAMESPACE];
const PLAN: [&str; 3] = ["plan", "-n", NAMESPACE];
const CHECK: [&str; 3] = ["check", "-n", NAMESPACE];

/// In a pod of the stand-in for the operator its program; elsewhere nothing.
#[tokio::test]
async fn standin_irso() {
    pivot_testbed::operators::standin_irso::run_if_asked().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ironic_resource_goes_along_and_back() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let site = Box::pin(Site::new(&assets)).await;
    let (east, west) = (&site.east, &site.west);

    // A target without anything, one without an operator, and one that is prepared.
    let nothing = site.run(&CHECK, east, west).exits(1);
    assert!(nothing.stdout.contains("ironic-target"), "{nothing:#?}");
    site.apply(west).await;
    let alone = site.run(&CHECK, east, west).exits(1);
    assert!(alone.stdout.contains("ironic-target") && alone.stdout.contains("no operator"), "{alone:#?}");
    site.on(west, &["ironic", "status"]).exits(1).is("ironic-operator-missing");
    west.install(0).await;
    let plan = site.run(&PLAN, east, west).exits(0);
    assert!(plan.stdout.contains(&format!("Ironic {IRONIC}/ironic started")), "{plan:#?}");
    assert!(plan.stdout.contains("1 lease carried"), "{plan:#?}");
    let status = site.on(west, &["ironic", "status", "-o", "json"]).exits(0).json();
    let parts: Vec<&Value> = status.as_array().unwrap().iter().map(|one| &one["part"]).collect();
    assert_eq!(parts, ["operator", "resource"]);
    assert_eq!(west.deployment(IRONIC, SERVICE).await, None);
    site.runs_in(east, west, &prepared()).await;

    // It is waited for, as long as is allowed.
    site.hold(true);
    let waits = site.run(&[&MOVE[..], &["--wait=15s"]].concat(), east, west).exits(4);
    assert!(
        waits.stderr.contains(&format!("of Deployment {IRONIC}/{SERVICE} 0 of 1 pods are ready")),
        "{waits:#?}"
    );
    west.has_the_lease().await;
    site.hold(false);
    let moved = site.run(&["resume"], east, west).exits(0);
    assert!(moved.stderr.contains("Ironic of the target:"), "{moved:#?}");
    site.runs_in(west, east, &stopped()).await;
    site.run(&MOVE, west, east).exits(0);
    site.runs_in(east, west, &stopped()).await;

    // What its operator runs as a DaemonSet is not handed over.
    west.change(&json!({"highAvailability": true})).await;
    let daemons = site.run(&CHECK, east, west).exits(1);
    assert!(daemons.stdout.contains("ironic-target") && daemons.stdout.contains("highly"), "{daemons:#?}");
    west.change(&json!({"highAvailability": false})).await;
    // An operator that runs is about to start a second one.
    west.scale_operator(1).await;
    let twice = site.run(&CHECK, east, west).exits(1);
    assert!(twice.stdout.contains("ironic-twice"), "{twice:#?}");
}
