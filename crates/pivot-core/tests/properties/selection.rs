//! Selection: one verdict each, nothing needed left behind, nothing of others taken.

use std::collections::BTreeSet;

use pivot_core::inventory::ObjectId;
use pivot_core::link::LinkRole;
use pivot_core::select::{Action, Reason, Request, Selection, is_copyable};
use proptest::prelude::*;

use crate::world::{World, config, items, partial_request, request};

/// Clusters that an object belongs to, directly or not; a Cluster belongs to itself.
fn clusters_of(world: &World, id: ObjectId) -> BTreeSet<ObjectId> {
    let mut seen = BTreeSet::new();
    let mut next = vec![id];
    while let Some(id) = next.pop() {
        if seen.insert(id) {
            let owners = world.graph.dependencies(id).iter().filter(|link| link.role.is_ownership());
            next.extend(owners.map(|link| link.dependency));
        }
    }
    seen.retain(|&id| world.key(id).kind.is("cluster.x-k8s.io", "Cluster"));
    seen
}

/// In a partial move: belongs to Clusters, and to none that was asked for.
fn is_others(world: &World, request: &Request, id: ObjectId) -> bool {
    let asked = |&id: &ObjectId| {
        let key = world.key(id);
        request.clusters.contains(&key.name) && request.covers(key.namespace.as_deref())
    };
    let clusters = clusters_of(world, id);
    !request.clusters.is_empty() && !clusters.is_empty() && !clusters.iter().any(asked)
}

fn stays(selection: &Selection, id: ObjectId) -> bool {
    selection.action(id) != Action::Move
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_object_gets_exactly_one_verdict((items, listed) in items(), request in request()) {
        let world = World::new(&items, &listed);
        let selection = world.select(&request);
        let mut seen = BTreeSet::new();
        for action in [Action::Move, Action::Copy, Action::Keep, Action::Skip] {
            for id in selection.with(&[action]) {
                prop_assert!(seen.insert(id), "{} has two verdicts", world.key(id));
            }
        }
        prop_assert_eq!(seen.len(), world.inventory.len());
        for id in world.ids() {
            let verdict = selection.verdict(id);
            let fits = match &verdict.reason {
                Reason::ClusterScoped(_) | Reason::OutsideNamespaces(_) | Reason::SharedWith(..) => Action::Copy,
                Reason::NotSelected | Reason::OtherCluster | Reason::Unlinked => Action::Keep,
                Reason::Never(_) => Action::Skip,
                _ => Action::Move,
            };
            prop_assert_eq!(verdict.action, fits, "{}: {}", world.key(id), verdict.reason);
        }
    }

    #[test]
    fn what_belongs_to_a_moved_object_does_not_stay_behind((items, listed) in items(), request in request()) {
        let world = World::new(&items, &listed);
        let selection = world.select(&request);
        for owner in selection.with(&[Action::Move]) {
            for link in world.graph.dependents(owner).iter().filter(|link| link.role.is_ownership()) {
                let owned = link.dependent;
                let left = selection.action(owned) == Action::Keep && !is_others(&world, &request, owned);
                prop_assert!(!left, "{} leaves {} behind", world.key(owner), world.key(owned));
            }
        }
    }

    #[test]
    fn what_a_staged_object_needs_is_staged((items, listed) in items(), request in request()) {
        let world = World::new(&items, &listed);
        let selection = world.select(&request);
        for user in selection.staged() {
            for link in world.graph.dependencies(user).iter().filter(|link| link.role == LinkRole::Reference) {
                let needed = link.dependency;
                // PLAN refuses these: another Cluster's, and of a kind that cannot be in two places.
                let refused = is_others(&world, &request, needed) && !is_copyable(&world.key(needed).kind);
                let left = selection.action(needed) == Action::Keep && !refused;
                prop_assert!(!left, "{} goes without {}", world.key(user), world.key(needed));
            }
        }
    }

    #[test]
    fn owners_of_what_is_staged_are_staged((items, listed) in items()) {
        let world = World::new(&items, &listed);
        let selection = world.select(&Request::default());
        for owned in selection.staged() {
            for link in world.graph.dependencies(owned).iter().filter(|link| link.role == LinkRole::OwnerReference) {
                let left = selection.action(link.dependency) == Action::Keep;
                prop_assert!(!left, "{} goes without its owner {}", world.key(owned), world.key(link.dependency));
            }
        }
    }

    #[test]
    fn what_stays_keeps_what_it_needs((items, listed) in items(), request in request()) {
        let world = World::new(&items, &listed);
        let selection = world.select(&request);
        for moved in selection.with(&[Action::Move]) {
            if !is_copyable(&world.key(moved).kind) {
                continue;
            }
            let links = world.graph.dependencies(moved);
            let owned_by_moving =
                links.iter().any(|link| link.role.is_ownership() && !stays(&selection, link.dependency));
            for link in world.graph.dependents(moved).iter().filter(|link| link.role == LinkRole::Reference) {
                let deprived = stays(&selection, link.dependent) && !owned_by_moving;
                prop_assert!(!deprived, "{} loses {}", world.key(link.dependent), world.key(moved));
            }
        }
    }

    #[test]
    fn what_is_shared_is_shared_with_something_that_stays((items, listed) in items(), request in request()) {
        let world = World::new(&items, &listed);
        let selection = world.select(&request);
        for id in selection.with(&[Action::Copy]) {
            if let Reason::SharedWith(with, _) = &selection.verdict(id).reason {
                let with = world.inventory.find(with).unwrap();
                prop_assert!(stays(&selection, with), "{} is shared with {}", world.key(id), world.key(with));
            }
        }
    }

    #[test]
    fn a_partial_move_takes_nothing_of_other_clusters((items, listed) in items(), request in partial_request()) {
        let world = World::new(&items, &listed);
        let selection = world.select(&request);
        for moved in selection.with(&[Action::Move]) {
            prop_assert!(!is_others(&world, &request, moved), "{} is taken", world.key(moved));
        }
        for id in world.ids() {
            let key = world.key(id);
            let asked = key.kind.is("cluster.x-k8s.io", "Cluster")
                && request.clusters.contains(&key.name)
                && request.covers(key.namespace.as_deref());
            prop_assert!(!asked || selection.action(id) == Action::Move, "{key} was asked for");
        }
    }

    #[test]
    fn nothing_outside_the_namespaces_moves((items, listed) in items(), request in request()) {
        let world = World::new(&items, &listed);
        for moved in world.select(&request).with(&[Action::Move]) {
            let key = world.key(moved);
            prop_assert!(key.namespace.is_some(), "{key} is cluster-scoped");
            prop_assert!(request.covers(key.namespace.as_deref()), "{key} lies outside");
        }
    }

    #[test]
    fn the_order_of_listing_decides_nothing((items, listed) in items(), request in request()) {
        let as_written: Vec<usize> = (0..items.len()).collect();
        prop_assert_eq!(
            World::new(&items, &as_written).verdicts(&request),
            World::new(&items, &listed).verdicts(&request)
        );
    }

    /// The target holds what was staged; a pivot from there takes all of it again.
    #[test]
    fn what_came_along_goes_back((items, listed) in items()) {
        let there = World::new(&items, &listed);
        let staged = there.select(&Request::default()).staged();
        let back = there.restricted(&staged);
        prop_assert_eq!(back.select(&Request::default()).staged().len(), staged.len());
    }
}
