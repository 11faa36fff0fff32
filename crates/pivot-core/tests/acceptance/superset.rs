//! What pivotctl does on purpose where clusterctl loses objects, or takes too many.

use pivot_core::graph::CreationOrder;
use pivot_core::object::Manifest;
use pivot_core::select::{Action, NeverMoved, Reason, Request};
use serde_json::json;

use crate::builders::{Fake, FakeCluster, FakeClusterClass, all};
use crate::world::{World, everything, only_cluster};

#[track_caller]
fn action(world: &World, request: &Request, name: &str) -> Action {
    world.select(request).action(world.id(name))
}

/// clusterctl leaves a Secret that is only named in a spec.
#[test]
fn a_static_bootstrap_secret_moves() {
    let cluster = FakeCluster::new("ns1", "foo").static_machine_deployment("md1", "ms1", &["m1"]);
    let world =
        World::new(all([cluster.objects(), ["md1", "m1"].map(|s| Fake::new("Secret", "ns1", s)).to_vec()]));
    for secret in ["Secret ns1/md1", "Secret ns1/m1"] {
        assert_eq!(action(&world, &everything(), secret), Action::Move, "{secret}");
    }
}

/// clusterctl never gets to an object with an owner that does not move, nor to what hangs below it.
#[test]
fn an_owner_outside_the_cluster_moves_with_what_it_owns() {
    let owner = Fake::new("Outside", "ns1", "owner");
    let cluster = FakeCluster::new("ns1", "foo");
    let shared = Fake::new("Middle", "ns1", "middle").owned_by(&owner).owned_by(&cluster.cluster);
    let below = Fake::new("Below", "ns1", "below").owned_by(&shared);
    let sibling = Fake::new("Below", "ns1", "sibling").owned_by(&owner);
    let world = World::new(all([cluster.objects(), vec![below, shared, sibling, owner]]));
    for name in ["Outside ns1/owner", "Middle ns1/middle", "Below ns1/below", "Below ns1/sibling"] {
        assert_eq!(action(&world, &everything(), name), Action::Move, "{name}");
    }
    let staged = world.select(&everything()).staged();
    let order = CreationOrder::new(&world.inventory, &world.graph, &staged);
    assert!(order.needs[&world.id("Middle ns1/middle")].contains(&world.id("Outside ns1/owner")));
}

/// The label alone makes an object belong to a Cluster.
#[test]
fn an_object_labelled_with_the_cluster_name_moves_with_it() {
    let world = World::new(all([
        FakeCluster::new("ns1", "foo").objects(),
        FakeCluster::new("ns1", "bar").objects(),
        vec![Fake::new("Secret", "ns1", "addon").label("cluster.x-k8s.io/cluster-name", "foo")],
    ]));
    assert_eq!(action(&world, &only_cluster("foo"), "Secret ns1/addon"), Action::Move);
    assert_eq!(action(&world, &only_cluster("bar"), "Secret ns1/addon"), Action::Keep);
}

/// What a labelled object owns goes with it, though the label asks for the object alone: left behind it would be
/// garbage-collected.
#[test]
fn what_a_force_moved_object_owns_moves() {
    let external = Fake::new("GenericExternalObject", "ns1", "external");
    let owned = Fake::new("Secret", "ns1", "owned").owned_by(&external);
    let world = World::new([owned, external]);
    assert_eq!(action(&world, &everything(), "Secret ns1/owned"), Action::Move);
}

/// A class names templates that it does not own.
#[test]
fn a_template_named_only_in_a_class_moves() {
    let mut objects = FakeClusterClass::new("ns1", "class1").objects();
    for template in &mut objects {
        *template = template.clone().without_owners();
    }
    let world = World::new(objects);
    world.assert_verdicts(
        &everything(),
        &["ClusterClass ns1/class1", "ICT ns1/class1", "CPT ns1/class1"],
        &[],
        &[],
    );
}

/// A template that carries the name of a Cluster belongs to it; its class comes first nevertheless.
#[test]
fn a_labelled_template_does_not_turn_the_order_of_class_and_cluster() {
    let mut objects = FakeClusterClass::new("ns1", "class1").objects();
    for template in &mut objects[..2] {
        *template = template.clone().label("cluster.x-k8s.io/cluster-name", "foo");
    }
    let world = World::new(all([objects, FakeCluster::new("ns1", "foo").class("class1").objects()]));
    let staged = world.select(&everything()).staged();
    let order = CreationOrder::new(&world.inventory, &world.graph, &staged);
    assert!(order.needs[&world.id("Cluster ns1/foo")].contains(&world.id("ClusterClass ns1/class1")));
}

