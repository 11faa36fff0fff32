//! A model of an API server: what a pivot depends on of uids, revisions, generations, finalizers, status subresources, admission
//! and the garbage collector.

use std::collections::BTreeMap;
use std::sync::Arc;

use pivot_core::fence::{BINDING, POLICY};
use pivot_core::inventory::Inventory;
use pivot_core::kind::GroupKind;
use pivot_core::machine::{Extent, Op, Outcome, RefusalClass, Revision, Seen, Write};
use pivot_core::marks;
use pivot_core::object::{Manifest, ObjectKey, Uid};
use pivot_core::record::NAMESPACE;
use serde_json::{Map, Value, json};

use crate::admission::{Author, Fence};
use crate::world::CATALOG;

/// What it holds, and what changed when.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) objects: BTreeMap<ObjectKey, Arc<Value>>,
    pub(crate) revision: u64,
    /// Every change: its revision and its object.
    pub(crate) changes: Vec<(u64, ObjectKey)>,
    /// Policies in force, by name.
    fences: BTreeMap<String, Arc<Fence>>,
    /// Policies that are written, and come into force after some more requests.
    coming: Option<(u32, BTreeMap<String, Arc<Fence>>)>,
    /// How many requests a policy takes to come into force.
    pub(crate) lag: u32,
    /// Deployments that were scaled to zero, and in how many requests their pods are gone.
    leaving: BTreeMap<ObjectKey, u32>,
}

/// How many requests a pod takes to go.
const GRACE: u32 = 4;

pub(crate) fn namespace_key(name: &str) -> ObjectKey {
    ObjectKey::new(GroupKind::new("", "Namespace"), None, name)
}

fn refused(class: RefusalClass) -> Outcome {
    Outcome::Refused { class, message: format!("{class:?}"), retry_after: None }
}

fn status_apart(key: &ObjectKey) -> bool {
    CATALOG.get(&key.kind).is_some_and(|info| !info.status_subresource.is_empty())
}

fn is_policy(key: &ObjectKey) -> bool {
    matches!(key.kind.kind.as_str(), POLICY | BINDING)
}

fn merge(into: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Map::new().into();
    }
    for (name, value) in fields {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut into[name], value);
        }
    }
}

/// Takes off the nulls that stand for absent fields here.
fn clean(object: &mut Value) {
    let without = |value: &mut Value| {
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|_, field| !field.is_null());
        }
    };
    if object["metadata"]["annotations"] == json!({}) {
        object["metadata"]["annotations"] = Value::Null;
    }
    without(&mut object["metadata"]);
    without(object);
}

impl Server {
    pub(crate) fn new(name: &'static str, namespaces: impl IntoIterator<Item = String>) -> Self {
        let mut server = Self {
            name,
            objects: BTreeMap::new(),
            revision: 0,
            changes: Vec::new(),
            fences: BTreeMap::new(),
            coming: None,
            lag: 0,
            leaving: BTreeMap::new(),
        };
        for name in namespaces.into_iter().chain([NAMESPACE.to_owned()]) {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            server.place(object);
        }
        server
    }

