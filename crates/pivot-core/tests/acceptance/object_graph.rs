//! `TestObjectGraph_addObj` and `objectGraphsTests`: which owners each object has.
//!
//! In the expectations `<` leads to owners by owner reference and `~` to soft owners; `!` marks what moves by itself and `*` what is
//! cluster-scoped. Upstream's soft owners are all there. pivotctl also takes the label `cluster.x-k8s.io/cluster-name` and
//! `spec.clusterName` for what they say: those objects softly belong to the Cluster too.

use std::fmt::Write as _;

use pivot_core::link::LinkRole;
use pivot_core::select::Reason;

use crate::builders::{Fake, FakeCluster, FakeClusterClass, all, infrastructure_identity, resource_set};
use crate::world::{World, everything};

fn render(world: &World) -> String {
    let selection = world.select(&everything());
    let mut ids: Vec<_> = world.inventory.iter().map(|(id, _)| id).collect();
    ids.sort_by_key(|&id| world.name(id));
    let mut text = String::new();
    for id in ids {
        let mut reason = &selection.verdict(id).reason;
        while let Reason::ClusterScoped(why) | Reason::SharedWith(_, why) = reason {
            reason = why;
        }
        let root = matches!(reason, Reason::RootKind | Reason::ObjectLabel(_) | Reason::KindLabel(_));
        let global = world.inventory.object(id).key.namespace.is_none();
        let marks = format!("{}{}", if root { "!" } else { "" }, if global { "*" } else { "" });
        write!(text, "{marks}{}", world.name(id)).unwrap();
        let mut owners = Vec::new();
        for (mark, hard) in [("<", true), ("~", false)] {
            let links = world.owners(id).filter(|link| (link.role == LinkRole::OwnerReference) == hard);
            let mut names: Vec<_> = links.map(|link| world.name(link.dependency)).collect();
            names.sort();
            names.dedup();
            names.retain(|name| !owners.contains(name));
            if !names.is_empty() {
                write!(text, " {mark} {}", names.join(", ")).unwrap();
            }
            owners.extend(names);
        }
        text.push('\n');
    }
    text
}

#[track_caller]
fn check(objects: Vec<Fake>, expected: &[&str]) {
    let found = render(&World::new(objects));
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "found:\n{found}");
}

fn single(owned: bool) -> Fake {
    let object = Fake::new("A", "ns", "foo");
    if owned { object.owned_by(&Fake::new("B", "ns", "bar")) } else { object }
}

/// Add a single object
#[test]
fn add_a_single_object() {
    check(vec![single(false)], &["A ns/foo"]);
}

/// Add a single object with an owner ref
///
/// Upstream makes a virtual node of the owner; here it is an unresolved name, which PLAN reports.
#[test]
fn add_a_single_object_with_an_owner_ref() {
    let world = World::new([single(true)]);
    assert_eq!(render(&world), "A ns/foo\n");
    let unresolved: Vec<_> = world.links.unresolved.iter().map(|u| (u.to.to_string(), u.named)).collect();
    assert_eq!(unresolved, [("B ns/bar".to_owned(), true)]);
}

/// Add an object with an owner ref and its owner
#[test]
fn add_an_object_with_an_owner_ref_and_its_owner() {
    check(vec![single(true), Fake::new("B", "ns", "bar")], &["A ns/foo < B ns/bar", "B ns/bar"]);
}

/// Add an object with an owner ref and its owner (reverse discovery order)
#[test]
fn add_an_object_with_an_owner_ref_and_its_owner_reverse_discovery_order() {
    check(vec![Fake::new("B", "ns", "bar"), single(true)], &["A ns/foo < B ns/bar", "B ns/bar"]);
}

macro_rules! object_graph_tests {
    ($($test:ident: $name:literal, $objects:expr, $lines:expr;)*) => {
        $(
            #[doc = $name]
            #[test]
            fn $test() {
                check($objects, $lines);
            }
        )*
    };
}

