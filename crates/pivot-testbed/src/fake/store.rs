//! The state of the fake cluster: objects, their history, and the counters that stamp them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Target,
    admission::Admission,
    crd,
    resource::{APIEXTENSIONS, Resource, builtin},
    selector::Selector,
};
use crate::dump::Key;

/// 2026-01-01T00:00:00Z: when a fake cluster is made, by its own clock.
const EPOCH: i64 = 1_767_225_600;

/// Where an object is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) group: String,
    pub(super) plural: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Slot {
    pub(super) fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        Self {
            group: resource.group.clone(),
            plural: resource.plural.clone(),
            namespace: if resource.namespaced { namespace.to_owned() } else { String::new() },
            name: name.to_owned(),
        }
    }
}

/// What a watch tells of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Modified,
    Deleted,
}

/// A change of one object.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) revision: u64,
    pub(super) slot: Slot,
    pub(super) change: Change,
    pub(super) object: Arc<Value>,
    /// What it was before; the same object where there was none.
    pub(super) previous: Option<Arc<Value>>,
}

/// What is left of a list that was cut into pages, as it was when the first page was read.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) revision: u64,
    pub(super) objects: Arc<Vec<Arc<Value>>>,
    pub(super) from: usize,
}

pub(super) struct World {
    /// Tells the uids and versions of one server from those of another.
    identity: u32,
    started: Instant,
    pub(super) revision: u64,
    /// Changes up to this revision are forgotten.
    pub(super) compacted: u64,
    uids: u64,
    suffixes: u64,
    /// By group and plural.
    pub(super) resources: BTreeMap<(String, String), Arc<Resource>>,
    pub(super) objects: BTreeMap<Slot, Arc<Value>>,
    events: Vec<Event>,
    pub(super) pages: BTreeMap<String, Page>,
    pub(super) denied: Vec<Target>,
    pub(super) admission: Vec<Admission>,
}

impl World {
    pub(super) fn new(name: &str) -> Self {
        // FNV-1a: stable between runs, so that a failing test fails the same way again.
        let identity = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let resources =
            builtin().map(|resource| ((resource.group.clone(), resource.plural.clone()), Arc::new(resource)));
        let mut world = Self {
            identity,
            started: Instant::now(),
            revision: 1000 + u64::from(identity % 9000),
            compacted: 0,
            uids: 0,
            suffixes: 0,
            resources: resources.collect(),
            objects: BTreeMap::new(),
            events: Vec::new(),
            pages: BTreeMap::new(),
            denied: Vec::new(),
            admission: Vec::new(),
        };
        for namespace in ["default", "kube-system"] {
            world.ensure_namespace(namespace);
        }
        world
    }

    /// The server's clock: tokio's, so that it stands still with it.
    pub(super) fn now(&self) -> String {
        let elapsed = i64::try_from(self.started.elapsed().as_secs()).unwrap_or_default();
        Timestamp::from_second(EPOCH + elapsed).map(|now| now.to_string()).unwrap_or_default()
    }

