//! Whatever an object contains, it is judged and ordered without a panic.

use pivot_core::graph::CreationOrder;
use pivot_core::select::Action;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::world::{World, config, request};

/// Fields that rules and accessors look at, so that random content meets them.
const FIELDS: [&str; 24] = [
    "apiVersion",
    "apiGroup",
    "kind",
    "metadata",
    "name",
    "namespace",
    "uid",
    "labels",
    "annotations",
    "ownerReferences",
    "creationTimestamp",
    "deletionTimestamp",
    "cluster.x-k8s.io/cluster-name",
    "metal3.io/BareMetalHost",
    "clusterctl.cluster.x-k8s.io/move",
    "spec",
    "status",
    "topology",
    "classRef",
    "consumerRef",
    "bmc",
    "credentialsName",
    "clusterName",
    "resources",
];

const TEXTS: [&str; 14] = [
    "",
    "/",
    "a",
    "b",
    "a/b",
    "//",
    "v1",
    "Secret",
    "cluster.x-k8s.io/v1beta2",
    "Cluster",
    "metal3.io/v1alpha1",
    "BareMetalHost",
    "ClusterClass",
    "\u{0}\u{fffd}",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            fields(inner).prop_map(Value::from),
        ]
    })
}

fn fields(of: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((prop::sample::select(&FIELDS[..]), of), 0..5)
        .prop_map(|entries| entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Mostly an object of a known kind with some fields of any type; sometimes anything at all.
fn manifest() -> impl Strategy<Value = Value> {
    let kinds = [
        ("v1", "Secret"),
        ("cluster.x-k8s.io/v1beta2", "Cluster"),
        ("cluster.x-k8s.io/v1beta2", "ClusterClass"),
        ("metal3.io/v1alpha1", "BareMetalHost"),
    ];
    let known = (prop::sample::select(kinds.to_vec()), fields(value()), value(), value()).prop_map(
        |((api_version, kind), metadata, spec, status)| {
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec, "status": status})
        },
    );
    prop_oneof![4 => known, 1 => value()]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_content_is_judged_and_ordered(
        manifests in prop::collection::vec(manifest(), 0..8),
        request in request(),
    ) {
        let world = World::of(manifests);
        let selection = world.select(&request);
        let all = [Action::Move, Action::Copy, Action::Keep, Action::Skip];
        prop_assert_eq!(selection.with(&all).len(), world.inventory.len());
        let staged = selection.staged();
        let order = CreationOrder::new(&world.inventory, &world.graph, &staged);
        prop_assert_eq!(order.sequence().len(), staged.len());
    }
}