object_graph_tests! {
    cluster: "Cluster",
        FakeCluster::new("ns1", "cluster1").objects(), &[
            "!Cluster ns1/cluster1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
        ];
    cluster_with_cloud_config_secret_with_the_force_move_label: "Cluster with cloud config secret with the force move label",
        FakeCluster::new("ns1", "cluster1").cloud_config_secret().objects(), &[
            "!Cluster ns1/cluster1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "!Secret ns1/cluster1-cloud-config",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
        ];
    two_clusters: "Two clusters",
        all([FakeCluster::new("ns1", "cluster1").objects(), FakeCluster::new("ns1", "cluster2").objects()]), &[
            "!Cluster ns1/cluster1",
            "!Cluster ns1/cluster2",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "IC ns1/cluster2 < Cluster ns1/cluster2",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
            "Secret ns1/cluster2-ca ~ Cluster ns1/cluster2",
            "Secret ns1/cluster2-kubeconfig < Cluster ns1/cluster2",
        ];
    cluster_with_machine: "Cluster with machine",
        FakeCluster::new("ns1", "cluster1").machines(&["m1"]).objects(), &[
            "BC ns1/m1 < Machine ns1/m1 ~ Cluster ns1/cluster1",
            "!Cluster ns1/cluster1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "IM ns1/m1 < Machine ns1/m1 ~ Cluster ns1/cluster1",
            "Machine ns1/m1 < Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
            "Secret ns1/cluster1-sa < BC ns1/m1",
            "Secret ns1/m1 < BC ns1/m1 ~ Cluster ns1/cluster1",
        ];
    cluster_with_machine_set: "Cluster with MachineSet",
        FakeCluster::new("ns1", "cluster1").machine_set("ms1", &["m1"]).objects(), &[
            "BC ns1/m1 < Machine ns1/m1 ~ Cluster ns1/cluster1",
            "BCT ns1/ms1 < Cluster ns1/cluster1",
            "!Cluster ns1/cluster1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "IM ns1/m1 < Machine ns1/m1 ~ Cluster ns1/cluster1",
            "IMT ns1/ms1 < Cluster ns1/cluster1",
            "Machine ns1/m1 < MachineSet ns1/ms1 ~ Cluster ns1/cluster1",
            "MachineSet ns1/ms1 < Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
            "Secret ns1/m1 < BC ns1/m1 ~ Cluster ns1/cluster1",
        ];
    cluster_with_machine_deployment: "Cluster with MachineDeployment",
        FakeCluster::new("ns1", "cluster1").machine_deployment("md1", "ms1", &["m1"]).objects(), &[
            "BC ns1/m1 < Machine ns1/m1 ~ Cluster ns1/cluster1",
            "BCT ns1/md1 < Cluster ns1/cluster1",
            "!Cluster ns1/cluster1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "IM ns1/m1 < Machine ns1/m1 ~ Cluster ns1/cluster1",
            "IMT ns1/md1 < Cluster ns1/cluster1",
            "Machine ns1/m1 < MachineSet ns1/ms1 ~ Cluster ns1/cluster1",
            "MachineDeployment ns1/md1 < Cluster ns1/cluster1",
            "MachineSet ns1/ms1 < MachineDeployment ns1/md1 ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
            "Secret ns1/m1 < BC ns1/m1 ~ Cluster ns1/cluster1",
        ];
    cluster_with_machine_deployment_without_a_bootstrap_config_ref: "Cluster with MachineDeployment without a BootstrapConfigRef",
        FakeCluster::new("ns1", "cluster1").static_machine_deployment("md1", "ms1", &["m1"]).objects(), &[
            "!Cluster ns1/cluster1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "IM ns1/m1 < Machine ns1/m1 ~ Cluster ns1/cluster1",
            "IMT ns1/md1 < Cluster ns1/cluster1",
            "Machine ns1/m1 < MachineSet ns1/ms1 ~ Cluster ns1/cluster1",
            "MachineDeployment ns1/md1 < Cluster ns1/cluster1",
            "MachineSet ns1/ms1 < MachineDeployment ns1/md1 ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
        ];
    cluster_with_control_plane: "Cluster with Control Plane",
        FakeCluster::new("ns1", "cluster1").control_plane("cp1", &["m1"]).objects(), &[
            "BC ns1/m1 < Machine ns1/m1 ~ Cluster ns1/cluster1",
            "CP ns1/cp1 < Cluster ns1/cluster1",
            "!Cluster ns1/cluster1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "IM ns1/m1 < Machine ns1/m1 ~ Cluster ns1/cluster1",
            "IMT ns1/cp1 < Cluster ns1/cluster1",
            "Machine ns1/m1 < CP ns1/cp1 ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < CP ns1/cp1",
            "Secret ns1/cluster1-sa < CP ns1/cp1",
            "Secret ns1/m1 < BC ns1/m1 ~ Cluster ns1/cluster1",
        ];
    cluster_with_machine_pool: "Cluster with MachinePool",
        FakeCluster::new("ns1", "cluster1").machine_pool("mp1").objects(), &[
            "BCT ns1/mp1 < Cluster ns1/cluster1",
            "!Cluster ns1/cluster1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "IMT ns1/mp1 < Cluster ns1/cluster1",
            "MachinePool ns1/mp1 < Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
        ];
    two_clusters_with_shared_objects: "Two clusters with shared objects",
        all([
            FakeCluster::new("ns1", "cluster1").machine_set_from("cluster1-ms1", "shared", &["cluster1-m1"]).objects(),
            FakeCluster::new("ns1", "cluster2").machine_set_from("cluster2-ms1", "shared", &["cluster2-m1"]).objects(),
        ]), &[
            "BC ns1/cluster1-m1 < Machine ns1/cluster1-m1 ~ Cluster ns1/cluster1",
            "BC ns1/cluster2-m1 < Machine ns1/cluster2-m1 ~ Cluster ns1/cluster2",
            "BCT ns1/cluster1-ms1 < Cluster ns1/cluster1",
            "BCT ns1/cluster2-ms1 < Cluster ns1/cluster2",
            "!Cluster ns1/cluster1",
            "!Cluster ns1/cluster2",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "IC ns1/cluster2 < Cluster ns1/cluster2",
            "IM ns1/cluster1-m1 < Machine ns1/cluster1-m1 ~ Cluster ns1/cluster1",
            "IM ns1/cluster2-m1 < Machine ns1/cluster2-m1 ~ Cluster ns1/cluster2",
            "IMT ns1/shared < Cluster ns1/cluster1, Cluster ns1/cluster2",
            "Machine ns1/cluster1-m1 < MachineSet ns1/cluster1-ms1 ~ Cluster ns1/cluster1",
            "Machine ns1/cluster2-m1 < MachineSet ns1/cluster2-ms1 ~ Cluster ns1/cluster2",
            "MachineSet ns1/cluster1-ms1 < Cluster ns1/cluster1",
            "MachineSet ns1/cluster2-ms1 < Cluster ns1/cluster2",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
            "Secret ns1/cluster1-m1 < BC ns1/cluster1-m1 ~ Cluster ns1/cluster1",
            "Secret ns1/cluster2-ca ~ Cluster ns1/cluster2",
            "Secret ns1/cluster2-kubeconfig < Cluster ns1/cluster2",
            "Secret ns1/cluster2-m1 < BC ns1/cluster2-m1 ~ Cluster ns1/cluster2",
        ];
    a_cluster_resource_set_applied_to_a_cluster: "A ClusterResourceSet applied to a cluster",
        all([FakeCluster::new("ns1", "cluster1").objects(), resource_set("ns1", "crs1", &["cluster1"])]), &[
            "!Cluster ns1/cluster1",
            "!ClusterResourceSet ns1/crs1",
            "ClusterResourceSetBinding ns1/cluster1 < ClusterResourceSet ns1/crs1 ~ Cluster ns1/cluster1",
            "ConfigMap ns1/resource-c1 < ClusterResourceSet ns1/crs1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
            "Secret ns1/resource-s1 < ClusterResourceSet ns1/crs1",
        ];
    a_cluster_resource_set_applied_to_two_clusters: "A ClusterResourceSet applied to two clusters",
        all([
            FakeCluster::new("ns1", "cluster1").objects(),
            FakeCluster::new("ns1", "cluster2").objects(),
            resource_set("ns1", "crs1", &["cluster1", "cluster2"]),
        ]), &[
            "!Cluster ns1/cluster1",
            "!Cluster ns1/cluster2",
            "!ClusterResourceSet ns1/crs1",
            "ClusterResourceSetBinding ns1/cluster1 < ClusterResourceSet ns1/crs1 ~ Cluster ns1/cluster1",
            "ClusterResourceSetBinding ns1/cluster2 < ClusterResourceSet ns1/crs1 ~ Cluster ns1/cluster2",
            "ConfigMap ns1/resource-c1 < ClusterResourceSet ns1/crs1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "IC ns1/cluster2 < Cluster ns1/cluster2",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
            "Secret ns1/cluster2-ca ~ Cluster ns1/cluster2",
            "Secret ns1/cluster2-kubeconfig < Cluster ns1/cluster2",
            "Secret ns1/resource-s1 < ClusterResourceSet ns1/crs1",
        ];
    namespaced_external_objects_with_force_move_label: "Namespaced External Objects with force move label",
        vec![Fake::new("GenericExternalObject", "ns1", "external1")], &[
            "!GenericExternalObject ns1/external1",
        ];
    global_external_objects_with_force_move_label: "Global External Objects with force move label",
        vec![Fake::new("GenericClusterExternalObject", "", "external1")], &[
            "!*GenericClusterExternalObject external1",
        ];
    secrets_from_providers_namespace: "Secrets from provider's namespace",
        vec![Fake::new("Secret", "infra1-system", "credentials")], &[
            "Secret infra1-system/credentials",
        ];
    cluster_owning_a_secret_with_infrastructure_credentials: "Cluster owning a secret with infrastructure credentials",
        FakeCluster::new("ns1", "cluster1").credential_secret().objects(), &[
            "!Cluster ns1/cluster1",
            "IC ns1/cluster1 < Cluster ns1/cluster1",
            "Secret ns1/cluster1-ca ~ Cluster ns1/cluster1",
            "Secret ns1/cluster1-credentials < Cluster ns1/cluster1",
            "Secret ns1/cluster1-kubeconfig < Cluster ns1/cluster1",
        ];
    a_global_identity_for_an_infrastructure_provider_owning_a_secret:
        "A global identity for an infrastructure provider owning a Secret with credentials in the provider's namespace",
        infrastructure_identity("infra1-identity", "infra1-system"), &[
            "!*Identity infra1-identity",
            "Secret infra1-system/infra1-identity-credentials < Identity infra1-identity",
        ];
    cluster_class: "ClusterClass",
        FakeClusterClass::new("ns1", "class1").objects(), &[
            "CPT ns1/class1 < ClusterClass ns1/class1",
            "!ClusterClass ns1/class1",
            "ICT ns1/class1 < ClusterClass ns1/class1",
        ];
    cluster_class_with_control_plane_infrastructure_template: "ClusterClass with control plane infrastructure template",
        FakeClusterClass::new("ns1", "class1").control_plane_machines("machines").objects(), &[
            "CPT ns1/class1 < ClusterClass ns1/class1",
            "!ClusterClass ns1/class1",
            "ICT ns1/class1 < ClusterClass ns1/class1",
            "IMT ns1/machines < ClusterClass ns1/class1",
        ];
    cluster_class_with_worker_machine_deployment_class: "ClusterClass with worker machine deployment class",
        FakeClusterClass::new("ns1", "class1").worker("md1", "worker", "bootstrap").objects(), &[
            "BCT ns1/bootstrap < ClusterClass ns1/class1",
            "CPT ns1/class1 < ClusterClass ns1/class1",
            "!ClusterClass ns1/class1",
            "ICT ns1/class1 < ClusterClass ns1/class1",
            "IMT ns1/worker < ClusterClass ns1/class1",
        ];
    cluster_class_with_2_worker_machine_deployment_classes_with_shared_templates:
        "ClusterClass with 2 worker machine deployment classes with shared templates",
        FakeClusterClass::new("ns1", "class1")
            .worker("md1", "worker", "bootstrap")
            .worker("md2", "worker", "bootstrap")
            .objects(), &[
            "BCT ns1/bootstrap < ClusterClass ns1/class1",
            "CPT ns1/class1 < ClusterClass ns1/class1",
            "!ClusterClass ns1/class1",
            "ICT ns1/class1 < ClusterClass ns1/class1",
            "IMT ns1/worker < ClusterClass ns1/class1",
        ];
    two_cluster_classes: "Two ClusterClasses",
        all([FakeClusterClass::new("ns1", "class1").objects(), FakeClusterClass::new("ns1", "class2").objects()]), &[
            "CPT ns1/class1 < ClusterClass ns1/class1",
            "CPT ns1/class2 < ClusterClass ns1/class2",
            "!ClusterClass ns1/class1",
            "!ClusterClass ns1/class2",
            "ICT ns1/class1 < ClusterClass ns1/class1",
            "ICT ns1/class2 < ClusterClass ns1/class2",
        ];
    two_cluster_classes_with_shared_templates: "Two ClusterClasses with shared templates",
        all([
            FakeClusterClass::with_templates("ns1", "class1", "shared").objects(),
            FakeClusterClass::with_templates("ns1", "class2", "shared").objects(),
        ]), &[
            "CPT ns1/shared < ClusterClass ns1/class1, ClusterClass ns1/class2",
            "!ClusterClass ns1/class1",
            "!ClusterClass ns1/class2",
            "ICT ns1/shared < ClusterClass ns1/class1, ClusterClass ns1/class2",
        ];
}
