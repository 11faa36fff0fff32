//! `moveTests`: what moves, and in which order.
//!
//! Upstream states groups, each created after the one before. pivotctl has no groups: each object is created as soon as what it
//! needs exists. So what is checked is that every object needs all its owners, and that counting groups from owners gives
//! upstream's.

use std::collections::{BTreeMap, BTreeSet};

use pivot_core::graph::CreationOrder;
use pivot_core::inventory::ObjectId;

use crate::builders::{Fake, FakeCluster, FakeClusterClass, all, infrastructure_identity, resource_set};
use crate::whole_move;
use crate::world::{World, everything};

#[track_caller]
fn check(objects: Vec<Fake>, expected: &[&[&str]]) {
    let world = World::new(objects);
    let staged = world.select(&everything()).staged();
    let order = CreationOrder::new(&world.inventory, &world.graph, &staged);
    let sequence = order.sequence();
    let position: BTreeMap<ObjectId, usize> = sequence.iter().enumerate().map(|(n, &id)| (id, n)).collect();
    assert_eq!(sequence.len(), staged.len());

    let mut level: BTreeMap<ObjectId, usize> = BTreeMap::new();
    for &id in &sequence {
        let owners: BTreeSet<ObjectId> = world.owners(id).map(|link| link.dependency).collect();
        for owner in &owners {
            let (object, name) = (world.name(id), world.name(*owner));
            assert!(order.needs[&id].contains(owner), "{object} does not wait for {name}");
            assert!(position[owner] < position[&id], "{object} comes before {name}");
        }
        level.insert(id, owners.iter().map(|owner| level[owner] + 1).max().unwrap_or(0));
    }

    let groups = level.values().max().map_or(0, |last| last + 1);
    let mut found = vec![BTreeSet::new(); groups];
    for (id, group) in level {
        found[group].insert(world.name(id));
    }
    let expected: Vec<BTreeSet<String>> =
        expected.iter().map(|group| group.iter().map(|&name| name.to_owned()).collect()).collect();
    assert_eq!(found, expected);
    whole_move::check(&world);
}

macro_rules! move_tests {
    ($($test:ident: $name:literal, $objects:expr, $levels:expr;)*) => {
        $(
            #[doc = $name]
            #[test]
            fn $test() {
                check($objects, $levels);
            }
        )*
    };
}

