//! `TestObjectGraph_DiscoveryByNamespace`: what a namespace takes along, and what it must leave in the source.
//!
//! Upstream reads only the selected namespace; pivotctl sees all and says of each object what happens to it. What upstream
//! marks as not to be deleted is copied here.

use pivot_core::select::Request;

use crate::builders::{Fake, FakeCluster, FakeClusterClass, all, infrastructure_identity, resource_set};
use crate::world::{World, everything};

fn in_two_namespaces() -> World {
    World::new(all([
        FakeCluster::new("ns1", "cluster1").objects(),
        FakeCluster::new("ns2", "cluster1").objects(),
    ]))
}

const NS1: [&str; 4] =
    ["Cluster ns1/cluster1", "IC ns1/cluster1", "Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig"];
const NS2: [&str; 4] =
    ["Cluster ns2/cluster1", "IC ns2/cluster1", "Secret ns2/cluster1-ca", "Secret ns2/cluster1-kubeconfig"];

/// two clusters, in different namespaces, read both
#[test]
fn two_clusters_in_different_namespaces_read_both() {
    in_two_namespaces().assert_verdicts(&everything(), &[NS1, NS2].concat(), &[], &[]);
}

/// two clusters, in different namespaces, read only 1
#[test]
fn two_clusters_in_different_namespaces_read_only_1() {
    in_two_namespaces().assert_verdicts(&Request::namespace("ns1"), &NS1, &[], &NS2);
}

/// two independent clusters, in different namespaces referencing the same clusterclass in moved namespace
#[test]
fn two_clusters_referencing_the_same_class_in_the_moved_namespace() {
    let world = World::new(all([
        FakeClusterClass::new("ns1", "class1").objects(),
        FakeCluster::new("ns1", "cluster1").class("class1").objects(),
        FakeCluster::new("ns2", "cluster1").class_in("ns1", "class1").objects(),
    ]));
    world.assert_verdicts(
        &Request::namespace("ns1"),
        &NS1,
        &["ClusterClass ns1/class1", "ICT ns1/class1", "CPT ns1/class1"],
        &NS2,
    );
}

/// two independent clusters, in different namespaces referencing own classes in separate namespaces should not overlap
#[test]
fn two_clusters_referencing_own_classes_in_separate_namespaces_do_not_overlap() {
    let world = World::new(all([
        FakeClusterClass::new("classes1", "class1").objects(),
        FakeClusterClass::new("classes2", "class1").objects(),
        FakeCluster::new("ns1", "cluster1").class_in("classes1", "class1").objects(),
        FakeCluster::new("ns2", "cluster1").class_in("classes2", "class1").objects(),
    ]));
    world.assert_verdicts(
        &Request::namespace("ns1"),
        &NS1,
        &["ClusterClass classes1/class1", "ICT classes1/class1", "CPT classes1/class1"],
        &[&NS2[..], &["ClusterClass classes2/class1", "ICT classes2/class1", "CPT classes2/class1"]].concat(),
    );
}

/// two clusters, in different namespaces referencing same class, read only 1
#[test]
fn two_clusters_referencing_the_same_class_read_only_1() {
    let world = World::new(all([
        FakeClusterClass::new("ns1", "class1").objects(),
        FakeCluster::new("ns1", "cluster1").class("class1").objects(),
        FakeCluster::new("ns2", "cluster1").class_in("ns1", "class1").objects(),
    ]));
    world.assert_verdicts(
        &Request::namespace("ns2"),
        &NS2,
        &["ClusterClass ns1/class1", "ICT ns1/class1", "CPT ns1/class1"],
        &NS1,
    );
}

/// two clusters, in different namespaces referencing class from other namespace, read only 1
#[test]
fn two_clusters_referencing_a_class_from_another_namespace_read_only_1() {
    let world = World::new(all([
        FakeClusterClass::new("classes", "class1")
            .control_plane_machines("machines")
            .worker("md", "worker", "worker")
            .objects(),
        FakeCluster::new("ns1", "cluster1").class_in("classes", "class1").objects(),
        FakeCluster::new("ns2", "cluster1").class_in("classes", "class1").objects(),
    ]));
    world.assert_verdicts(
        &Request::namespace("ns1"),
        &NS1,
        &[
            "ClusterClass classes/class1",
            "ICT classes/class1",
            "CPT classes/class1",
            "IMT classes/machines",
            "IMT classes/worker",
            "BCT classes/worker",
        ],
        &NS2,
    );
}

/// Namespaced External Objects with force move label
#[test]
fn namespaced_external_objects_with_force_move_label() {
    let world = World::new([
        Fake::new("GenericExternalObject", "ns1", "external1"),
        Fake::new("GenericExternalObject", "ns2", "external1"),
    ]);
    world.assert_verdicts(
        &Request::namespace("ns1"),
        &["GenericExternalObject ns1/external1"],
        &[],
        &["GenericExternalObject ns2/external1"],
    );
}

/// Secrets from provider's namespace (e.g. credentials) should always be read
///
/// To be read is not to move: a Secret of the provider that nothing links stays.
#[test]
fn secrets_from_providers_namespace_should_always_be_read() {
    let world = World::new(all([
        vec![Fake::new("Secret", "infra1-system", "credentials")],
        infrastructure_identity("infra1-identity", "infra1-system"),
    ]));
    world.assert_verdicts(
        &Request::namespace("ns1"),
        &[],
        &["Identity infra1-identity", "Secret infra1-system/infra1-identity-credentials"],
        &["Secret infra1-system/credentials"],
    );
}

/// A resource set serves the clusters of its own namespace only.
#[test]
fn a_resource_set_of_another_namespace_stays() {
    let world = World::new(all([
        FakeCluster::new("ns1", "cluster1").objects(),
        FakeCluster::new("ns2", "cluster1").objects(),
        resource_set("ns2", "crs1", &["cluster1"]),
    ]));
    let set = [
        "ClusterResourceSet ns2/crs1",
        "Secret ns2/resource-s1",
        "ConfigMap ns2/resource-c1",
        "ClusterResourceSetBinding ns2/cluster1",
    ];
    world.assert_verdicts(&Request::namespace("ns1"), &NS1, &[], &[&NS2[..], &set].concat());
}