/// A control plane can be created after the template it names, although its Cluster names the control plane.
#[test]
fn a_control_plane_waits_for_its_machine_template() {
    let template = json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "Metal3MachineTemplate",
        "metadata": {"name": "t", "namespace": "ns1", "uid": "t", "labels": {"cluster.x-k8s.io/cluster-name": "foo"}}});
    let control_plane = json!({"apiVersion": "controlplane.cluster.x-k8s.io/v1beta2", "kind": "KubeadmControlPlane",
        "metadata": {"name": "cp", "namespace": "ns1", "uid": "cp", "labels": {"cluster.x-k8s.io/cluster-name": "foo"}},
        "spec": {"machineTemplate": {"spec": {"infrastructureRef":
            {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "Metal3MachineTemplate", "name": "t"}}}}});
    let cluster = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster",
        "metadata": {"name": "foo", "namespace": "ns1", "uid": "foo"},
        "spec": {"controlPlaneRef":
            {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KubeadmControlPlane", "name": "cp"}}});
    let world = World::new([cluster, control_plane, template].map(Fake::raw));
    let staged = world.select(&everything()).staged();
    let order = CreationOrder::new(&world.inventory, &world.graph, &staged);
    let sequence: Vec<_> = order.sequence().into_iter().map(|id| world.name(id)).collect();
    assert_eq!(sequence, ["Cluster ns1/foo", "Metal3MachineTemplate ns1/t", "KubeadmControlPlane ns1/cp"]);
}

/// `--filter-cluster` takes no pool from the Cluster it belongs to, nor that Cluster along. PLAN refuses.
#[test]
fn what_belongs_to_a_cluster_that_stays_is_not_taken() {
    let pool = json!({"apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool",
        "metadata": {"name": "pool", "namespace": "ns1", "uid": "pool", "ownerReferences": [
            {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "name": "bar", "uid": "uid-Cluster-ns1-bar"}]},
        "spec": {"clusterName": "bar"}});
    let template = json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "Metal3DataTemplate",
        "metadata": {"name": "data", "namespace": "ns1", "uid": "data"},
        "spec": {"clusterName": "foo", "metaData": {"ipAddressesFromIPPool": [{"key": "ip", "name": "pool"}]}}});
    let world = World::new(all([
        FakeCluster::new("ns1", "foo").objects(),
        FakeCluster::new("ns1", "bar").objects(),
        [pool, template].map(Fake::raw).to_vec(),
    ]));
    let request = only_cluster("foo");
    assert_eq!(action(&world, &request, "Metal3DataTemplate ns1/data"), Action::Move);
    let selection = world.select(&request);
    for name in ["IPPool ns1/pool", "Cluster ns1/bar", "IC ns1/bar"] {
        assert_eq!(selection.verdict(world.id(name)).reason, Reason::OtherCluster, "{name}");
    }
}

/// The owner is copied, and yet the pool goes: something that moves needs it, and it cannot be in two places.
#[test]
fn what_a_copied_owner_has_moves_where_it_is_needed() {
    let identity = Fake::new("Identity", "", "identity");
    let reference = json!([{"key": "ip", "name": "pool"}]);
    let pool = json!({"apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool",
        "metadata": {"name": "pool", "namespace": "ns1", "uid": "pool"}});
    let template = json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "Metal3DataTemplate",
        "metadata": {"name": "data", "namespace": "ns1", "uid": "data"},
        "spec": {"clusterName": "foo", "metaData": {"ipAddressesFromIPPool": reference}}});
    let world = World::new(all([
        FakeCluster::new("ns1", "foo").objects(),
        vec![Fake::raw(pool).owned_by(&identity), Fake::raw(template), identity],
    ]));
    assert_eq!(action(&world, &everything(), "Identity identity"), Action::Copy);
    assert_eq!(action(&world, &everything(), "IPPool ns1/pool"), Action::Move);
}

/// Objects of a cluster about itself stay, whatever links them.
#[test]
fn records_of_the_cluster_itself_are_skipped() {
    let cluster = FakeCluster::new("ns1", "foo");
    let secret = |name: &str, kind: &str| {
        Fake::new("Secret", "ns1", name).owned_by(&cluster.cluster).set("type", json!(kind))
    };
    let objects = vec![
        secret("token", "kubernetes.io/service-account-token"),
        secret("bootstrap-token-abc", "bootstrap.kubernetes.io/token"),
        secret("sh.helm.release.v1.x", "helm.sh/release.v1"),
        Fake::new("ConfigMap", "ns1", "kube-root-ca.crt"),
    ];
    let world = World::new(all([objects, cluster.objects()]));
    let selection = world.select(&everything());
    for (name, never) in [
        ("Secret ns1/token", NeverMoved::ServiceAccountToken),
        ("Secret ns1/bootstrap-token-abc", NeverMoved::BootstrapToken),
        ("Secret ns1/sh.helm.release.v1.x", NeverMoved::HelmRelease),
        ("ConfigMap ns1/kube-root-ca.crt", NeverMoved::RootCa),
    ] {
        let verdict = selection.verdict(world.id(name));
        assert_eq!((verdict.action, &verdict.reason), (Action::Skip, &Reason::Never(never)), "{name}");
    }
}

/// An owner reference without a uid names no one, not the object that happens to have none either.
#[test]
fn an_empty_uid_links_nothing() {
    let nameless = Manifest::new(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "ns1"}}),
    );
    let child = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b", "namespace": "ns1", "uid": "b",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Secret", "name": "a", "uid": ""}]}});
    let objects = [nameless.into_value(), child].map(Fake::raw);
    let world = World::new(objects);
    assert!(world.links.links.is_empty());
    assert_eq!(world.links.unresolved.len(), 1);
}
