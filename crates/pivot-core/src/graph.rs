//! The link graph, and the order in which objects can be created along it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::inventory::{Inventory, ObjectId};
use crate::link::{Link, LinkRole, Links};

/// Links of an inventory, by object.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    dependencies: Vec<Vec<Link>>,
    dependents: Vec<Vec<Link>>,
}

impl Graph {
    /// Indexes `links` over `objects` objects.
    pub fn new(objects: usize, links: &Links) -> Self {
        let mut graph =
            Self { dependencies: vec![Vec::new(); objects], dependents: vec![Vec::new(); objects] };
        for link in &links.links {
            graph.dependencies[link.dependent.index()].push(*link);
            graph.dependents[link.dependency.index()].push(*link);
        }
        graph
    }

    /// Links to what an object depends on: its owners and what it refers to.
    pub fn dependencies(&self, id: ObjectId) -> &[Link] {
        &self.dependencies[id.index()]
    }

    /// Links from what depends on an object.
    pub fn dependents(&self, id: ObjectId) -> &[Link] {
        &self.dependents[id.index()]
    }
}

/// From the dependent to what it depends on.
type Edge = (ObjectId, ObjectId);

/// The order in which a set of objects is created, as a relation: no levels, no barriers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreationOrder {
    /// For each object of the set, the objects of the set that must be ready before it.
    pub needs: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    /// Owner references that close a cycle of owners: (dependent, owner). They are set once both objects exist.
    pub deferred_owners: BTreeSet<(ObjectId, ObjectId)>,
}

impl CreationOrder {
    /// Orders `set`. Where links form a cycle the weakest give way: first references (those that go against ownership before
    /// the others), then belonging by name or label; a cycle of real owner references is opened at its oldest object, whose
    /// reference is set afterwards.
    pub fn new(inventory: &Inventory, graph: &Graph, set: &BTreeSet<ObjectId>) -> Self {
        let mut edges: BTreeMap<Edge, LinkRole> = BTreeMap::new();
        for &id in set {
            for link in graph.dependencies(id).iter().filter(|link| set.contains(&link.dependency)) {
                // The strongest role counts where two rules link the same pair.
                let role = edges.entry((link.dependent, link.dependency)).or_insert(link.role);
                *role = (*role).min(link.role);
            }
        }
        let mut deferred_owners = BTreeSet::new();
        while open_cycles(inventory, &mut edges, &mut deferred_owners) {}

        let mut needs: BTreeMap<_, BTreeSet<_>> = set.iter().map(|&id| (id, BTreeSet::new())).collect();
        for (dependent, dependency) in edges.into_keys() {
            needs.entry(dependent).or_default().insert(dependency);
        }
        Self { needs, deferred_owners }
    }

    /// One order that satisfies the relation; objects that may be created at the same time stand as listed.
    pub fn sequence(&self) -> Vec<ObjectId> {
        let mut waiting: BTreeMap<ObjectId, usize> =
            self.needs.iter().map(|(&id, needs)| (id, needs.len())).collect();
        let mut dependents: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
        for (&id, needs) in &self.needs {
            for &need in needs {
                dependents.entry(need).or_default().push(id);
            }
        }
        let mut ready: BTreeSet<ObjectId> =
            waiting.iter().filter(|&(_, &n)| n == 0).map(|(&id, _)| id).collect();
        let mut sequence = Vec::with_capacity(waiting.len());
        while let Some(id) = ready.pop_first() {
            sequence.push(id);
            for dependent in dependents.get(&id).into_iter().flatten() {
                let count = waiting.get_mut(dependent).expect("BUG: a dependent outside the set");
                *count -= 1;
                if *count == 0 {
                    ready.insert(*dependent);
                }
            }
        }
        sequence
    }
}

/// Drops the weakest links of every cycle. True when a cycle was found, and may be left.
fn open_cycles(
    inventory: &Inventory,
    edges: &mut BTreeMap<Edge, LinkRole>,
    deferred_owners: &mut BTreeSet<Edge>,
) -> bool {
    let graph: DiGraphMap<ObjectId, ()> = edges.keys().map(|&(from, to)| (from, to, ())).collect();
    let cycles: Vec<Vec<ObjectId>> =
        tarjan_scc(&graph).into_iter().filter(|component| component.len() > 1).collect();
    let cycle_of: HashMap<ObjectId, usize> =
        cycles.iter().enumerate().flat_map(|(n, members)| members.iter().map(move |&id| (id, n))).collect();
    let cycle_at =
        |&(from, to): &Edge| cycle_of.get(&from).filter(|&n| cycle_of.get(&to) == Some(n)).copied();

    let mut inside: Vec<Vec<(Edge, LinkRole)>> = vec![Vec::new(); cycles.len()];
    for (&edge, &role) in edges.iter() {
        if let Some(n) = cycle_at(&edge) {
            inside[n].push((edge, role));
        }
    }
    for (members, links) in cycles.iter().zip(&inside) {
        match links.iter().map(|&(_, role)| role).max() {
            Some(LinkRole::Reference) => {
                for edge in yielding_references(links) {
                    edges.remove(&edge);
                }
            }
            Some(LinkRole::Part) => {
                for (edge, _) in links.iter().filter(|(_, role)| *role == LinkRole::Part) {
                    edges.remove(edge);
                }
            }
            Some(LinkRole::OwnerReference) | None => {
                let oldest = oldest(inventory, members);
                for (edge, _) in links.iter().filter(|(edge, _)| edge.0 == oldest) {
                    edges.remove(edge);
                    deferred_owners.insert(*edge);
                }
            }
        }
    }
    !cycles.is_empty()
}

/// The references of a cycle that give way. A Cluster names its infrastructure, which belongs to it: that reference must
/// go, while what the infrastructure needs on its part can still come first.
fn yielding_references(links: &[(Edge, LinkRole)]) -> Vec<Edge> {
    let mut belongings: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    let mut references: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
    for &((dependent, dependency), role) in links {
        if role == LinkRole::Reference {
            references.entry(dependent).or_default().push(dependency);
        } else {
            belongings.entry(dependency).or_default().push(dependent);
        }
    }
    let mut against_ownership = Vec::new();
    for (&dependent, needed) in &references {
        let mut owned = HashSet::from([dependent]);
        let mut next = vec![dependent];
        while let Some(id) = next.pop() {
            next.extend(belongings.get(&id).into_iter().flatten().copied().filter(|&id| owned.insert(id)));
        }
        against_ownership.extend(needed.iter().filter(|id| owned.contains(id)).map(|&id| (dependent, id)));
    }
    if against_ownership.is_empty() {
        return references.iter().flat_map(|(&from, to)| to.iter().map(move |&to| (from, to))).collect();
    }
    against_ownership
}

fn oldest(inventory: &Inventory, members: &[ObjectId]) -> ObjectId {
    let age = |id: ObjectId| {
        let object = inventory.object(id);
        (object.manifest.creation_timestamp(), &object.key)
    };
    let oldest = members.iter().copied().min_by(|&a, &b| age(a).cmp(&age(b)));
    oldest.expect("BUG: a cycle without members")
}
