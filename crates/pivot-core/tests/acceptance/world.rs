//! Fake objects brought together: linked, judged and named in short.

use std::collections::{BTreeMap, BTreeSet};

use pivot_core::graph::Graph;
use pivot_core::inventory::{Inventory, ObjectId};
use pivot_core::kind::{GroupKind, KindCatalog, KindInfo, MOVE_HIERARCHY_LABEL, MOVE_LABEL, Scope};
use pivot_core::link::{Link, LinkRole, LinkRules, Links};
use pivot_core::object::Manifest;
use pivot_core::select::{Action, Request, Selection};

use crate::builders::{Fake, group_kind, short_kind};

/// Objects with their links, ready to be judged.
pub(crate) struct World {
    pub(crate) inventory: Inventory,
    pub(crate) links: Links,
    pub(crate) graph: Graph,
    rules: LinkRules,
}

impl World {
    pub(crate) fn new(fakes: impl IntoIterator<Item = Fake>) -> Self {
        let mut merged: Vec<Fake> = Vec::new();
        for fake in fakes {
            let Some(known) = merged.iter_mut().find(|known| known.text("uid") == fake.text("uid")) else {
                merged.push(fake);
                continue;
            };
            for owner in fake.owner_references() {
                known.push_owner(owner);
            }
        }
        let mut inventory = Inventory::new("source", kinds());
        for fake in merged {
            let manifest = Manifest::new(fake.into_value());
            inventory.add(&manifest.group_kind(), manifest);
        }
        let rules = LinkRules::builtin();
        let links = Links::resolve(&rules, &inventory);
        let graph = Graph::new(inventory.len(), &links);
        Self { inventory, links, graph, rules }
    }

    pub(crate) fn select(&self, request: &Request) -> Selection {
        Selection::new(&self.inventory, &self.rules, &self.graph, request)
    }

    /// `Kind namespace/name`, with the short kind.
    pub(crate) fn name(&self, id: ObjectId) -> String {
        let key = &self.inventory.object(id).key;
        format!("{} {}", short_kind(&key.kind.kind), key.path())
    }

    pub(crate) fn id(&self, name: &str) -> ObjectId {
        let mut all = self.inventory.iter().map(|(id, _)| id);
        all.find(|&id| self.name(id) == name).unwrap_or_else(|| panic!("no object is called {name}"))
    }

    pub(crate) fn names(&self, ids: &BTreeSet<ObjectId>) -> BTreeSet<String> {
        ids.iter().map(|&id| self.name(id)).collect()
    }

    /// Owners as clusterctl counts them: owner references, and soft owners. Its Cluster is softly owned by its class; for us
    /// it needs it.
    pub(crate) fn owners(&self, id: ObjectId) -> impl Iterator<Item = &Link> {
        let class = group_kind("ClusterClass");
        self.graph.dependencies(id).iter().filter(move |link| {
            link.role.is_ownership()
                || (link.role == LinkRole::Reference
                    && self.inventory.object(link.dependency).key.kind == class)
        })
    }

    /// Asserts what moves, is copied and stays; nothing may be left over.
    #[track_caller]
    pub(crate) fn assert_verdicts(&self, request: &Request, moved: &[&str], copied: &[&str], kept: &[&str]) {
        let selection = self.select(request);
        for (action, expected) in [(Action::Move, moved), (Action::Copy, copied), (Action::Keep, kept)] {
            let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(self.names(&selection.with(&[action])), expected, "{action}");
        }
        assert!(selection.with(&[Action::Skip]).is_empty());
    }
}

/// The kinds as `clusterctl init` leaves them, with the labels of CRDs that ask to be moved.
fn kinds() -> KindCatalog {
    [
        kind(group_kind("Identity"), Scope::Cluster, &[MOVE_HIERARCHY_LABEL]),
        kind(group_kind("GenericClusterExternalObject"), Scope::Cluster, &[MOVE_LABEL]),
        kind(group_kind("GenericExternalObject"), Scope::Namespaced, &[MOVE_LABEL]),
        kind(group_kind("Tree"), Scope::Namespaced, &[MOVE_HIERARCHY_LABEL]),
        kind(group_kind("Global"), Scope::Cluster, &[]),
    ]
    .into_iter()
    .collect()
}

/// These, and every other kind of which there is an object.
pub(crate) fn served(inventory: &Inventory) -> KindCatalog {
    let known = kinds();
    let others: BTreeSet<_> = inventory.iter().map(|(_, object)| object.key.kind.clone()).collect();
    let others = others.into_iter().filter(|other| known.get(other).is_none());
    let others: Vec<_> = others.map(|other| kind(other, Scope::Namespaced, &[])).collect();
    known.iter().cloned().chain(others).collect()
}

fn kind(kind: GroupKind, scope: Scope, labels: &[&str]) -> KindInfo {
    let version = if kind.is_secret_or_config_map() { "v1" } else { "v1beta2" };
    KindInfo {
        plural: format!("{}s", kind.kind.to_lowercase()),
        kind,
        scope,
        storage_version: version.to_owned(),
        served: BTreeSet::from([version.to_owned()]),
        status_subresource: BTreeSet::new(),
        labels: labels.iter().map(|&label| (label.to_owned(), String::new())).collect(),
        schemas: BTreeMap::new(),
    }
}

/// Everything, in all namespaces.
pub(crate) fn everything() -> Request {
    Request::default()
}

/// What `--filter-cluster` asks for.
pub(crate) fn only_cluster(name: &str) -> Request {
    Request { namespaces: None, clusters: BTreeSet::from([name.to_owned()]) }
}
