//! The closure over links from the roots.
//!
//! Three ways lead into the set: *down* to what belongs to a member, *along* to what a member needs, and *up* to the owners
//! of a member, so that no owner reference is left without its owner. A member that something else needs as well is
//! copied instead of moved; since that ends the walk down from it, the closure is taken again until nothing changes.

use std::collections::{BTreeSet, VecDeque};

use super::{Action, Reason, Request, Verdict, by_key, is_cluster, is_copyable, never};
use crate::graph::Graph;
use crate::inventory::{Inventory, ObjectId};
use crate::kind::Scope;
use crate::link::{Link, LinkRole, LinkRules};

pub(super) fn judge(
    inventory: &Inventory,
    rules: &LinkRules,
    graph: &Graph,
    request: &Request,
    roots: &[(ObjectId, Reason)],
) -> Vec<Verdict> {
    let by_key = by_key(inventory);
    let mut walk = Walk {
        inventory,
        rules,
        graph,
        request,
        roots: roots.iter().map(|(id, _)| *id).collect(),
        by_key: &by_key,
        belonging: Belonging::new(inventory, graph, request),
        shared: vec![None; inventory.len()],
        members: Vec::new(),
    };
    loop {
        walk.collect(roots);
        let shared = walk.newly_shared();
        if shared.is_empty() {
            return walk.verdicts();
        }
        for (id, with) in shared {
            walk.shared[id.index()] = Some(with);
        }
    }
}

struct Walk<'a> {
    inventory: &'a Inventory,
    rules: &'a LinkRules,
    graph: &'a Graph,
    request: &'a Request,
    roots: BTreeSet<ObjectId>,
    by_key: &'a [ObjectId],
    belonging: Belonging,
    /// Objects that must stay in the source too, with the one that needs them there.
    shared: Vec<Option<ObjectId>>,
    members: Vec<Option<Reason>>,
}

