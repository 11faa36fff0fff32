use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::fence::controllers;
use crate::kind::{KindCatalog, KindInfo, PROVIDER_LABEL, Scope};
use crate::object::Manifest;

const CLUSTER: (&str, &str) = ("cluster.x-k8s.io/v1beta2", "Cluster");
const MACHINE: (&str, &str) = ("cluster.x-k8s.io/v1beta2", "Machine");
const CLASS: (&str, &str) = ("cluster.x-k8s.io/v1beta2", "ClusterClass");
const DEPLOYMENT: (&str, &str) = ("cluster.x-k8s.io/v1beta2", "MachineDeployment");
const HOST: (&str, &str) = ("metal3.io/v1alpha1", "BareMetalHost");
const SECRET: (&str, &str) = ("v1", "Secret");

fn catalog() -> KindCatalog {
    let info = |(api_version, kind): (&str, &str)| {
        let kind = GroupKind::from_api_version(api_version, kind);
        let provider = (kind.group == "cluster.x-k8s.io").then(|| "cluster-api".to_owned());
        KindInfo {
            plural: String::new(),
            scope: Scope::Namespaced,
            storage_version: String::new(),
            served: BTreeSet::new(),
            status_subresource: BTreeSet::new(),
            labels: provider.map(|provider| (PROVIDER_LABEL.to_owned(), provider)).into_iter().collect(),
            schemas: BTreeMap::new(),
            kind,
        }
    };
    [CLUSTER, MACHINE, CLASS, DEPLOYMENT, HOST, SECRET].map(info).into_iter().collect()
}

/// An object that pivot p1 brought and completed.
fn arrived((api_version, kind): (&str, &str), name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "n", "uid": name,
        "annotations": {marks::PIVOT_ID: "p1", marks::PIVOTED_READY: "p1"}}});
    merge(&mut object, rest);
    object
}

fn merge(into: &mut Value, from: Value) {
    match from {
        Value::Object(fields) if into.is_object() => {
            for (key, value) in fields {
                merge(&mut into[key], value);
            }
        }
        from => *into = from,
    }
}

fn inventory(objects: &[Value]) -> Inventory {
    let mut inventory = Inventory::new("id", catalog());
    for object in objects {
        let manifest = Manifest::new(object.clone());
        inventory.add(&manifest.group_kind(), manifest);
    }
    inventory
}

fn deployment(name: &str, provider: &str, replicas: i64, ready: i64) -> Manifest {
    Manifest::new(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "c", "labels": {PROVIDER_LABEL: provider}},
        "spec": {"replicas": replicas}, "status": {"readyReplicas": ready}}))
}

fn lease(holder: &str) -> Manifest {
    Manifest::new(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "election", "namespace": "c"}, "spec": {"holderIdentity": holder}}))
}

fn everybody() -> Vec<Controller> {
    controllers(
        &[
            deployment("capi", "cluster-api", 1, 1),
            deployment("baremetal-operator", "baremetal-operator", 1, 1),
        ],
        &[],
    )
}

fn told(found: &Settlement) -> Vec<String> {
    found.unsettled.iter().map(|u| format!("{:?} {u}", u.aspect)).collect()
}

/// With controllers of everything that run.
fn found(objects: &[Value]) -> Vec<String> {
    let (there, controllers) = (inventory(objects), everybody());
    let actors = Actors { target: Some(&controllers), ..Actors::default() };
    told(&judge(&Scene { there: &there, pivot: None, actors: Some(actors) }))
}

fn in_state(state: &str) -> Value {
    json!({"metadata": {"annotations": {marks::ARRIVED_AS: "provisioned"}}, "status": {"provisioning": {"state": state}}})
}

#[test]
fn what_is_complete_opened_and_seen_has_settled() {
    let seen = json!({"metadata": {"generation": 2, "labels": {"cluster.x-k8s.io/cluster-name": "c"}},
        "status": {"observedGeneration": 2, "conditions": [{"type": "Paused", "status": "False"}]}});
    let objects = [
        arrived(CLUSTER, "c", seen.clone()),
        arrived(MACHINE, "m", seen),
        arrived(HOST, "h", in_state("provisioned")),
        arrived(SECRET, "s", json!({})),
    ];
    assert_eq!(found(&objects), [""; 0]);
    assert_eq!(found(&[]), [""; 0], "to whom nothing was brought has nothing to settle");
}

