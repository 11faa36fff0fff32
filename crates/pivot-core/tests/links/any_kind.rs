//! Rules for all kinds, and what holds for every rule: namespaces, scopes and who is found where several could be.

use pivot_core::inventory::Inventory;
use pivot_core::kind::KindCatalog;
use pivot_core::link::{LinkRules, Links};
use pivot_core::object::Manifest;
use serde_json::{Value, json};

use crate::example::{Example, belongs_to, is_owned_by, needs};

const CLUSTER: &str = "Cluster.cluster.x-k8s.io";
const IDENTITY: &str = "Metal3Identity.infrastructure.cluster.x-k8s.io";

fn owner(kind: &str) -> Value {
    json!({"metadata": {"ownerReferences": [{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": kind,
        "name": "target", "uid": "target", "controller": true}]}})
}

pub(crate) fn examples() -> Vec<Example> {
    let label = json!({"metadata": {"labels": {"cluster.x-k8s.io/cluster-name": "target"}}});
    let name = json!({"spec": {"clusterName": "target"}});
    vec![
        is_owned_by("owner-reference", "Secret", "Metal3Data.infrastructure.cluster.x-k8s.io", "target", owner("Metal3Data")),
        is_owned_by("owner-reference", "Secret", IDENTITY, "target", owner("Metal3Identity")).in_namespace(None),
        belongs_to("cluster-name-label", "Secret", CLUSTER, "target", label.clone()),
        belongs_to("cluster-name-label", "BareMetalHost.metal3.io", CLUSTER, "target", label),
        belongs_to("cluster-name", "Machine.cluster.x-k8s.io", CLUSTER, "target", name.clone()),
        belongs_to("cluster-name", "ClusterResourceSetBinding.addons.cluster.x-k8s.io", CLUSTER, "target", name.clone()),
        belongs_to("cluster-name", "Metal3DataTemplate.infrastructure.cluster.x-k8s.io", CLUSTER, "target", name.clone()),
        belongs_to("cluster-name", "IPPool.ipam.metal3.io", CLUSTER, "target", name.clone()),
        belongs_to("cluster-name", "IPAddressClaim.ipam.cluster.x-k8s.io", CLUSTER, "target", name),
        // A class in another namespace, as both contract versions name it.
        needs("cluster-class", CLUSTER, "ClusterClass.cluster.x-k8s.io", "target",
            json!({"spec": {"topology": {"classRef": {"name": "target", "namespace": "classes"}}}})).in_namespace(Some("classes")),
        needs("cluster-class-v1beta1", CLUSTER, "ClusterClass.cluster.x-k8s.io", "target",
            json!({"spec": {"topology": {"class": "target", "classNamespace": "classes"}}})).in_namespace(Some("classes")),
        // A host may be consumed from another namespace.
        belongs_to("host-consumer", "BareMetalHost.metal3.io", "Metal3Machine.infrastructure.cluster.x-k8s.io", "target",
            json!({"spec": {"consumerRef": {"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "Metal3Machine",
                "name": "target", "namespace": "machines"}}})).in_namespace(Some("machines")),
        needs("machine-host", "Metal3Machine.infrastructure.cluster.x-k8s.io", "BareMetalHost.metal3.io", "target",
            json!({"metadata": {"annotations": {"metal3.io/BareMetalHost": "hosts/target"}}})).in_namespace(Some("hosts")),
    ]
}

fn resolve(objects: Vec<Value>) -> Links {
    let mut inventory = Inventory::new("source", KindCatalog::default());
    for object in objects {
        let manifest = Manifest::new(object);
        inventory.add(&manifest.group_kind(), manifest);
    }
    Links::resolve(&LinkRules::builtin(), &inventory)
}

fn cluster() -> Value {
    json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"name": "c", "namespace": "metal3", "uid": "c"}})
}

/// clusterctl's rule: a Secret that something owns is not the Cluster's by its name.
#[test]
fn a_secret_of_the_clusters_name_belongs_to_its_owner_first() {
    let secret = |owners: Value| {
        json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "c-kubeconfig", "namespace": "metal3", "uid": "s", "ownerReferences": owners}})
    };
    let owned = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"}]);
    assert_eq!(resolve(vec![cluster(), secret(json!([]))]).links.len(), 1);
    assert_eq!(resolve(vec![cluster(), secret(owned)]).links.len(), 0);
}

/// An object of the same name is another one if its uid is: the garbage collector goes by uid alone.
#[test]
fn an_owner_is_found_by_uid_alone() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "metal3", "uid": "s",
        "ownerReferences": [{"apiVersion": "cluster.x-k8s.io/v1beta1", "kind": "Cluster", "name": "c", "uid": "earlier"}]}});
    let links = resolve(vec![cluster(), secret]);
    assert!(links.links.is_empty());
    assert!(links.unresolved.iter().any(|unresolved| unresolved.owner.is_some() && unresolved.named));
}

/// The name of a Cluster in another namespace says nothing.
#[test]
fn a_label_names_the_cluster_of_the_same_namespace() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "s", "namespace": "other", "uid": "s", "labels": {"cluster.x-k8s.io/cluster-name": "c"}}});
    assert!(resolve(vec![cluster(), secret]).links.is_empty());
}

/// Kinds of the same name in other groups are other kinds.
#[test]
fn a_reference_names_a_group() {
    let cluster = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster",
        "metadata": {"name": "c", "namespace": "metal3", "uid": "c"},
        "spec": {"infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "Metal3Cluster", "name": "c"}}});
    let other = json!({"apiVersion": "example.org/v1", "kind": "Metal3Cluster",
        "metadata": {"name": "c", "namespace": "metal3", "uid": "m"}});
    assert!(resolve(vec![cluster, other]).links.is_empty());
}

/// A name that is expected by convention is not missed; one that is written down is.
#[test]
fn only_written_names_count_as_missing() {
    let host = json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": {"name": "h", "namespace": "metal3", "uid": "h"}, "spec": {"bmc": {"credentialsName": "secret"}}});
    let links = resolve(vec![host]);
    let named: Vec<_> = links.unresolved.iter().filter(|u| u.named).map(|u| u.to.to_string()).collect();
    assert_eq!(named, ["Secret metal3/secret"]);
    assert!(links.unresolved.iter().any(|unresolved| unresolved.to.kind.kind == "HardwareData"));
}
