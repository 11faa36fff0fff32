//! The controllers that every cluster runs: the garbage collector, the namespace controller, the quota controller.
//!
//! They act when told to, not by themselves, so that a test decides when what nobody owns any more goes.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    Verb,
    admission::Review,
    delete::{Deleted, FOREGROUND, ORPHAN},
    resource::{Resource, items},
    selector::Selector,
    store::{Slot, World},
    write::{is_finished, remove},
};
use crate::{dump::Key, kind::Gvk};

/// The user that the garbage collector and the namespace controller write as.
const COLLECTOR: &str = "system:serviceaccount:kube-system:generic-garbage-collector";

/// What the owner of an object is to the garbage collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// It exists, with the same uid.
    Solid,
    /// It is being deleted and waits for its dependents.
    Waiting,
    /// There is none of this name, or it has another uid. One in another namespace does not count.
    Dangling,
    /// Its kind is not served, or it cannot own this object: the collector does nothing.
    Unresolvable,
}

impl World {
    /// Runs the controllers until they have nothing left to do; returns the objects that went.
    pub(super) fn collect_garbage(&mut self) -> Vec<Key> {
        let mut gone = Vec::new();
        loop {
            let before = self.revision;
            for slot in self.objects.keys().cloned().collect::<Vec<_>>() {
                // The object may have gone with one that was looked at before it.
                if let Some(object) = self.get(&slot) {
                    self.collect(&slot, &object, &mut gone);
                }
            }
            self.empty_namespaces(&mut gone);
            if self.revision == before {
                break;
            }
        }
        self.count_quotas();
        gone
    }

    fn collect(&mut self, slot: &Slot, object: &Arc<Value>, gone: &mut Vec<Key>) {
        if object["metadata"]["deletionTimestamp"].is_string() {
            self.finish_propagation(slot, object, gone);
            return;
        }
        let owners: Vec<_> =
            items(&object["metadata"]["ownerReferences"]).map(|owner| self.resolve(slot, owner)).collect();
        if owners.is_empty() || owners.contains(&Owner::Unresolvable) {
            return;
        }
        let stripped = owners.iter().any(|owner| matches!(owner, Owner::Dangling | Owner::Waiting));
        if !owners.contains(&Owner::Solid) {
            self.collect_object(slot, object, "Background", gone);
        } else if stripped {
            let mut kept = (**object).clone();
            let references = items(&object["metadata"]["ownerReferences"]).zip(&owners);
            kept["metadata"]["ownerReferences"] = references
                .filter(|(_, owner)| **owner == Owner::Solid)
                .map(|(reference, _)| reference.clone())
                .collect();
            self.store_as_collector(slot, object, kept, gone);
        }
    }

    fn resolve(&self, child: &Slot, owner: &Value) -> Owner {
        let text = |field: &str| owner[field].as_str().unwrap_or_default();
        let kind = Gvk::from_api_version(text("apiVersion"), text("kind"));
        let Some(resource) = self.resource_of_kind(&kind.group, &kind.kind) else {
            return Owner::Unresolvable;
        };
        if resource.namespaced && child.namespace.is_empty() {
            return Owner::Unresolvable;
        }
        match self.get(&Slot::new(&resource, &child.namespace, text("name"))) {
            Some(live) if live["metadata"]["uid"] == owner["uid"] => {
                let waits = live["metadata"]["deletionTimestamp"].is_string()
                    && items(&live["metadata"]["finalizers"]).any(|finalizer| finalizer == FOREGROUND);
                if waits { Owner::Waiting } else { Owner::Solid }
            }
            _ => Owner::Dangling,
        }
    }