    pub(super) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn next_uid(&mut self) -> String {
        self.uids += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.identity, self.uids)
    }

    /// The end of a generated name.
    pub(super) fn next_suffix(&mut self) -> String {
        const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut rest = self.suffixes;
        self.suffixes += 1;
        (0..5)
            .map(|_| {
                let at = usize::try_from(rest % 27).unwrap_or_default();
                rest /= 27;
                char::from(ALPHABET[at])
            })
            .collect()
    }

    pub(super) fn resource(&self, group: &str, plural: &str) -> Option<Arc<Resource>> {
        self.resources.get(&(group.to_owned(), plural.to_owned())).cloned()
    }

    pub(super) fn resource_of_kind(&self, group: &str, kind: &str) -> Option<Arc<Resource>> {
        self.resources.values().find(|resource| resource.is(group, kind)).cloned()
    }

    /// Where the object of a key is stored; `None` if its kind is not served.
    pub(super) fn slot(&self, key: &Key) -> Option<Slot> {
        let resource = self.resource_of_kind(&key.group, &key.kind)?;
        Some(Slot::new(&resource, &key.namespace, &key.name))
    }

    pub(super) fn key(&self, slot: &Slot) -> Key {
        let kind = self.resource(&slot.group, &slot.plural).map(|resource| resource.kind.clone());
        Key {
            group: slot.group.clone(),
            kind: kind.unwrap_or_default(),
            namespace: slot.namespace.clone(),
            name: slot.name.clone(),
        }
    }

    pub(super) fn get(&self, slot: &Slot) -> Option<Arc<Value>> {
        self.objects.get(slot).cloned()
    }

    /// The objects of a resource, in one namespace or, if that is empty, in all.
    pub(super) fn select(
        &self,
        resource: &Resource,
        namespace: &str,
        selector: &Selector,
    ) -> Vec<(Slot, Arc<Value>)> {
        let from = Slot::new(resource, namespace, "");
        self.objects
            .range(from..)
            .take_while(|(slot, _)| slot.group == resource.group && slot.plural == resource.plural)
            .take_while(|(slot, _)| namespace.is_empty() || slot.namespace == namespace)
            .filter(|(_, object)| selector.matches(object))
            .map(|(slot, object)| (slot.clone(), Arc::clone(object)))
            .collect()
    }

    /// The changes after a revision.
    pub(super) fn events_after(&self, revision: u64) -> &[Event] {
        let from = self.events.partition_point(|event| event.revision <= revision);
        &self.events[from..]
    }

    /// Stores an object under the next revision.
    pub(super) fn put(&mut self, slot: &Slot, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let is_crd = slot.group == APIEXTENSIONS && slot.plural == "customresourcedefinitions";
        if is_crd {
            crd::establish(&mut object, &self.now());
            if let Some(resource) = Resource::from_crd(&object) {
                self.resources.insert((resource.group.clone(), resource.plural.clone()), Arc::new(resource));
            }
        }
        let object = Arc::new(object);
        let previous = self.objects.insert(slot.clone(), Arc::clone(&object));
        let change = if previous.is_some() { Change::Modified } else { Change::Added };
        self.record(slot, change, Arc::clone(&object), previous);
        object
    }

    /// Removes an object under the next revision.
    pub(super) fn remove(&mut self, slot: &Slot) -> Option<Arc<Value>> {
        let previous = self.objects.remove(slot)?;
        if slot.group == APIEXTENSIONS
            && let Some(gone) = Resource::from_crd(&previous)
        {
            for (slot, _) in self.select(&gone, "", &Selector::default()) {
                self.remove(&slot);
            }
            self.resources.remove(&(gone.group, gone.plural));
        }
        self.revision += 1;
        let mut last = (*previous).clone();
        last["metadata"]["resourceVersion"] = self.revision.to_string().into();
        self.record(slot, Change::Deleted, Arc::new(last), Some(Arc::clone(&previous)));
        Some(previous)
    }

    fn record(&mut self, slot: &Slot, change: Change, object: Arc<Value>, previous: Option<Arc<Value>>) {
        self.events.push(Event { revision: self.revision, slot: slot.clone(), change, object, previous });
    }

    /// Forgets changes and pages, as the compaction of etcd does.
    pub(super) fn compact(&mut self) {
        self.compacted = self.revision;
        self.events.clear();
        self.pages.clear();
    }

    pub(super) fn ensure_namespace(&mut self, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        if self.slot_of(&object).is_some_and(|slot| !self.objects.contains_key(&slot)) {
            self.place(object);
        }
    }

    fn slot_of(&self, object: &Value) -> Option<Slot> {
        self.slot(&Key::of(object)?)
    }

    /// Stores an object as it is, as if it had been there; fills in only what every object has. False if its kind is
    /// not served.
    pub(super) fn place(&mut self, mut object: Value) -> bool {
        let Some(slot) = self.slot_of(&object) else { return false };
        let Some(resource) = self.resource(&slot.group, &slot.plural) else { return false };
        if resource.namespaced {
            self.ensure_namespace(&slot.namespace);
        }
        object["apiVersion"] = resource.api_version(&resource.storage).into();
        let metadata = &mut object["metadata"];
        if metadata["uid"].is_null() {
            metadata["uid"] = self.next_uid().into();
        }
        if metadata["creationTimestamp"].is_null() {
            metadata["creationTimestamp"] = self.now().into();
        }
        if resource.generation && metadata["generation"].is_null() {
            metadata["generation"] = 1.into();
        }
        if resource.is("", "Namespace") {
            finish_namespace(&mut object);
        }
        self.put(&slot, object);
        true
    }

    /// The namespaces whose deletion has begun.
    pub(super) fn terminating_namespaces(&self) -> BTreeSet<String> {
        let namespaces = self.resource("", "namespaces").map(|r| self.select(&r, "", &Selector::default()));
        namespaces
            .into_iter()
            .flatten()
            .filter(|(_, object)| object["metadata"]["deletionTimestamp"].is_string())
            .map(|(slot, _)| slot.name)
            .collect()
    }
}

/// Fills in what the API server gives every namespace.
pub(super) fn finish_namespace(namespace: &mut Value) {
    let name = namespace["metadata"]["name"].clone();
    namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    if namespace["spec"]["finalizers"].is_null() {
        namespace["spec"]["finalizers"] = json!(["kubernetes"]);
    }
    if namespace["status"]["phase"].is_null() {
        namespace["status"]["phase"] = "Active".into();
    }
}