#[test]
fn what_no_pivot_brought_is_nobodys_concern() {
    let mut foreign =
        arrived(HOST, "h", json!({"metadata": {"deletionTimestamp": "t"}, "status": {"errorType": "x"}}));
    foreign["metadata"]["annotations"] = json!({marks::ARRIVED_AS: "provisioned"});
    assert_eq!(found(&[foreign]), [""; 0]);
    let mut older = arrived(HOST, "h", in_state("deprovisioning"));
    older["metadata"]["annotations"][marks::PIVOT_ID] = "p0".into();
    let there = inventory(&[older]);
    let of = |pivot| {
        let scene = Scene { there: &there, pivot, actors: Some(Actors::default()) };
        (judge(&scene).objects, judge(&scene).unsettled.len())
    };
    assert_eq!((of(Some("p1")), of(Some("p0")), of(None)), ((0, 0), (1, 2), (1, 2)));
}

#[test]
fn what_is_incomplete_or_leaving_is_told() {
    let mut staged = arrived(SECRET, "s", json!({}));
    staged["metadata"]["annotations"][marks::PIVOTED_READY] = "p0".into();
    let leaving = arrived(MACHINE, "m", json!({"metadata": {"deletionTimestamp": "2026-11-21T10:15:00Z"}}));
    assert_eq!(
        found(&[staged, leaving]),
        ["Complete Secret n/s: pivot p1 has not completed it", "Complete Machine n/m: is being deleted"]
    );
}

#[test]
fn a_pause_is_the_pivots_until_the_target_acts() {
    let paused = |value: &str| json!({"metadata": {"annotations": {"baremetalhost.metal3.io/paused": value}}, "spec": {"paused": true}});
    let class = json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}});
    let objects = [
        arrived(HOST, "ours", paused("pivot.metal3.io/p1")),
        arrived(HOST, "theirs", paused("pivot.metal3.io/p0")),
        arrived(CLUSTER, "c", paused("")),
        arrived(CLASS, "class", class),
    ];
    let ours = "Opened BareMetalHost n/ours: is still paused by pivot p1";
    assert_eq!(found(&objects), [ours], "whoever left a Cluster paused has it paused");
    let before = told(&judge(&Scene { there: &inventory(&objects), pivot: None, actors: None }));
    let expected = [
        "Opened Cluster n/c: is still paused by pivot p1",
        "Opened ClusterClass n/class: is still paused by pivot p1",
        ours,
    ];
    assert_eq!(before, expected);
}

#[test]
fn while_the_target_does_not_act_nothing_is_expected_of_it() {
    let there = inventory(&[arrived(HOST, "h", in_state("deprovisioning"))]);
    assert_eq!(
        judge(&Scene { there: &there, pivot: None, actors: None }),
        Settlement { objects: 1, ..Settlement::default() }
    );
}

#[test]
fn a_host_that_left_its_state_is_told() {
    let of = |before: Value, state: Value, claimed: bool| {
        let consumer = if claimed { json!({"name": "m"}) } else { Value::Null };
        found(&[arrived(
            HOST,
            "h",
            json!({"metadata": {"annotations": {marks::ARRIVED_AS: before}},
            "spec": {"consumerRef": consumer}, "status": {"provisioning": {"state": state}}}),
        )])
    };
    let left = |before: &str, now: &str| {
        [format!("Arrived BareMetalHost n/h: was `{before}` when it moved, and is {now}")]
    };
    let text = |text: &str| Value::from(text);
    assert_eq!(
        of(text("provisioned"), text("deprovisioning"), true),
        left("provisioned", "`deprovisioning`")
    );
    assert_eq!(of(text("available"), text("inspecting"), false), left("available", "`inspecting`"));
    assert_eq!(of(text("provisioned"), Value::Null, true), left("provisioned", "in no state"));
    assert_eq!(of(text("provisioned"), json!(7), true), left("provisioned", "in no state"));
    assert_eq!(of(text("ready"), text("available"), false), [""; 0], "it is only called otherwise");
    assert_eq!(of(Value::Null, text("registering"), false), [""; 0], "nobody had seen it");
    // A free host is there to be claimed; whatever else becomes of it is worth a look.
    assert_eq!(of(text("available"), text("provisioning"), true), [""; 0]);
    assert_eq!(of(text("available"), text("provisioning"), false), left("available", "`provisioning`"));
    assert_eq!(of(text("available"), text("deprovisioning"), true), left("available", "`deprovisioning`"));
    let error = json!({"status": {"errorType": "power management error"}});
    assert_eq!(
        found(&[arrived(HOST, "h", error)]),
        ["Arrived BareMetalHost n/h: is in error: power management error"]
    );
}

