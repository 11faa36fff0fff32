//! Selection: what of the source moves, is copied, stays or is left out, and why (DESIGN sections 1 I5, and 3).

mod closure;
mod never;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

pub use never::NeverMoved;
pub use verdict::{Action, Reason, Verdict};

use crate::graph::Graph;
use crate::inventory::{Inventory, Object, ObjectId};
use crate::kind::{GroupKind, MOVE_HIERARCHY_LABEL, MOVE_LABEL};
use crate::link::LinkRules;
use crate::object::ObjectKey;

/// What the user asked to pivot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Namespaces; `None` means all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Names of the Clusters to move (`--filter-cluster`); empty means everything.
    pub clusters: BTreeSet<String>,
}

impl Request {
    /// Everything in one namespace.
    pub fn namespace(namespace: &str) -> Self {
        Self { namespaces: Some(BTreeSet::from([namespace.to_owned()])), clusters: BTreeSet::new() }
    }

    /// True where an object may be moved; what lies outside can only be copied.
    pub fn covers(&self, namespace: Option<&str>) -> bool {
        match (&self.namespaces, namespace) {
            (None, _) | (_, None) => true,
            (Some(selected), Some(namespace)) => selected.contains(namespace),
        }
    }

    fn is_partial(&self) -> bool {
        !self.clusters.is_empty()
    }

    /// True for a Cluster that `--filter-cluster` asks for.
    fn names(&self, cluster: &Object) -> bool {
        self.clusters.contains(&cluster.key.name) && self.covers(cluster.key.namespace.as_deref())
    }
}

/// The verdict on every object of an inventory.
#[derive(Clone, Debug)]
pub struct Selection {
    verdicts: Vec<Verdict>,
    groups: Vec<Option<ObjectId>>,
}

impl Selection {
    /// Judges every object of the source.
    pub fn new(inventory: &Inventory, rules: &LinkRules, graph: &Graph, request: &Request) -> Self {
        let roots = roots(inventory, rules, request);
        let verdicts = closure::judge(inventory, rules, graph, request, &roots);
        let groups = group_by_cluster(inventory, graph, &verdicts);
        Self { verdicts, groups }
    }

    /// Everything that stands in a directory is copied from it, whoever put it there and why.
    pub fn of_directory(inventory: &Inventory, graph: &Graph) -> Self {
        let judge = |object: &Object| match never::judge(object) {
            Some(never) => Verdict { action: Action::Skip, reason: Reason::Never(never) },
            None => Verdict { action: Action::Copy, reason: Reason::InDirectory },
        };
        let verdicts: Vec<_> = inventory.iter().map(|(_, object)| judge(object)).collect();
        let groups = group_by_cluster(inventory, graph, &verdicts);
        Self { verdicts, groups }
    }

    /// What was decided about the objects of a snapshot, by the record of it.
    pub fn of_snapshot(inventory: &Inventory, graph: &Graph, actions: &BTreeMap<ObjectKey, Action>) -> Self {
        let judge = |object: &Object| {
            let action = actions.get(&object.key).copied().unwrap_or(Action::Keep);
            Verdict { action, reason: Reason::InSnapshot }
        };
        let verdicts: Vec<_> = inventory.iter().map(|(_, object)| judge(object)).collect();
        let groups = group_by_cluster(inventory, graph, &verdicts);
        Self { verdicts, groups }
    }

    /// The verdict on one object.
    pub fn verdict(&self, id: ObjectId) -> &Verdict {
        &self.verdicts[id.index()]
    }

    /// What happens to one object.
    pub fn action(&self, id: ObjectId) -> Action {
        self.verdict(id).action
    }

    /// The Cluster an object is shown under.
    pub fn cluster_of(&self, id: ObjectId) -> Option<ObjectId> {
        self.groups[id.index()]
    }

    /// Objects that get one of these verdicts.
    pub fn with(&self, actions: &[Action]) -> BTreeSet<ObjectId> {
        (0u32..)
            .map(ObjectId)
            .zip(&self.verdicts)
            .filter(|(_, v)| actions.contains(&v.action))
            .map(|(id, _)| id)
            .collect()
    }