impl Walk<'_> {
    fn collect(&mut self, roots: &[(ObjectId, Reason)]) {
        self.members = vec![None; self.inventory.len()];
        let mut queue = VecDeque::new();
        for (id, reason) in roots {
            self.members[id.index()] = Some(reason.clone());
            queue.push_back(*id);
        }
        loop {
            while let Some(id) = queue.pop_front() {
                self.walk_down(id, &mut queue);
                self.walk_along(id, &mut queue);
            }
            self.walk_up(&mut queue);
            if queue.is_empty() {
                return;
            }
        }
    }

    fn walk_down(&mut self, id: ObjectId, queue: &mut VecDeque<ObjectId>) {
        if self.is_copied(id) && !self.roots.contains(&id) {
            return;
        }
        let graph = self.graph;
        for link in graph.dependents(id).iter().filter(|link| link.role.is_ownership()) {
            if self.is_elsewhere(link.dependent) {
                continue;
            }
            let reason = Reason::BelongsTo(self.inventory.object(id).key.clone(), self.rule_name(link));
            self.join(link.dependent, reason, queue);
        }
    }

    /// What belongs to a Cluster that stays can be copied for one that moves, but not taken away: PLAN refuses where the one
    /// that moves cannot do without.
    fn walk_along(&mut self, id: ObjectId, queue: &mut VecDeque<ObjectId>) {
        let graph = self.graph;
        for link in graph.dependencies(id).iter().filter(|link| link.role == LinkRole::Reference) {
            if self.is_elsewhere(link.dependency) && !self.is_copyable(link.dependency) {
                continue;
            }
            let reason = Reason::NeededBy(self.inventory.object(id).key.clone(), self.rule_name(link));
            self.join(link.dependency, reason, queue);
        }
    }

    /// In a partial move what belongs to the requested Clusters by one owner is not followed to its other owners: they belong
    /// to what stays, and the object is shared.
    fn walk_up(&mut self, queue: &mut VecDeque<ObjectId>) {
        let graph = self.graph;
        for &id in self.by_key {
            if !self.is_member(id) {
                continue;
            }
            let owners =
                || graph.dependencies(id).iter().filter(|link| link.role == LinkRole::OwnerReference);
            if self.request.is_partial()
                && (self.roots.contains(&id)
                    || owners().any(|link| self.belonging.to_requested[link.dependency.index()]))
            {
                continue;
            }
            for link in owners() {
                if self.is_elsewhere(link.dependency) {
                    continue;
                }
                let reason = Reason::Owns(self.inventory.object(id).key.clone());
                self.join(link.dependency, reason, queue);
            }
        }
    }

    fn join(&mut self, id: ObjectId, reason: Reason, queue: &mut VecDeque<ObjectId>) {
        if self.members[id.index()].is_none() && never::judge(self.inventory.object(id)).is_none() {
            self.members[id.index()] = Some(reason);
            queue.push_back(id);
        }
    }

    fn is_member(&self, id: ObjectId) -> bool {
        self.members[id.index()].is_some()
    }

    fn is_elsewhere(&self, id: ObjectId) -> bool {
        self.belonging.elsewhere(id)
    }

    fn is_copyable(&self, id: ObjectId) -> bool {
        is_copyable(&self.inventory.object(id).key.kind)
    }

    /// True where the source keeps the object whatever else holds.
    fn is_copied(&self, id: ObjectId) -> bool {
        let outside = !self.request.covers(self.inventory.object(id).key.namespace.as_deref());
        outside || self.is_cluster_scoped(id) || self.shared[id.index()].is_some()
    }

    fn is_cluster_scoped(&self, id: ObjectId) -> bool {
        self.inventory.kind_of(id).is_some_and(|info| info.scope == Scope::Cluster)
    }

    fn stays(&self, id: ObjectId) -> bool {
        !self.is_member(id) || self.is_copied(id)
    }

    /// Members that would be missed in the source.
    fn newly_shared(&self) -> Vec<(ObjectId, ObjectId)> {
        let members =
            self.inventory.iter().map(|(id, _)| id).filter(|&id| self.is_member(id) && !self.is_copied(id));
        members.filter_map(|id| Some((id, self.missed_by(id)?))).collect()
    }

    /// The object that stays and needs this member, owns it or belongs to it.
    fn missed_by(&self, id: ObjectId) -> Option<ObjectId> {
        let graph = self.graph;
        let owners = || graph.dependencies(id).iter().filter(|l| l.role.is_ownership()).map(|l| l.dependency);
        let owned = || graph.dependents(id).iter().filter(|l| l.role.is_ownership()).map(|l| l.dependent);
        let users =
            || graph.dependents(id).iter().filter(|l| l.role == LinkRole::Reference).map(|l| l.dependent);
        let owned_by_moving = owners().any(|owner| !self.stays(owner));
        // What belongs to something that leaves goes with it, whoever else looks at it: PLAN warns of those.
        if !owned_by_moving
            && self.is_copyable(id)
            && let Some(user) = users().find(|&user| self.stays(user))
        {
            return Some(user);
        }
        if self.roots.contains(&id) {
            return None;
        }
        let staying_owner = owners().find(|&owner| self.stays(owner));
        // A partial move leaves other owners behind, and what belongs to other Clusters.
        if self.request.is_partial() && self.is_copyable(id) {
            return staying_owner.or_else(|| owned().find(|&owned| self.is_elsewhere(owned)));
        }
        let needed_by_moving = users().any(|user| !self.stays(user));
        staying_owner.filter(|_| !owned_by_moving && !needed_by_moving && !self.is_followed_up(id))
    }

    /// True for an owner that moves for the sake of what it owns.
    fn is_followed_up(&self, id: ObjectId) -> bool {
        matches!(self.members[id.index()], Some(Reason::Owns(..)))
    }

    fn rule_name(&self, link: &Link) -> String {
        self.rules.rule(link.rule).name.clone()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.inventory.iter().map(|(id, _)| self.verdict(id)).collect()
    }

    fn verdict(&self, id: ObjectId) -> Verdict {
        let object = self.inventory.object(id);
        if let Some(reason) = never::judge(object) {
            return Verdict { action: Action::Skip, reason: Reason::Never(reason) };
        }
        let Some(reason) = self.members[id.index()].clone() else {
            return Verdict { action: Action::Keep, reason: self.why_kept(id) };
        };
        let why = Box::new(reason.clone());
        let copied = if self.is_cluster_scoped(id) {
            Reason::ClusterScoped(why)
        } else if !self.request.covers(object.key.namespace.as_deref()) {
            Reason::OutsideNamespaces(why)
        } else if let Some(with) = self.shared[id.index()] {
            Reason::SharedWith(self.inventory.object(with).key.clone(), why)
        } else {
            return Verdict { action: Action::Move, reason };
        };
        Verdict { action: Action::Copy, reason: copied }
    }

    fn why_kept(&self, id: ObjectId) -> Reason {
        if !self.request.covers(self.inventory.object(id).key.namespace.as_deref()) {
            Reason::NotSelected
        } else if self.is_elsewhere(id) {
            Reason::OtherCluster
        } else {
            Reason::Unlinked
        }
    }
}

/// In a partial move, what belongs to the Clusters that move and to those that stay, themselves included. It does not hang on
/// the set as it grows, so that the closure has one result.
struct Belonging {
    to_requested: Vec<bool>,
    to_others: Vec<bool>,
}

impl Belonging {
    fn new(inventory: &Inventory, graph: &Graph, request: &Request) -> Self {
        let clusters = |requested: bool| {
            let all = inventory.iter().filter(move |_| request.is_partial());
            all.filter(move |(_, object)| is_cluster(object) && request.names(object) == requested)
                .map(|(id, _)| id)
        };
        Self {
            to_requested: belongings(inventory, graph, clusters(true)),
            to_others: belongings(inventory, graph, clusters(false)),
        }
    }

    /// Belongs to Clusters that stay and to none that moves.
    fn elsewhere(&self, id: ObjectId) -> bool {
        self.to_others[id.index()] && !self.to_requested[id.index()]
    }
}

/// What belongs to some of these objects, directly or not; the objects too.
fn belongings(inventory: &Inventory, graph: &Graph, of: impl Iterator<Item = ObjectId>) -> Vec<bool> {
    let mut reached = vec![false; inventory.len()];
    let mut next: Vec<ObjectId> = of.collect();
    while let Some(id) = next.pop() {
        if !std::mem::replace(&mut reached[id.index()], true) {
            next.extend(graph.dependents(id).iter().filter(|l| l.role.is_ownership()).map(|l| l.dependent));
        }
    }
    reached
}
