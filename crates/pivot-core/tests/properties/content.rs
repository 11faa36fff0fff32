//! Whatever an object contains, it is judged and ordered without a panic.

use pivot_core::graph::CreationOrder;
use pivot_core::select::Action;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use crate::world::{World, config, request};

/// Objects with everything that rules and accessors look at.
fn well_formed() -> Vec<Value> {
    let metadata = |name: &str| {
        json!({
            "name": name, "namespace": "ns0", "uid": name, "generation": 2, "resourceVersion": "7",
            "creationTimestamp": "2024-05-01T10:00:00Z",
            "labels": {"cluster.x-k8s.io/cluster-name": "o0", "clusterctl.cluster.x-k8s.io/move": ""},
            "annotations": {"metal3.io/BareMetalHost": "ns0/host", "cluster.x-k8s.io/paused": ""},
            "finalizers": ["example.org/finalizer"],
            "ownerReferences": [
                {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "name": "o0", "uid": "o0", "controller": true},
            ],
        })
    };
    vec![
        json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": metadata("o0"), "spec": {
            "infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "Metal3Cluster", "name": "o0"},
            "controlPlaneRef": {"apiVersion": "v1", "kind": "Secret", "namespace": "ns0", "name": "secret"},
            "topology": {"class": "class", "classNamespace": "ns1", "classRef": {"name": "class", "namespace": "ns0"}},
        }}),
        json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "ClusterClass", "metadata": metadata("class"), "spec": {
            "workers": {"machineDeployments": [{"bootstrap": {"templateRef": {"kind": "Secret", "name": "secret"}}}]},
        }}),
        json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "metadata": metadata("host"), "spec": {
            "bmc": {"credentialsName": "secret"},
            "consumerRef": {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "name": "o0", "namespace": "ns0"},
            "userData": {"name": "secret", "namespace": "ns0"},
        }, "status": {"provisioning": {"state": "provisioned"}}}),
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata("secret"), "data": {}}),
    ]
}

const NAMES: [&str; 10] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "uid",
    "labels",
    "spec",
    "cluster.x-k8s.io/cluster-name",
    "0",
];

const TEXTS: [&str; 8] = ["", "/", "a/b", "//", "o0", "v1", "Secret", "\u{0}\u{fffd}"];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let entry = (prop::sample::select(&NAMES[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
            prop::collection::vec(entry, 0..4).prop_map(|entries| {
                Value::Object(
                    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
                )
            }),
        ]
    })
}

/// JSON pointers to everything in a value, itself included.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(entries) => {
            for (n, value) in entries.iter().enumerate() {
                pointers(value, &format!("{at}/{n}"), found);
            }
        }
        _ => {}
    }
}

/// A well-formed object of which some parts, or all, are replaced by anything.
fn manifest() -> impl Strategy<Value = Value> {
    let edits = prop::collection::vec((any::<Index>(), value()), 0..4);
    (prop::sample::select(well_formed()), edits).prop_map(|(mut manifest, edits)| {
        for (at, value) in edits {
            let mut places = Vec::new();
            pointers(&manifest, "", &mut places);
            *manifest.pointer_mut(&places[at.index(places.len())]).unwrap() = value;
        }
        manifest
    })
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