    /// Objects that are to exist in the target: moved or copied.
    pub fn staged(&self) -> BTreeSet<ObjectId> {
        self.with(&[Action::Move, Action::Copy])
    }
}

/// True for kinds of which a second instance does no harm: nothing acts on it by itself, others read it.
///
/// A shared object of another kind (an address pool, a host) cannot be in two places, and PLAN refuses.
pub fn is_copyable(kind: &GroupKind) -> bool {
    kind.is_secret_or_config_map()
        || kind.kind.ends_with("Template")
        || kind.is("cluster.x-k8s.io", "ClusterClass")
        || kind.is("addons.cluster.x-k8s.io", "ClusterResourceSet")
        || kind.is("metal3.io", "FirmwareSchema")
}

/// True for kinds that are named by their content. baremetal-operator makes a `FirmwareSchema` as soon as it meets firmware settings, paused or
/// not: one that is in the target already, and says the same, is as good as the one that would be moved.
pub(crate) fn is_named_by_content(kind: &GroupKind) -> bool {
    kind.is("metal3.io", "FirmwareSchema")
}

fn is_cluster(object: &Object) -> bool {
    object.key.kind.is("cluster.x-k8s.io", "Cluster")
}

/// All objects in an order that does not hang on how they were listed.
fn by_key(inventory: &Inventory) -> Vec<ObjectId> {
    let mut ids: Vec<_> = inventory.iter().map(|(id, _)| id).collect();
    ids.sort_by(|&a, &b| inventory.object(a).key.cmp(&inventory.object(b).key));
    ids
}

fn roots(inventory: &Inventory, rules: &LinkRules, request: &Request) -> Vec<(ObjectId, Reason)> {
    let mut roots = Vec::new();
    for id in by_key(inventory) {
        let object = inventory.object(id);
        if !request.covers(object.key.namespace.as_deref()) || never::judge(object).is_some() {
            continue;
        }
        if let Some(reason) = root_reason(inventory, rules, request, id, object) {
            roots.push((id, reason));
        }
    }
    roots
}

fn root_reason(
    inventory: &Inventory,
    rules: &LinkRules,
    request: &Request,
    id: ObjectId,
    object: &Object,
) -> Option<Reason> {
    let kind = &object.key.kind;
    if request.is_partial() {
        return (is_cluster(object) && request.names(object)).then_some(Reason::Requested);
    }
    if rules.is_root(kind) {
        return Some(Reason::RootKind);
    }
    let crd_labels = inventory.kind_of(id).map(|info| &info.labels);
    for label in [MOVE_HIERARCHY_LABEL, MOVE_LABEL] {
        if object.manifest.label(label).is_some() {
            return Some(Reason::ObjectLabel(label));
        }
        if crd_labels.is_some_and(|labels| labels.contains_key(label)) {
            return Some(Reason::KindLabel(label));
        }
    }
    None
}

/// Walks down from every Cluster; what belongs to none is shown with the first object that needs it.
fn group_by_cluster(inventory: &Inventory, graph: &Graph, verdicts: &[Verdict]) -> Vec<Option<ObjectId>> {
    let mut groups = vec![None; inventory.len()];
    let clusters: Vec<_> =
        by_key(inventory).into_iter().filter(|&id| is_cluster(inventory.object(id))).collect();
    let mut queue = std::collections::VecDeque::new();
    for &cluster in &clusters {
        groups[cluster.index()] = Some(cluster);
        queue.push_back(cluster);
    }
    while let Some(id) = queue.pop_front() {
        let owned =
            graph.dependents(id).iter().filter(|link| link.role.is_ownership()).map(|link| link.dependent);
        // A reference tells where to show an object only if nothing owns it.
        let needed = graph
            .dependencies(id)
            .iter()
            .filter(|link| !link.role.is_ownership())
            .map(|link| link.dependency);
        for next in owned.chain(needed) {
            let verdict = &verdicts[next.index()];
            let shared = verdict.action == Action::Copy && verdict.reason != Reason::InDirectory;
            if groups[next.index()].is_none() && !shared {
                groups[next.index()] = groups[id.index()];
                queue.push_back(next);
            }
        }
    }
    groups
}
