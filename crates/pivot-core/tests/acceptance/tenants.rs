//! Soft ownership and tenants.
//!
//! Upstream marks each object with the roots it hangs below. Here the same question is asked of `--filter-cluster`: what goes along
//! with this one Cluster.

use pivot_core::graph::CreationOrder;
use pivot_core::link::LinkRole;
use pivot_core::select::{Action, Reason};

use crate::builders::{Fake, FakeCluster, FakeClusterClass, all, infrastructure_identity, resource_set};
use crate::world::{World, everything, only_cluster};

#[track_caller]
fn assert_link(world: &World, dependent: &str, dependency: &str, role: LinkRole) {
    let (from, to) = (world.id(dependent), world.id(dependency));
    let found = world.graph.dependencies(from).iter().find(|link| link.dependency == to);
    assert_eq!(found.map(|link| link.role), Some(role), "{dependent} and {dependency}");
}

/// A cluster with a soft owned secret
#[test]
fn a_cluster_with_a_soft_owned_secret() {
    let world = World::new(FakeCluster::new("ns1", "foo").objects());
    assert_link(&world, "Secret ns1/foo-ca", "Cluster ns1/foo", LinkRole::Part);
}

/// A ClusterClass with a soft owned Cluster
///
/// Here the Cluster needs its class; it does not belong to it, and a class does not take its Clusters along.
#[test]
fn a_cluster_class_with_a_soft_owned_cluster() {
    let world = World::new(all([
        FakeClusterClass::new("ns1", "class1").objects(),
        FakeCluster::new("ns1", "foo").class("class1").objects(),
    ]));
    assert_link(&world, "Cluster ns1/foo", "ClusterClass ns1/class1", LinkRole::Reference);
}

/// A Cluster with a soft owned ClusterResourceSetBinding
#[test]
fn a_cluster_with_a_soft_owned_cluster_resource_set_binding() {
    let world =
        World::new(all([FakeCluster::new("ns1", "foo").objects(), resource_set("ns1", "crs1", &["foo"])]));
    assert_link(&world, "ClusterResourceSetBinding ns1/foo", "Cluster ns1/foo", LinkRole::Part);
    assert_link(
        &world,
        "ClusterResourceSetBinding ns1/foo",
        "ClusterResourceSet ns1/crs1",
        LinkRole::OwnerReference,
    );
}

fn belongings(cluster: &str) -> Vec<String> {
    let mut names = vec![format!("Cluster ns1/{cluster}"), format!("IC ns1/{cluster}")];
    names.extend(["ca", "kubeconfig"].map(|suffix| format!("Secret ns1/{cluster}-{suffix}")));
    names
}

fn with<'a>(names: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    names.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

/// One cluster
#[test]
fn one_cluster() {
    let world = World::new(FakeCluster::new("ns1", "foo").objects());
    world.assert_verdicts(&only_cluster("foo"), &with(&belongings("foo"), &[]), &[], &[]);
}

/// Object not owned by a cluster should be ignored
#[test]
fn object_not_owned_by_a_cluster_should_be_ignored() {
    let external = Fake::new("GenericExternalObject", "ns1", "external");
    let world = World::new(all([
        FakeCluster::new("ns1", "foo").objects(),
        vec![external, Fake::new("Secret", "ns1", "not-linked")],
    ]));
    let foo = belongings("foo");
    let kept = ["GenericExternalObject ns1/external", "Secret ns1/not-linked"];
    world.assert_verdicts(&only_cluster("foo"), &with(&foo, &[]), &[], &kept);
    world.assert_verdicts(&everything(), &with(&foo, &kept[..1]), &[], &kept[1..]);
}

/// Two clusters
#[test]
fn two_clusters() {
    let world =
        World::new(all([FakeCluster::new("ns1", "foo").objects(), FakeCluster::new("ns1", "bar").objects()]));
    for (moved, kept) in [("foo", "bar"), ("bar", "foo")] {
        world.assert_verdicts(
            &only_cluster(moved),
            &with(&belongings(moved), &[]),
            &[],
            &with(&belongings(kept), &[]),
        );
    }
}

/// Two clusters with a shared object
///
/// Both are tenants of the template: whichever moves alone takes a copy.
#[test]
fn two_clusters_with_a_shared_object() {
    let world = World::new(all([
        FakeCluster::new("ns1", "foo").machine_set_from("foo-ms", "shared", &["foo-m1"]).objects(),
        FakeCluster::new("ns1", "bar").machine_set_from("bar-ms", "shared", &["bar-m1"]).objects(),
    ]));
    let machines = |cluster: &str| {
        let mut names = belongings(cluster);
        names.extend(["BCT", "MachineSet"].map(|kind| format!("{kind} ns1/{cluster}-ms")));
        names.extend(["Machine", "BC", "IM", "Secret"].map(|kind| format!("{kind} ns1/{cluster}-m1")));
        names
    };
    for (moved, kept) in [("foo", "bar"), ("bar", "foo")] {
        world.assert_verdicts(
            &only_cluster(moved),
            &with(&machines(moved), &[]),
            &["IMT ns1/shared"],
            &with(&machines(kept), &[]),
        );
    }
}