#[test]
fn an_object_that_says_it_is_paused_and_is_not_was_not_looked_at() {
    let says = |annotations: Value, place: &str| {
        let condition = json!([{"type": "Paused", "status": "True"}]);
        let status = if place.is_empty() {
            json!({"conditions": condition})
        } else {
            json!({place: {"conditions": condition}})
        };
        json!({"metadata": {"annotations": annotations, "labels": {"cluster.x-k8s.io/cluster-name": "c"}}, "status": status})
    };
    let not_seen = "still says that it is paused: its controller has not looked at it";
    let cluster = |paused: bool| arrived(CLUSTER, "c", json!({"spec": {"paused": paused}}));
    for place in ["", "v1beta2"] {
        let machine = arrived(MACHINE, "m", says(json!({}), place));
        assert_eq!(found(&[cluster(false), machine.clone()]), [format!("TakenUp Machine n/m: {not_seen}")]);
        assert_eq!(found(&[cluster(true), machine]), [""; 0], "its Cluster is");
    }
    let own = arrived(MACHINE, "m", says(json!({"cluster.x-k8s.io/paused": "true"}), ""));
    assert_eq!(found(&[cluster(false), own]), [""; 0], "it is by itself");
    let mut owned = arrived(MACHINE, "m", says(json!({}), ""));
    owned["metadata"]["labels"] = json!({});
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "cluster.x-k8s.io/v1beta1", "kind": "Cluster", "name": "c", "uid": "c"}]);
    assert_eq!(found(&[cluster(true), owned.clone()]), [""; 0], "an owner counts where no label is");
    assert_eq!(found(&[owned]).len(), 1, "a Cluster that is not there pauses nothing");
    let mut itself = arrived(CLUSTER, "c", says(json!({}), ""));
    itself["spec"] = json!({"paused": true});
    assert_eq!(found(&[itself]), [""; 0]);
}

#[test]
fn what_its_controller_has_not_seen_tells_of_no_rollout() {
    let behind = json!({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": {"observedGeneration": 1, "replicas": 2}});
    let machines = arrived(DEPLOYMENT, "d", behind);
    let not_seen = "TakenUp MachineDeployment n/d: its controller has not seen its newest spec yet";
    assert_eq!(found(std::slice::from_ref(&machines)), [not_seen]);
    let mut seen = machines;
    seen["status"]["observedGeneration"] = 2.into();
    assert_eq!(found(&[seen]), ["Steady MachineDeployment n/d: has 2 Machines and wants 3"]);
}

#[test]
fn a_host_is_taken_up_with_the_credentials_of_this_cluster() {
    let mut secret = arrived(SECRET, "bmc", json!({}));
    secret["metadata"]["resourceVersion"] = "77".into();
    let host = |rest: Value| {
        let mut host = arrived(
            HOST,
            "h",
            json!({"spec": {"bmc": {"address": "redfish://a", "credentialsName": "bmc"}},
            "status": {"goodCredentials": {"credentialsVersion": "5"}, "provisioning": {"state": "provisioned"}}}),
        );
        merge(&mut host, rest);
        found(&[secret.clone(), host])
    };
    let not_reached = ["TakenUp BareMetalHost n/h: the operator of the target has not reached its BMC yet"];
    assert_eq!(host(json!({})), not_reached);
    assert_eq!(host(json!({"status": {"goodCredentials": null}})), not_reached);
    for (why, rest) in [
        ("it has", json!({"status": {"goodCredentials": {"credentialsVersion": "77"}}})),
        ("nobody manages it", json!({"status": {"provisioning": {"state": "unmanaged"}}})),
        ("it has no BMC", json!({"spec": {"bmc": null}})),
        ("it is detached", json!({"status": {"operationalStatus": "detached"}})),
        (
            "it is to be detached",
            json!({"metadata": {"annotations": {"baremetalhost.metal3.io/detached": ""}}}),
        ),
        (
            "somebody paused it",
            json!({"metadata": {"annotations": {"baremetalhost.metal3.io/paused": "me"}}}),
        ),
        ("the Secret cannot be seen", json!({"spec": {"bmc": {"credentialsName": "other"}}})),
    ] {
        assert_eq!(host(rest), [""; 0], "{why}");
    }
}

#[test]
fn the_targets_controllers_run_and_lead() {
    let there = inventory(&[arrived(
        CLUSTER,
        "c",
        json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}}),
    )]);
    let with = |replicas, ready, holder: &str| {
        let found = controllers(&[deployment("capi", "cluster-api", replicas, ready)], &[lease(holder)]);
        let actors = Actors { target: Some(&found), ..Actors::default() };
        told(&judge(&Scene { there: &there, pivot: None, actors: Some(actors) }))
    };
    // Only of those that run it can be said what they have not done.
    assert_eq!(with(0, 0, "capi-1-2_3"), ["Acting Deployment c/capi: is scaled to zero in the target"]);
    assert_eq!(with(1, 0, "capi-1-2_3"), ["Acting Deployment c/capi: has no ready pod in the target"]);
    let unseen = "TakenUp Cluster n/c: its controller has not seen its newest spec yet";
    assert_eq!(with(1, 1, "capi-1-2_3"), [unseen]);
    let nobody = "Acting Deployment c/capi: nobody leads in the target by its Lease election";
    assert_eq!(with(1, 1, ""), [nobody, unseen]);
    let captured = "Acting Deployment c/capi: pivot p1 still holds its Lease election in the target";
    assert_eq!(with(1, 1, "pivotctl/p1"), [captured, unseen]);
}

