//! Random inventories: owners in all shapes, cycles included, references, labels, namespaces, cluster-scoped kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use pivot_core::graph::Graph;
use pivot_core::inventory::{Inventory, ObjectId};
use pivot_core::kind::{GroupKind, KindCatalog, KindInfo, MOVE_HIERARCHY_LABEL, MOVE_LABEL, Scope};
use pivot_core::link::{LinkRules, Links};
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::select::{Action, Request, Selection};
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};

/// Kinds of each sort that the rules tell apart: roots, kinds that can be copied and kinds that cannot, both scopes.
const KINDS: [(&str, &str, Scope); 12] = [
    ("cluster.x-k8s.io/v1beta2", "Cluster", Scope::Namespaced),
    ("cluster.x-k8s.io/v1beta2", "Cluster", Scope::Namespaced),
    ("cluster.x-k8s.io/v1beta2", "ClusterClass", Scope::Namespaced),
    ("cluster.x-k8s.io/v1beta2", "Machine", Scope::Namespaced),
    ("addons.cluster.x-k8s.io/v1beta2", "ClusterResourceSet", Scope::Namespaced),
    ("addons.cluster.x-k8s.io/v1beta2", "ClusterResourceSetBinding", Scope::Namespaced),
    ("infrastructure.cluster.x-k8s.io/v1beta2", "Metal3MachineTemplate", Scope::Namespaced),
    ("metal3.io/v1alpha1", "BareMetalHost", Scope::Namespaced),
    ("ipam.metal3.io/v1alpha1", "IPPool", Scope::Namespaced),
    ("v1", "Secret", Scope::Namespaced),
    ("example.org/v1", "Thing", Scope::Namespaced),
    ("example.org/v1", "Global", Scope::Cluster),
];

/// Objects of one inventory, at most.
const MOST: usize = 14;

/// Links between any two kinds, beside the built-in ones.
const RULES: &str = r#"
apiVersion: pivot.metal3.io/v1alpha1
kind: LinkRules
rules:
- {name: test-needs, from: ["*"], path: "spec.testNeeds[*]", shape: ref, as: reference}
- {name: test-part-of, from: ["*"], path: "spec.testPartOf[*]", shape: ref, as: owner}
- {name: test-has, from: ["*"], path: "spec.testHas[*]", shape: ref, as: owns}
"#;

static LINK_RULES: LazyLock<LinkRules> =
    LazyLock::new(|| LinkRules::builtin().extended(LinkRules::parse(RULES).unwrap()));

/// More cases than proptest's default, which are cheap here; `PROPTEST_CASES` asks for more still.
pub(crate) fn config() -> Config {
    Config { cases: Config::default().cases.max(1024), failure_persistence: None, ..Config::default() }
}

/// One object; others are named by any number, taken modulo their count.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    kind: usize,
    namespace: u8,
    owners: Vec<usize>,
    needs: Vec<usize>,
    part_of: Vec<usize>,
    has: Vec<usize>,
    cluster_label: Option<usize>,
    move_label: Option<bool>,
    age: u8,
    is_token: bool,
}

fn item() -> impl Strategy<Value = Item> {
    let others = |most: usize| prop::collection::vec(any::<usize>(), 0..=most);
    (
        0..KINDS.len(),
        0u8..3,
        (others(2), others(2), others(1), others(1)),
        prop::option::weighted(0.3, any::<usize>()),
        prop::option::weighted(0.1, any::<bool>()),
        0u8..3,
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(kind, namespace, (owners, needs, part_of, has), cluster_label, move_label, age, is_token)| {
                Item {
                    kind,
                    namespace,
                    owners,
                    needs,
                    part_of,
                    has,
                    cluster_label,
                    move_label,
                    age,
                    is_token,
                }
            },
        )
}

/// Objects, and an order in which to list them.
pub(crate) fn items() -> impl Strategy<Value = (Vec<Item>, Vec<usize>)> {
    prop::collection::vec(item(), 1..=MOST).prop_flat_map(|items| {
        let order: Vec<usize> = (0..items.len()).collect();
        (Just(items), Just(order).prop_shuffle())
    })
}

/// Everything, some namespaces, or some Clusters.
pub(crate) fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        namespaces().prop_map(|namespaces| Request { namespaces, ..Request::default() }),
        partial_request()
    ]
}

/// Some Clusters (`--filter-cluster`).
pub(crate) fn partial_request() -> impl Strategy<Value = Request> {
    let clusters = prop::collection::btree_set((0usize..MOST).prop_map(name), 1..8);
    (namespaces(), clusters).prop_map(|(namespaces, clusters)| Request { namespaces, clusters })
}