/// A ClusterResourceSet applied to a cluster
///
/// Upstream counts only the binding among the Cluster's; here its owner, the resource set, comes along, with what it names.
#[test]
fn a_cluster_resource_set_applied_to_a_cluster() {
    let world =
        World::new(all([FakeCluster::new("ns1", "foo").objects(), resource_set("ns1", "crs1", &["foo"])]));
    let set = [
        "ClusterResourceSetBinding ns1/foo",
        "ClusterResourceSet ns1/crs1",
        "Secret ns1/resource-s1",
        "ConfigMap ns1/resource-c1",
    ];
    world.assert_verdicts(&only_cluster("foo"), &with(&belongings("foo"), &set), &[], &[]);
}

/// A ClusterResourceSet applied to two clusters
#[test]
fn a_cluster_resource_set_applied_to_two_clusters() {
    let world = World::new(all([
        FakeCluster::new("ns1", "foo").objects(),
        FakeCluster::new("ns1", "bar").objects(),
        resource_set("ns1", "crs1", &["foo", "bar"]),
    ]));
    for (moved, kept) in [("foo", "bar"), ("bar", "foo")] {
        world.assert_verdicts(
            &only_cluster(moved),
            &with(&belongings(moved), &[&format!("ClusterResourceSetBinding ns1/{moved}")]),
            &["ClusterResourceSet ns1/crs1", "Secret ns1/resource-s1", "ConfigMap ns1/resource-c1"],
            &with(&belongings(kept), &[&format!("ClusterResourceSetBinding ns1/{kept}")]),
        );
    }
}

/// A ClusterResourceSet applied to a cluster (setCRSTenants)
#[test]
fn crs_tenants_of_a_cluster_resource_set_applied_to_a_cluster() {
    let world = World::new(resource_set("ns1", "crs1", &["foo"]));
    // Without the Cluster, what the resource set owns still moves with it.
    world.assert_verdicts(
        &everything(),
        &[
            "ClusterResourceSet ns1/crs1",
            "Secret ns1/resource-s1",
            "ConfigMap ns1/resource-c1",
            "ClusterResourceSetBinding ns1/foo",
        ],
        &[],
        &[],
    );
}

/// A ClusterResourceSet applied to two clusters (setCRSTenants)
#[test]
fn crs_tenants_of_a_cluster_resource_set_applied_to_two_clusters() {
    let world = World::new(all([
        FakeCluster::new("ns1", "foo").objects(),
        FakeCluster::new("ns1", "bar").objects(),
        resource_set("ns1", "crs1", &["foo", "bar"]),
    ]));
    let set = [
        "ClusterResourceSet ns1/crs1",
        "Secret ns1/resource-s1",
        "ConfigMap ns1/resource-c1",
        "ClusterResourceSetBinding ns1/foo",
        "ClusterResourceSetBinding ns1/bar",
    ];
    let (foo, bar) = (belongings("foo"), belongings("bar"));
    let all = [with(&foo, &set), with(&bar, &[])].concat();
    world.assert_verdicts(&everything(), &all, &[], &[]);
}

/// A global identity for an infrastructure provider owning a Secret with credentials in the provider's namespace
#[test]
fn a_global_identity_for_an_infrastructure_provider_owning_a_secret() {
    let world = World::new(infrastructure_identity("infra1-identity", "infra1-system"));
    let selection = world.select(&everything());
    let secret = selection.verdict(world.id("Secret infra1-system/infra1-identity-credentials"));
    // Other clusters may use the identity: like upstream, it and what hangs below it is never deleted.
    assert_eq!(secret.action, Action::Copy);
    assert!(matches!(secret.reason, Reason::SharedWith(..)), "{}", secret.reason);
    assert_eq!(selection.action(world.id("Identity infra1-identity")), Action::Copy);
}

/// `TestCycleSafeguards`
#[test]
fn cycle_safeguards() {
    let a = Fake::new("A", "ns1", "a").created("2024-05-01T09:00:00Z");
    let b = Fake::new("B", "ns1", "b").owned_by(&a);
    let cluster = FakeCluster::new("ns1", "foo");
    let a = a.owned_by(&b).owned_by(&cluster.cluster);
    let world = World::new(all([vec![b, a], cluster.objects()]));
    world.assert_verdicts(&everything(), &with(&belongings("foo"), &["A ns1/a", "B ns1/b"]), &[], &[]);

    let order = CreationOrder::new(&world.inventory, &world.graph, &world.select(&everything()).staged());
    let (a, b, cluster) = (world.id("A ns1/a"), world.id("B ns1/b"), world.id("Cluster ns1/foo"));
    // clusterctl never gets to objects in a cycle. Here the oldest comes first and gets its owner afterwards.
    assert_eq!(order.deferred_owners.iter().copied().collect::<Vec<_>>(), [(a, b)]);
    assert!(order.needs[&a].contains(&cluster) && order.needs[&b].contains(&a));
}