    /// Does what a delete with `Foreground` or `Orphan` left to the collector.
    fn finish_propagation(&mut self, slot: &Slot, object: &Arc<Value>, gone: &mut Vec<Key>) {
        let holds = |finalizer: &str| items(&object["metadata"]["finalizers"]).any(|own| own == finalizer);
        let uid = &object["metadata"]["uid"];
        let owned =
            |child: &Value| items(&child["metadata"]["ownerReferences"]).any(|owner| owner["uid"] == *uid);
        let dependents: Vec<_> = self
            .objects
            .iter()
            .filter(|(_, child)| owned(child))
            .map(|(slot, child)| (slot.clone(), Arc::clone(child)))
            .collect();
        let done = if holds(ORPHAN) {
            for (child_slot, child) in &dependents {
                let mut kept = (**child).clone();
                if let Some(owners) = kept["metadata"]["ownerReferences"].as_array_mut() {
                    owners.retain(|owner| owner["uid"] != *uid);
                }
                self.store_as_collector(child_slot, child, kept, gone);
            }
            ORPHAN
        } else if holds(FOREGROUND) {
            // Dependents that do not block go by the ordinary way, once the owner is gone.
            let blocks = |child: &Value| {
                items(&child["metadata"]["ownerReferences"])
                    .any(|owner| owner["uid"] == *uid && owner["blockOwnerDeletion"] == true)
            };
            if dependents.iter().any(|(_, child)| blocks(child)) {
                return;
            }
            FOREGROUND
        } else {
            return;
        };
        let mut kept = (**object).clone();
        if let Some(finalizers) = kept["metadata"]["finalizers"].as_array_mut() {
            finalizers.retain(|finalizer| finalizer != done);
        }
        self.store_as_collector(slot, object, kept, gone);
    }

    /// Empties namespaces whose deletion has begun, and removes those that are empty.
    fn empty_namespaces(&mut self, gone: &mut Vec<Key>) {
        for namespace in self.terminating_namespaces() {
            let content: Vec<_> = self
                .objects
                .iter()
                .filter(|(slot, _)| slot.namespace == namespace)
                .map(|(slot, object)| (slot.clone(), Arc::clone(object)))
                .collect();
            for (slot, object) in content {
                self.collect_object(&slot, &object, "Background", gone);
            }
            let empty = !self.objects.keys().any(|slot| slot.namespace == namespace);
            let resource = self.resource("", "namespaces").expect("BUG: namespaces are built in");
            let slot = Slot::new(&resource, "", &namespace);
            if let Some(live) = self.get(&slot).filter(|_| empty) {
                let mut finished = (*live).clone();
                remove(&mut finished["spec"], "finalizers");
                self.store_as_collector(&slot, &live, finished, gone);
            }
        }
    }

    fn collect_object(&mut self, slot: &Slot, object: &Arc<Value>, policy: &str, gone: &mut Vec<Key>) {
        let Some(resource) = self.resource(&slot.group, &slot.plural) else { return };
        let begun = object["metadata"]["deletionTimestamp"].is_string();
        if begun || !self.allows_collector(&resource, slot, Verb::Delete, None, object) {
            return;
        }
        let key = self.key(slot);
        if let Deleted::Gone(_) = self.begin_delete(&resource, slot, object, policy) {
            gone.push(key);
        }
    }

    fn store_as_collector(&mut self, slot: &Slot, live: &Value, mut object: Value, gone: &mut Vec<Key>) {
        let Some(resource) = self.resource(&slot.group, &slot.plural) else { return };
        for field in ["ownerReferences", "finalizers"] {
            if object["metadata"][field].as_array().is_none_or(Vec::is_empty) {
                remove(&mut object["metadata"], field);
            }
        }
        if *live == object || !self.allows_collector(&resource, slot, Verb::Patch, Some(&object), live) {
            return;
        }
        if is_finished(&object) {
            gone.push(self.key(slot));
            self.remove(slot);
        } else {
            self.put(slot, object);
        }
    }

    fn allows_collector(
        &self,
        resource: &Resource,
        slot: &Slot,
        verb: Verb,
        object: Option<&Value>,
        old: &Value,
    ) -> bool {
        let review = Review {
            verb,
            user: COLLECTOR,
            extra: &BTreeMap::new(),
            group: &resource.group,
            kind: &resource.kind,
            subresource: "",
            namespace: &slot.namespace,
            name: &slot.name,
            object,
            old: Some(old),
        };
        self.admit(resource, &review).is_ok()
    }

    /// Every object by its key, in its storage version.
    pub(super) fn dump(&self) -> BTreeMap<Key, Value> {
        let all = self.resources.values().flat_map(|r| self.select(r, "", &Selector::default()));
        all.map(|(slot, object)| (self.key(&slot), (*object).clone())).collect()
    }
}