fn namespaces() -> impl Strategy<Value = Option<BTreeSet<String>>> {
    prop::option::of(prop::collection::btree_set((0u8..3).prop_map(namespace), 1..3))
}

fn namespace(n: u8) -> String {
    format!("ns{n}")
}

/// An inventory with its links.
pub(crate) struct World {
    pub(crate) inventory: Inventory,
    pub(crate) graph: Graph,
}

impl World {
    pub(crate) fn new(items: &[Item], listed: &[usize]) -> Self {
        Self::of(listed.iter().map(|&n| manifest(items, n)))
    }

    pub(crate) fn of(manifests: impl IntoIterator<Item = Value>) -> Self {
        let mut inventory = Inventory::new("source", kinds());
        for value in manifests {
            let manifest = Manifest::new(value);
            inventory.add(&manifest.group_kind(), manifest);
        }
        let graph = Graph::new(inventory.len(), &Links::resolve(&LINK_RULES, &inventory));
        Self { inventory, graph }
    }

    pub(crate) fn select(&self, request: &Request) -> Selection {
        Selection::new(&self.inventory, &LINK_RULES, &self.graph, request)
    }

    /// Only these objects, unchanged.
    pub(crate) fn restricted(&self, ids: &BTreeSet<ObjectId>) -> Self {
        Self::of(ids.iter().map(|&id| self.inventory.object(id).manifest.value().clone()))
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ObjectId> {
        self.inventory.iter().map(|(id, _)| id)
    }

    pub(crate) fn key(&self, id: ObjectId) -> &ObjectKey {
        &self.inventory.object(id).key
    }

    /// Verdicts in words, by key.
    pub(crate) fn verdicts(&self, request: &Request) -> BTreeMap<ObjectKey, (Action, String)> {
        let selection = self.select(request);
        let verdict = |id| {
            let verdict = selection.verdict(id);
            (verdict.action, verdict.reason.to_string())
        };
        self.ids().map(|id| (self.key(id).clone(), verdict(id))).collect()
    }
}

fn kinds() -> KindCatalog {
    let info = |&(api_version, kind, scope): &(&str, &str, Scope)| KindInfo {
        kind: GroupKind::from_api_version(api_version, kind),
        plural: format!("{}s", kind.to_lowercase()),
        scope,
        storage_version: "v1".to_owned(),
        served: BTreeSet::new(),
        status_subresource: BTreeSet::new(),
        labels: BTreeMap::new(),
        schemas: BTreeMap::new(),
    };
    KINDS.iter().map(info).collect()
}

fn manifest(items: &[Item], n: usize) -> Value {
    let item = &items[n];
    let (api_version, kind, scope) = KINDS[item.kind];
    let mut metadata = json!({"name": name(n), "uid": format!("uid{n}"),
        "creationTimestamp": format!("2024-01-0{}T00:00:00Z", item.age + 1)});
    if scope == Scope::Namespaced {
        metadata["namespace"] = json!(namespace(item.namespace));
    }
    let owner = |&n: &usize| {
        let n = n % items.len();
        let (api_version, kind, _) = KINDS[items[n].kind];
        json!({"apiVersion": api_version, "kind": kind, "name": name(n), "uid": format!("uid{n}")})
    };
    metadata["ownerReferences"] = item.owners.iter().map(owner).collect();
    if let Some(n) = item.cluster_label {
        metadata["labels"]["cluster.x-k8s.io/cluster-name"] = json!(name(n % items.len()));
    }
    if let Some(hierarchy) = item.move_label {
        metadata["labels"][if hierarchy { MOVE_HIERARCHY_LABEL } else { MOVE_LABEL }] = json!("");
    }
    let references = |numbers: &[usize]| -> Value {
        let reference = |&n: &usize| {
            let n = n % items.len();
            let (api_version, kind, _) = KINDS[items[n].kind];
            json!({"apiVersion": api_version, "kind": kind, "name": name(n), "namespace": namespace(items[n].namespace)})
        };
        numbers.iter().map(reference).collect()
    };
    let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {
        "testNeeds": references(&item.needs), "testPartOf": references(&item.part_of), "testHas": references(&item.has)}});
    if item.is_token {
        value["type"] = json!("kubernetes.io/service-account-token");
    }
    value
}

fn name(n: usize) -> String {
    format!("o{n}")
}