move_tests! {
    cluster_with_cluster_class: "Cluster with ClusterClass",
        all([FakeClusterClass::new("ns1", "class1").objects(), FakeCluster::new("ns1", "cluster1").class("class1").objects()]),
        CLUSTER_WITH_CLASS;
    cluster: "Cluster",
        FakeCluster::new("ns1", "cluster1").objects(),
        PLAIN_CLUSTER;
    // The refusal itself is a check on what is selected here.
    paused_cluster: "Paused Cluster",
        FakeCluster::new("ns1", "cluster1").paused().objects(),
        PLAIN_CLUSTER;
    paused_cluster_class: "Paused ClusterClass",
        FakeClusterClass::new("ns1", "class1").paused().objects(),
        &[&["ClusterClass ns1/class1"], &["ICT ns1/class1", "CPT ns1/class1"]];
    cluster_with_cloud_config_secret_with_the_force_move_label: "Cluster with cloud config secret with the force move label",
        FakeCluster::new("ns1", "cluster1").cloud_config_secret().objects(),
        &[
            &["Cluster ns1/cluster1", "Secret ns1/cluster1-cloud-config"],
            &["Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig", "IC ns1/cluster1"],
        ];
    cluster_with_machine: "Cluster with machine",
        FakeCluster::new("ns1", "cluster1").machines(&["m1", "m2"]).objects(),
        &[
            &["Cluster ns1/cluster1"],
            &[
                "Secret ns1/cluster1-kubeconfig", "Secret ns1/cluster1-ca", "Machine ns1/m1", "Machine ns1/m2",
                "IC ns1/cluster1",
            ],
            &["BC ns1/m1", "BC ns1/m2", "IM ns1/m1", "IM ns1/m2"],
            &["Secret ns1/cluster1-sa", "Secret ns1/m1", "Secret ns1/m2"],
        ];
    cluster_with_machine_set: "Cluster with MachineSet",
        FakeCluster::new("ns1", "cluster1").machine_set("ms1", &["m1", "m2"]).objects(),
        &[
            &["Cluster ns1/cluster1"],
            &[
                "Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig", "BCT ns1/ms1", "MachineSet ns1/ms1",
                "IC ns1/cluster1", "IMT ns1/ms1",
            ],
            &["Machine ns1/m1", "Machine ns1/m2"],
            &["BC ns1/m1", "BC ns1/m2", "IM ns1/m1", "IM ns1/m2"],
            &["Secret ns1/m1", "Secret ns1/m2"],
        ];
    cluster_with_machine_deployment: "Cluster with MachineDeployment",
        FakeCluster::new("ns1", "cluster1").machine_deployment("md1", "ms1", &["m1", "m2"]).objects(),
        &[
            &["Cluster ns1/cluster1"],
            &[
                "Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig", "BCT ns1/md1", "MachineDeployment ns1/md1",
                "IC ns1/cluster1", "IMT ns1/md1",
            ],
            &["MachineSet ns1/ms1"],
            &["Machine ns1/m1", "Machine ns1/m2"],
            &["BC ns1/m1", "BC ns1/m2", "IM ns1/m1", "IM ns1/m2"],
            &["Secret ns1/m1", "Secret ns1/m2"],
        ];
    cluster_with_machine_deployment_with_a_static_bootstrap_config: "Cluster with MachineDeployment with a static bootstrap config",
        FakeCluster::new("ns1", "cluster1").static_machine_deployment("md1", "ms1", &["m1", "m2"]).objects(),
        &[
            &["Cluster ns1/cluster1"],
            &[
                "Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig", "MachineDeployment ns1/md1", "IC ns1/cluster1",
                "IMT ns1/md1",
            ],
            &["MachineSet ns1/ms1"],
            &["Machine ns1/m1", "Machine ns1/m2"],
            &["IM ns1/m1", "IM ns1/m2"],
        ];
    cluster_with_control_plane: "Cluster with Control Plane",
        FakeCluster::new("ns1", "cluster1").control_plane("cp1", &["m1", "m2"]).objects(),
        &[
            &["Cluster ns1/cluster1"],
            &["Secret ns1/cluster1-ca", "CP ns1/cp1", "IC ns1/cluster1", "IMT ns1/cp1"],
            &["Secret ns1/cluster1-kubeconfig", "Secret ns1/cluster1-sa", "Machine ns1/m1", "Machine ns1/m2"],
            &["BC ns1/m1", "BC ns1/m2", "IM ns1/m1", "IM ns1/m2"],
            &["Secret ns1/m1", "Secret ns1/m2"],
        ];
    cluster_with_machine_pool: "Cluster with MachinePool",
        FakeCluster::new("ns1", "cluster1").machine_pool("mp1").objects(),
        &[
            &["Cluster ns1/cluster1"],
            &[
                "Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig", "BCT ns1/mp1", "MachinePool ns1/mp1",
                "IC ns1/cluster1", "IMT ns1/mp1",
            ],
        ];
    two_clusters: "Two clusters",
        all([FakeCluster::new("ns1", "foo").objects(), FakeCluster::new("ns1", "bar").objects()]),
        &[
            &["Cluster ns1/foo", "Cluster ns1/bar"],
            &[
                "Secret ns1/foo-ca", "Secret ns1/foo-kubeconfig", "IC ns1/foo", "Secret ns1/bar-ca",
                "Secret ns1/bar-kubeconfig", "IC ns1/bar",
            ],
        ];
    two_clusters_with_a_shared_object: "Two clusters with a shared object",
        all([
            FakeCluster::new("ns1", "cluster1").machine_set_from("cluster1-ms1", "shared", &["cluster1-m1"]).objects(),
            FakeCluster::new("ns1", "cluster2").machine_set_from("cluster2-ms1", "shared", &["cluster2-m1"]).objects(),
        ]),
        &[
            &["Cluster ns1/cluster1", "Cluster ns1/cluster2"],
            &[
                "Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig", "BCT ns1/cluster1-ms1",
                "MachineSet ns1/cluster1-ms1", "IC ns1/cluster1", "Secret ns1/cluster2-ca",
                "Secret ns1/cluster2-kubeconfig", "BCT ns1/cluster2-ms1", "MachineSet ns1/cluster2-ms1",
                "IC ns1/cluster2", "IMT ns1/shared",
            ],
            &["Machine ns1/cluster1-m1", "Machine ns1/cluster2-m1"],
            &["BC ns1/cluster1-m1", "BC ns1/cluster2-m1", "IM ns1/cluster1-m1", "IM ns1/cluster2-m1"],
            &["Secret ns1/cluster1-m1", "Secret ns1/cluster2-m1"],
        ];
    a_cluster_resource_set_applied_to_a_cluster: "A ClusterResourceSet applied to a cluster",
        all([FakeCluster::new("ns1", "cluster1").objects(), resource_set("ns1", "crs1", &["cluster1"])]),
        &[
            &["Cluster ns1/cluster1", "ClusterResourceSet ns1/crs1"],
            &[
                "Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig", "IC ns1/cluster1", "Secret ns1/resource-s1",
                "ConfigMap ns1/resource-c1", "ClusterResourceSetBinding ns1/cluster1",
            ],
        ];
    // The name occurs twice upstream; here the Cluster is listed before its class.
    cluster_with_cluster_class_listed_later: "Cluster with ClusterClass",
        all([FakeCluster::new("ns1", "cluster1").class("class1").objects(), FakeClusterClass::new("ns1", "class1").objects()]),
        CLUSTER_WITH_CLASS;
    two_clusters_with_two_cluster_classes: "Two Clusters with two ClusterClasses",
        all([
            FakeClusterClass::new("ns1", "class1").objects(),
            FakeCluster::new("ns1", "cluster1").class("class1").objects(),
            FakeClusterClass::new("ns1", "class2").objects(),
            FakeCluster::new("ns1", "cluster2").class("class2").objects(),
        ]),
        &[
            &["ClusterClass ns1/class1", "ClusterClass ns1/class2"],
            &[
                "ICT ns1/class1", "ICT ns1/class2", "CPT ns1/class1", "CPT ns1/class2", "Cluster ns1/cluster1",
                "Cluster ns1/cluster2",
            ],
            TWO_CLUSTERS_BELONGINGS,
        ];
    two_clusters_sharing_one_cluster_class: "Two Clusters sharing one ClusterClass",
        all([
            FakeClusterClass::new("ns1", "class1").objects(),
            FakeCluster::new("ns1", "cluster1").class("class1").objects(),
            FakeCluster::new("ns1", "cluster2").class("class1").objects(),
        ]),
        &[
            &["ClusterClass ns1/class1"],
            &["ICT ns1/class1", "CPT ns1/class1", "Cluster ns1/cluster1", "Cluster ns1/cluster2"],
            TWO_CLUSTERS_BELONGINGS,
        ];
    cluster_with_unused_cluster_class: "Cluster with unused ClusterClass",
        all([FakeClusterClass::new("ns1", "class1").objects(), FakeCluster::new("ns1", "cluster1").objects()]),
        &[
            &["ClusterClass ns1/class1", "Cluster ns1/cluster1"],
            &[
                "ICT ns1/class1", "CPT ns1/class1", "Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig",
                "IC ns1/cluster1",
            ],
        ];
    namespaced_external_objects_with_force_move_label: "Namespaced External Objects with force move label",
        vec![Fake::new("GenericExternalObject", "ns1", "external1")],
        &[&["GenericExternalObject ns1/external1"]];
    global_external_objects_with_force_move_label: "Global External Objects with force move label",
        vec![Fake::new("GenericClusterExternalObject", "", "external1")],
        &[&["GenericClusterExternalObject external1"]];
    cluster_owning_a_secret_with_infrastructure_credentials: "Cluster owning a secret with infrastructure credentials",
        FakeCluster::new("ns1", "cluster1").credential_secret().objects(),
        &[
            &["Cluster ns1/cluster1"],
            &[
                "Secret ns1/cluster1-ca", "Secret ns1/cluster1-credentials", "Secret ns1/cluster1-kubeconfig",
                "IC ns1/cluster1",
            ],
        ];
    a_global_identity_for_an_infrastructure_provider_owning_a_secret:
        "A global identity for an infrastructure provider owning a Secret with credentials in the provider's namespace",
        infrastructure_identity("infra1-identity", "infra1-system"),
        &[&["Identity infra1-identity"], &["Secret infra1-system/infra1-identity-credentials"]];
}

const PLAIN_CLUSTER: &[&[&str]] = &[
    &["Cluster ns1/cluster1"],
    &["Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig", "IC ns1/cluster1"],
];

const CLUSTER_WITH_CLASS: &[&[&str]] = &[
    &["ClusterClass ns1/class1"],
    &["ICT ns1/class1", "CPT ns1/class1", "Cluster ns1/cluster1"],
    &["Secret ns1/cluster1-ca", "Secret ns1/cluster1-kubeconfig", "IC ns1/cluster1"],
];

const TWO_CLUSTERS_BELONGINGS: &[&str] = &[
    "Secret ns1/cluster1-ca",
    "Secret ns1/cluster1-kubeconfig",
    "IC ns1/cluster1",
    "Secret ns1/cluster2-ca",
    "Secret ns1/cluster2-kubeconfig",
    "IC ns1/cluster2",
];