    /// Stores an object as somebody else would; a uid is given where there is none.
    pub(crate) fn place(&mut self, mut object: Value) -> ObjectKey {
        let key = Manifest::new(object.clone()).key();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("{}-{}", self.name, self.revision).into();
            object["metadata"]["generation"] = 1.into();
        }
        self.store(&key, object);
        key
    }

    /// Changes an object as somebody else would.
    pub(crate) fn edit(&mut self, key: &ObjectKey, change: impl FnOnce(&mut Value)) {
        let Some(live) = self.objects.get(key) else { return };
        let mut object = Value::clone(live);
        change(&mut object);
        self.update(key, object);
    }

    /// Removes an object at once.
    pub(crate) fn remove(&mut self, key: &ObjectKey) {
        if self.objects.remove(key).is_some() {
            self.revision += 1;
            self.changes.push((self.revision, key.clone()));
            self.written(key);
        }
    }

    fn store(&mut self, key: &ObjectKey, mut object: Value) -> Revision {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        clean(&mut object);
        let manifest = Manifest::new(object);
        let revision = Revision::of(&manifest);
        self.objects.insert(key.clone(), Arc::new(manifest.into_value()));
        self.changes.push((self.revision, key.clone()));
        self.written(key);
        revision
    }

    fn written(&mut self, key: &ObjectKey) {
        if !is_policy(key) {
            return;
        }
        let bindings = self.objects.iter().filter(|(key, _)| key.kind.kind == BINDING);
        let fences = bindings.filter_map(|(key, binding)| {
            let policy = ObjectKey { kind: GroupKind::new(&key.kind.group, POLICY), ..key.clone() };
            let fence = Fence::of(self.objects.get(&policy).map(Arc::as_ref), Some(binding))?;
            Some((key.name.clone(), fence))
        });
        self.coming = Some((self.lag, fences.collect()));
        self.tick();
    }

    /// A request passes: what takes its time comes a step nearer.
    pub(crate) fn tick(&mut self) {
        if let Some((left, fences)) = self.coming.take() {
            match left.checked_sub(1) {
                None => self.fences = fences,
                Some(left) => self.coming = Some((left, fences)),
            }
        }
        let late = |(key, object): &(&ObjectKey, &Arc<Value>)| {
            key.kind.kind == "Deployment"
                && object["status"]["observedGeneration"] != object["metadata"]["generation"]
        };
        let late: Vec<_> = self.objects.iter().filter(late).map(|(key, _)| key.clone()).collect();
        self.leaving.retain(|_, left| {
            *left -= 1;
            *left > 0
        });
        for key in late {
            let stops = self.objects[&key]["spec"]["replicas"] == 0;
            if stops && self.objects[&key]["status"]["replicas"] != 0 {
                self.leaving.insert(key.clone(), GRACE);
            } else if !stops {
                self.leaving.remove(&key);
            }
            self.edit(&key, |object| {
                object["status"] = json!({"replicas": object["spec"]["replicas"],
                    "availableReplicas": object["spec"]["replicas"],
                    "readyReplicas": object["spec"]["replicas"],
                    "observedGeneration": object["metadata"]["generation"]});
            });
        }
        self.elect();
    }

    /// A lease that nobody holds is taken by its manager, where that runs.
    fn elect(&mut self) {
        let runs = self
            .alive()
            .any(|(key, deployment)| key.name == "electing" && deployment["spec"]["replicas"] != 0);
        let free = |(key, lease): &(&ObjectKey, &Arc<Value>)| {
            key.kind.kind == "Lease"
                && key.namespace.as_deref() == Some("managers")
                && lease["spec"]["holderIdentity"] == ""
        };
        let free: Vec<_> = self.objects.iter().filter(free).map(|(key, _)| key.clone()).collect();
        for key in free.into_iter().filter(|_| runs) {
            self.edit(&key, |lease| lease["spec"]["holderIdentity"] = "electing-6d5-x_9".into());
        }
    }

    /// Lets everything come that takes its time.
    pub(crate) fn settle(&mut self) {
        for _ in 0..=GRACE {
            self.tick();
        }
    }

    /// Deployments of which a pod is there, be it on its way out.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Value>)> {
        self.objects.iter().filter(|(key, object)| {
            key.kind.kind == "Deployment"
                && (object["status"]["replicas"] != 0 || self.leaving.contains_key(key))
        })
    }

    /// Pods and what they belong to.
    pub(crate) fn pods(&self, namespace: &str) -> Vec<Seen> {
        let seen = |kind: &str, key: &ObjectKey, owner: String| Seen {
            key: ObjectKey::new(GroupKind::new("", kind), Some(namespace), &format!("{}-6d5", key.name)),
            uid: Uid(format!("{kind}-of-{}", key.name)),
            resource_version: "1".to_owned(),
            owners: vec![Uid(owner)],
            terminating: false,
        };
        let here = self.alive().filter(|(key, _)| key.namespace.as_deref() == Some(namespace));
        here.flat_map(|(key, deployment)| {
            let uid = deployment["metadata"]["uid"].as_str().unwrap().to_owned();
            [seen("ReplicaSet", key, uid), seen("Pod", key, format!("ReplicaSet-of-{}", key.name))]
        })
        .collect()
    }

    /// True where a policy in force refuses this.
    pub(crate) fn refuses(&self, author: &Author, key: &ObjectKey, deletes: bool) -> bool {
        if self.fences.is_empty() {
            return false;
        }
        let plural = format!("{}s", key.kind.kind.to_lowercase());
        self.fences.values().any(|fence| fence.refuses(author, key, &plural, deletes))
    }

    /// Stores what becomes of a live object; one that nothing holds any more goes.
    fn update(&mut self, key: &ObjectKey, mut object: Value) -> Outcome {
        let live = &self.objects[key];
        for field in ["uid", "deletionTimestamp", "creationTimestamp"] {
            if let Some(value) = live["metadata"].get(field) {
                object["metadata"][field] = value.clone();
            }
        }
        let generation = live["metadata"]["generation"].as_i64().unwrap_or(1);
        object["metadata"]["generation"] = (generation + i64::from(object["spec"] != live["spec"])).into();
        let held = object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        if object["metadata"]["deletionTimestamp"].is_string() && !held {
            self.remove(key);
            return Outcome::Removed;
        }
        Outcome::Written(self.store(key, object))
    }

    fn conflicts(&self, key: &ObjectKey, guards: &Value) -> bool {
        let live = &self.objects[key]["metadata"];
        ["uid", "resourceVersion"]
            .iter()
            .any(|field| guards[field].is_string() && guards[field] != live[field])
    }

    /// Does a write, as the real one would.
    pub(crate) fn write(&mut self, author: &Author, write: &Write) -> Outcome {
        self.tick();
        let key = &write.key;
        let live = self.objects.get(key).cloned();
        // Of what is not there nothing but its creation is judged.
        let is_judged = live.is_some() || matches!(write.op, Op::Create { .. });
        if is_judged && self.refuses(author, key, matches!(write.op, Op::Delete { .. })) {
            return refused(RefusalClass::Denied);
        }
        let Some(live) = live else {
            return match &write.op {
                Op::Create { body, .. } => self.create(key, body),
                _ => refused(RefusalClass::NotFound),
            };
        };
        match &write.op {
            Op::Create { .. } => refused(RefusalClass::Exists),
            Op::Replace { body, .. } | Op::Status { body, .. } if self.conflicts(key, &body["metadata"]) => {
                refused(RefusalClass::Conflict)
            }
            Op::Replace { body, .. } => {
                let mut object = body.clone();
                if status_apart(key) {
                    object["status"] = live["status"].clone();
                }
                self.update(key, object)
            }
            Op::Status { body, .. } => {
                let mut object = Value::clone(&live);
                object["status"] = body["status"].clone();
                self.update(key, object)
            }
            Op::Merge { patch, .. } if self.conflicts(key, &patch["metadata"]) => {
                refused(RefusalClass::Conflict)
            }
            Op::Merge { patch, .. } => {
                let mut object = Value::clone(&live);
                merge(&mut object, patch);
                self.update(key, object)
            }
            Op::Delete { uid, resource_version } => {
                if self.conflicts(key, &json!({"uid": uid, "resourceVersion": resource_version})) {
                    return refused(RefusalClass::Conflict);
                }
                self.delete(key)
            }
        }
    }

    pub(crate) fn delete(&mut self, key: &ObjectKey) -> Outcome {
        if key.kind.kind == "Namespace" {
            let inside = |other: &ObjectKey| other.namespace.as_deref() == Some(&*key.name);
            let inside: Vec<_> = self.objects.keys().filter(|other| inside(other)).cloned().collect();
            for other in &inside {
                self.remove(other);
            }
        }
        let mut object = Value::clone(&self.objects[key]);
        if object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
            self.remove(key);
            return Outcome::Removed;
        }
        object["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z".into();
        let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
        object["metadata"]["generation"] = (generation + 1).into();
        Outcome::Terminating(self.store(key, object))
    }

    fn create(&mut self, key: &ObjectKey, body: &Value) -> Outcome {
        if key.namespace.as_ref().is_some_and(|name| !self.objects.contains_key(&namespace_key(name))) {
            return refused(RefusalClass::NotFound);
        }
        let mut object = body.clone();
        if status_apart(key) {
            object["status"] = Value::Null;
        }
        // Managed fields of a create are ignored.
        object["metadata"]["managedFields"] = Value::Null;
        object["metadata"]["uid"] = format!("{}-{}", self.name, self.revision).into();
        object["metadata"]["generation"] = 1.into();
        Outcome::Written(self.store(key, object))
    }

    /// What the garbage collector does next: an object none of whose owners exists goes.
    pub(crate) fn collect(&mut self) -> Option<ObjectKey> {
        let mut keys = self.objects.keys();
        let orphan =
            keys.find(|key| self.is_orphan(key) && !self.refuses(&Author::Anybody, key, true))?.clone();
        self.delete(&orphan);
        Some(orphan)
    }

    /// True where it stands, and all its owners are gone.
    pub(crate) fn is_orphan(&self, key: &ObjectKey) -> bool {
        let Some(object) = self.objects.get(key) else { return false };
        let owners = object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
        !owners.is_empty()
            && !object["metadata"]["deletionTimestamp"].is_string()
            && !owners.iter().any(|owner| self.has_uid(&owner["uid"]))
    }

    /// True where it owns one of its own owners.
    pub(crate) fn is_in_owner_cycle(&self, key: &ObjectKey) -> bool {
        let owners = |object: &Value| -> Vec<Value> {
            let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
            owners.map(|owner| owner["uid"].clone()).collect()
        };
        let Some(object) = self.objects.get(key) else { return false };
        let (mut pending, mut seen) = (owners(object), Vec::new());
        while let Some(uid) = pending.pop() {
            if seen.contains(&uid) {
                continue;
            }
            let owner = self.objects.values().find(|other| other["metadata"]["uid"] == uid);
            pending.extend(owner.map(|owner| owners(owner)).unwrap_or_default());
            seen.push(uid);
        }
        seen.contains(&object["metadata"]["uid"])
    }

    pub(crate) fn read(&self, key: &ObjectKey) -> Option<Manifest> {
        self.objects.get(key).map(|object| Manifest::new(Value::clone(object)))
    }

    /// Everything of the kinds that take part, or what an extent names of them.
    pub(crate) fn inventory(&self, extent: Option<&Extent>) -> Inventory {
        let mut inventory = Inventory::new(self.name, CATALOG.clone());
        for (key, object) in &self.objects {
            if CATALOG.get(&key.kind).is_some() && extent.is_none_or(|extent| includes(extent, key)) {
                inventory.add(&key.kind, Manifest::new(Value::clone(object)));
            }
        }
        inventory
    }

    pub(crate) fn glance(&self, wanted: impl Fn(&ObjectKey) -> bool) -> Vec<Seen> {
        let objects = self.objects.iter().filter(|(key, _)| wanted(key));
        objects
            .map(|(key, object)| {
                let manifest = Manifest::new(Value::clone(object));
                Seen {
                    key: key.clone(),
                    uid: manifest.uid(),
                    resource_version: manifest.resource_version().to_owned(),
                    owners: manifest.owner_references().into_iter().map(|owner| owner.uid).collect(),
                    terminating: manifest.is_terminating(),
                }
            })
            .collect()
    }

    /// Objects that carry a pivot's mark, without its policy.
    pub(crate) fn ours(&self, id: &str) -> Vec<&ObjectKey> {
        let marked = |object: &Value| object["metadata"]["annotations"][marks::PIVOT_ID] == id;
        let objects = self.objects.iter().filter(|(key, object)| marked(object) && !is_policy(key));
        objects.map(|(key, _)| key).collect()
    }

    /// Policies and bindings of pivots.
    pub(crate) fn policies(&self) -> Vec<&ObjectKey> {
        self.objects.keys().filter(|key| is_policy(key)).collect()
    }

    pub(crate) fn has_uid(&self, uid: &Value) -> bool {
        self.objects.values().any(|object| object["metadata"]["uid"] == *uid)
    }
}

pub(crate) fn includes(extent: &Extent, key: &ObjectKey) -> bool {
    extent.kinds.contains(&key.kind)
        && key.namespace.as_ref().is_none_or(|namespace| {
            extent.namespaces.as_ref().is_none_or(|namespaces| namespaces.contains(namespace))
        })
}