#[test]
fn what_nobody_is_found_for_is_not_judged_and_said() {
    let unseen = json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}});
    let there = inventory(&[
        arrived(CLUSTER, "c", unseen.clone()),
        arrived(HOST, "h", unseen),
        arrived(SECRET, "s", json!({})),
    ]);
    let judged = |target: Option<&[Controller]>| {
        let found = judge(&Scene {
            there: &there,
            pivot: None,
            actors: Some(Actors { target, ..Actors::default() }),
        });
        assert_eq!(told(&found), [""; 0]);
        found.unjudged
    };
    let nobody = "no Deployment of baremetal-operator, cluster-api was found in the target: whether anybody has taken up their objects is not judged";
    assert_eq!(judged(Some(&[])), [nobody]);
    let elsewhere = controllers(&[deployment("other", "bootstrap-kubeadm", 0, 0)], &[]);
    assert_eq!(judged(Some(&elsewhere)), [nobody], "whoever acts on nothing that moved is not asked");
    // Whoever could not look says so by himself.
    assert_eq!(judged(None), [""; 0]);
}

#[test]
fn what_still_acts_in_the_source_or_fences_the_target_is_told() {
    let there = inventory(&[arrived(CLUSTER, "c", json!({}))]);
    let source = controllers(&[deployment("capi", "cluster-api", 1, 1)], &[]);
    let source: Vec<_> = source.iter().collect();
    let actors = Actors { source: &source, fence: Some("p1"), ..Actors::default() };
    assert_eq!(
        told(&judge(&Scene { there: &there, pivot: None, actors: Some(actors) })),
        [
            "Acting ValidatingAdmissionPolicy pivotctl-p1: the fence of pivot p1 still stands in the target",
            "Acting Deployment c/capi: still runs in the source"
        ]
    );
}

#[test]
fn whoever_runs_in_the_source_and_may_lead_is_suspected() {
    let (cluster, secret) = (GroupKind::new("cluster.x-k8s.io", "Cluster"), GroupKind::new("", "Secret"));
    let class = GroupKind::new("cluster.x-k8s.io", "ClusterClass");
    let is_suspected = |replicas, holder: Option<&str>, moved: &[&GroupKind], dismissed: bool| {
        let leases: Vec<_> = holder.map(lease).into_iter().collect();
        let found = controllers(&[deployment("capi", "cluster-api", replicas, 0)], &leases);
        let dismissed = found.iter().map(|c| &c.deployment).filter(|_| dismissed).collect();
        !suspects(&catalog(), &found, &moved.iter().copied().collect(), &dismissed).is_empty()
    };
    assert!(is_suspected(1, None, &[&cluster], false));
    assert!(is_suspected(1, Some("capi-1-2_3"), &[&cluster], false));
    assert!(is_suspected(1, Some(""), &[&cluster], false), "nobody keeps it from leading");
    assert!(!is_suspected(1, Some("pivotctl/p1"), &[&cluster], false), "its fence stands");
    assert!(!is_suspected(1, None, &[&cluster], true), "its fence stands, as the record says");
    assert!(!is_suspected(0, None, &[&cluster], false));
    assert!(!is_suspected(1, None, &[&secret, &class], false), "of these both sides may have one");
}
