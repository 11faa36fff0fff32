//! `TestObjectGraph_getDiscoveryTypeMetaList`: what the labels of a CRD mean for its objects. That discovery itself finds the
//! CRDs, Secrets and ConfigMaps is tested where the requests are made.

use pivot_core::kind::{GroupKind, MOVE_HIERARCHY_LABEL, MOVE_LABEL};
use pivot_core::link::LinkRules;
use pivot_core::select::{Action, Reason};

use crate::builders::Fake;
use crate::world::{World, everything};

/// Return CRDs + ConfigMap & Secrets
///
/// To take part is not to move: without a link or a label an object stays.
#[test]
fn return_crds_config_map_and_secrets() {
    let world = World::new([
        Fake::new("Bar", "ns1", "bar"),
        Fake::new("Secret", "ns1", "secret"),
        Fake::new("ConfigMap", "ns1", "config"),
    ]);
    world.assert_verdicts(
        &everything(),
        &[],
        &[],
        &["Bar ns1/bar", "Secret ns1/secret", "ConfigMap ns1/config"],
    );
}

/// Enforce force move for Cluster and ClusterResourceSet
#[test]
fn enforce_force_move_for_cluster_and_cluster_resource_set() {
    let rules = LinkRules::builtin();
    for (group, kind) in [
        ("cluster.x-k8s.io", "Cluster"),
        ("cluster.x-k8s.io", "ClusterClass"),
        ("addons.cluster.x-k8s.io", "ClusterResourceSet"),
        // Beyond clusterctl: a host that nobody claimed moves too.
        ("metal3.io", "BareMetalHost"),
    ] {
        assert!(rules.is_root(&GroupKind::new(group, kind)), "{kind}");
    }
    assert!(!rules.is_root(&GroupKind::new("cluster.x-k8s.io", "Machine")));
}

/// Identified Cluster scoped types
#[test]
fn identified_cluster_scoped_types() {
    let world = World::new([Fake::new("Identity", "", "identity")]);
    let verdict = world.select(&everything()).verdict(world.id("Identity identity")).clone();
    assert_eq!(verdict.action, Action::Copy);
    assert!(matches!(verdict.reason, Reason::ClusterScoped(_)), "{}", verdict.reason);
}

/// Identified force move label
#[test]
fn identified_force_move_label() {
    let world = World::new([Fake::new("GenericExternalObject", "ns1", "external")]);
    let verdict = world.select(&everything()).verdict(world.id("GenericExternalObject ns1/external")).clone();
    assert_eq!((verdict.action, verdict.reason), (Action::Move, Reason::KindLabel(MOVE_LABEL)));
}

/// Identified force move hierarchy label
#[test]
fn identified_force_move_hierarchy_label() {
    let tree = Fake::new("Tree", "ns1", "tree");
    let leaf = Fake::new("Leaf", "ns1", "leaf").owned_by(&tree);
    let world = World::new([leaf, tree]);
    let selection = world.select(&everything());
    let verdict = selection.verdict(world.id("Tree ns1/tree")).clone();
    assert_eq!((verdict.action, verdict.reason), (Action::Move, Reason::KindLabel(MOVE_HIERARCHY_LABEL)));
    assert_eq!(selection.action(world.id("Leaf ns1/leaf")), Action::Move);
}
