//! Creation order: complete, after what is needed, and with owners deferred only where they form a cycle.

use std::collections::{BTreeMap, BTreeSet};

use pivot_core::graph::CreationOrder;
use pivot_core::inventory::ObjectId;
use pivot_core::link::LinkRole;
use pivot_core::object::ObjectKey;
use proptest::prelude::*;

use crate::world::{World, config, items, request};

/// True where links of the set lead from one object to the other; only owner references where `owners` says so.
fn reaches(world: &World, set: &BTreeSet<ObjectId>, from: ObjectId, to: ObjectId, owners: bool) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(id) = next.pop() {
        if id == to {
            return true;
        }
        if seen.insert(id) {
            let links = world.graph.dependencies(id).iter();
            let links = links.filter(|link| set.contains(&link.dependency));
            next.extend(
                links.filter(|l| !owners || l.role == LinkRole::OwnerReference).map(|l| l.dependency),
            );
        }
    }
    false
}

type KeyedOrder = (BTreeMap<ObjectKey, BTreeSet<ObjectKey>>, BTreeSet<(ObjectKey, ObjectKey)>);

fn keyed(world: &World, order: &CreationOrder) -> KeyedOrder {
    let key = |id: &ObjectId| world.key(*id).clone();
    let needs = order.needs.iter().map(|(id, needs)| (key(id), needs.iter().map(key).collect()));
    let deferred = order.deferred_owners.iter().map(|(id, owner)| (key(id), key(owner)));
    (needs.collect(), deferred.collect())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_object_comes_once_and_after_what_it_needs((items, listed) in items(), request in request()) {
        let world = World::new(&items, &listed);
        let staged = world.select(&request).staged();
        let order = CreationOrder::new(&world.inventory, &world.graph, &staged);
        let mut created = BTreeSet::new();
        for id in order.sequence() {
            prop_assert!(order.needs[&id].is_subset(&created), "{} comes too early", world.key(id));
            prop_assert!(created.insert(id), "{} comes twice", world.key(id));
        }
        prop_assert_eq!(created, staged);
    }

    #[test]
    fn owner_references_are_waited_for_or_deferred((items, listed) in items(), request in request()) {
        let world = World::new(&items, &listed);
        let staged = world.select(&request).staged();
        let order = CreationOrder::new(&world.inventory, &world.graph, &staged);
        for &id in &staged {
            for link in world.graph.dependencies(id).iter().filter(|link| staged.contains(&link.dependency)) {
                let (waits, pair) = (order.needs[&id].contains(&link.dependency), (id, link.dependency));
                let deferred = order.deferred_owners.contains(&pair);
                prop_assert!(!(waits && deferred), "{} is both", world.key(id));
                match link.role {
                    LinkRole::OwnerReference => {
                        prop_assert!(waits || deferred, "{} loses its owner", world.key(id));
                    }
                    // A link gives way only to a cycle.
                    LinkRole::Part | LinkRole::Reference => {
                        let cyclic = reaches(&world, &staged, link.dependency, id, false);
                        prop_assert!(waits || cyclic, "{} does not wait for {}", world.key(id), world.key(link.dependency));
                    }
                }
            }
        }
        for &(id, owner) in &order.deferred_owners {
            prop_assert!(
                reaches(&world, &staged, owner, id, true),
                "{} need not be created before its owner {}", world.key(id), world.key(owner)
            );
        }
    }

    #[test]
    fn nothing_waits_for_what_it_does_not_name((items, listed) in items(), request in request()) {
        let world = World::new(&items, &listed);
        let staged = world.select(&request).staged();
        let order = CreationOrder::new(&world.inventory, &world.graph, &staged);
        for (&id, needs) in &order.needs {
            for need in needs {
                prop_assert!(world.graph.dependencies(id).iter().any(|link| link.dependency == *need));
            }
        }
    }

    #[test]
    fn the_order_of_listing_decides_nothing((items, listed) in items(), request in request()) {
        let as_written: Vec<usize> = (0..items.len()).collect();
        let orders = [as_written, listed].map(|listed| {
            let world = World::new(&items, &listed);
            let staged = world.select(&request).staged();
            keyed(&world, &CreationOrder::new(&world.inventory, &world.graph, &staged))
        });
        prop_assert_eq!(&orders[0], &orders[1]);
    }
}
