//! The closure over links from the roots.
//!
//! Three ways lead into the set: *down* to what belongs to a member, *along* to what a member needs, and *up* to the owners
//! of a member, so that no owner reference is left without its owner. A member that something else needs as well is
//! copied instead of moved; since that ends the walk down from it, the closure is taken again until nothing changes.

use std::collections::{BTreeSet, VecDeque};

use super::{Action, Reason, Request, Verdict, is_copyable, never};
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
    let mut walk = Walk {
        inventory,
        rules,
        graph,
        request,
        roots: roots.iter().map(|(id, _)| *id).collect(),
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
            let reason = Reason::BelongsTo(self.inventory.object(id).key.clone(), self.rule_name(link));
            self.join(link.dependent, reason, queue);
        }
    }

    fn walk_along(&mut self, id: ObjectId, queue: &mut VecDeque<ObjectId>) {
        let graph = self.graph;
        for link in graph.dependencies(id).iter().filter(|link| link.role == LinkRole::Reference) {
            let reason = Reason::NeededBy(self.inventory.object(id).key.clone(), self.rule_name(link));
            self.join(link.dependency, reason, queue);
        }
    }

    /// In a partial move an object with one owner in the set is not followed to its other owners: they belong to
    /// what stays, and the object is shared.
    fn walk_up(&mut self, queue: &mut VecDeque<ObjectId>) {
        let graph = self.graph;
        for (id, object) in self.inventory.iter() {
            if !self.is_member(id) {
                continue;
            }
            let owners =
                || graph.dependencies(id).iter().filter(|link| link.role == LinkRole::OwnerReference);
            if self.request.is_partial()
                && (self.roots.contains(&id) || owners().any(|link| self.is_member(link.dependency)))
            {
                continue;
            }
            for link in owners() {
                self.join(link.dependency, Reason::Owns(object.key.clone()), queue);
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

    /// The object that stays and needs this member, or owns it.
    fn missed_by(&self, id: ObjectId) -> Option<ObjectId> {
        let owners: Vec<_> = self
            .graph
            .dependencies(id)
            .iter()
            .filter(|link| link.role.is_ownership())
            .map(|link| link.dependency)
            .collect();
        let owned_by_moving = owners.iter().any(|&owner| !self.stays(owner));
        let users = || self.graph.dependents(id).iter().filter(|link| link.role == LinkRole::Reference);
        // What belongs to something that leaves goes with it, whoever else looks at it: PLAN warns of those.
        if !owned_by_moving
            && is_copyable(&self.inventory.object(id).key.kind)
            && let Some(user) = users().map(|link| link.dependent).find(|&user| self.stays(user))
        {
            return Some(user);
        }
        if self.roots.contains(&id) {
            return None;
        }
        let staying = owners.iter().copied().find(|&owner| self.stays(owner));
        // A partial move leaves the other owners behind; otherwise only what is copied stays.
        let all_stay = !owners.is_empty() && !owned_by_moving && self.only_reached_by_ownership(id);
        staying.filter(|_| {
            (self.request.is_partial() && is_copyable(&self.inventory.object(id).key.kind)) || all_stay
        })
    }

    fn only_reached_by_ownership(&self, id: ObjectId) -> bool {
        matches!(self.members[id.index()], Some(Reason::BelongsTo(..)))
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
        } else if self.request.is_partial()
            && self.graph.dependencies(id).iter().any(|link| link.role.is_ownership())
        {
            Reason::OtherCluster
        } else {
            Reason::Unlinked
        }
    }
}
