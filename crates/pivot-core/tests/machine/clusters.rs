//! The two clusters of a model, the people in them, and what truly happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pivot_core::machine::Side;
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::pause::PauseField;
use pivot_core::record::{Document as _, NAMESPACE, PivotRecord, State, pivot_key};
use serde_json::{Value, json};

use crate::admission::Author;
use crate::content::set_host_pause;
use crate::ironic::{self, Ironic};
use crate::server::{Server, namespace_key};
use crate::world::{Managers, World};

/// What truly happened to a pivot, as a spectator of both clusters would tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The source's record has said Prepared.
    pub(crate) prepared: bool,
    /// The target's record has said Committed.
    pub(crate) committed: bool,
    /// Token of the coordinator that made it say so.
    pub(crate) decided_by: Option<String>,
    /// The target's record has said Aborted.
    pub(crate) called_off: bool,
    /// Every object that was ever to be moved.
    pub(crate) movable: BTreeSet<ObjectKey>,
}

/// Both clusters.
#[derive(Clone)]
pub(crate) struct Clusters {
    pub(crate) source: Server,
    pub(crate) target: Server,
    /// The source as it would be without the pivot.
    pub(crate) shadow: Server,
    /// What others have in the target.
    pub(crate) foreign: BTreeMap<ObjectKey, Arc<Value>>,
    /// The target before anything was done.
    pub(crate) before: BTreeMap<ObjectKey, Arc<Value>>,
    pub(crate) history: BTreeMap<String, History>,
    /// Sides that do not answer.
    pub(crate) silent: BTreeSet<Side>,
    /// Sides that were attested dead.
    pub(crate) dead: BTreeSet<Side>,
    /// Somebody removed something from the target that was staged.
    pub(crate) usurped: bool,
    /// Sides whose fence went as it should.
    pub(crate) lowered: BTreeSet<Side>,
    /// What a coordinator that was taken for dead had on its way, and what arrived after every fence was gone.
    pub(crate) ghosts: BTreeSet<(Side, ObjectKey)>,
    /// False once somebody did something of which the pivot could not know when it was decided.
    pub(crate) undisturbed: bool,
    /// Somebody unpaused, or added, something that acts.
    pub(crate) meddled: bool,
    /// What somebody added to the source while it was cleared.
    pub(crate) late: BTreeSet<ObjectKey>,
    /// Both sides' Ironic; nothing where it is left alone.
    pub(crate) ironic: BTreeMap<Side, Ironic>,
    edits: usize,
}

impl Clusters {
    pub(crate) fn new(world: &World) -> Self {
        let mut source = Server::new("source", ["here".to_owned(), "there".to_owned()]);
        let mut target = Server::new("target", world.target_namespaces.iter().cloned());
        for object in world.objects() {
            source.place(object);
        }
        if world.managers != Managers::Nobody {
            for (server, asleep) in [(&mut source, false), (&mut target, world.managers == Managers::Asleep)]
            {
                for object in crate::world::managers(asleep) {
                    server.place(object);
                }
                server.settle();
            }
        }
        for namespace in &world.target_namespaces {
            target.place(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bystander", "namespace": namespace}}));
        }
        source.lag = world.lag;
        target.lag = world.lag;
        let managed = |key: &ObjectKey| matches!(key.kind.kind.as_str(), "Lease" | "Deployment");
        let foreign = target.objects.iter().filter(|(key, _)| !managed(key));
        Self {
            shadow: source.clone(),
            foreign: foreign.map(|(key, object)| (key.clone(), Arc::clone(object))).collect(),
            before: target.objects.clone(),
            source,
            target,
            history: BTreeMap::new(),
            silent: BTreeSet::new(),
            dead: BTreeSet::new(),
            usurped: false,
            lowered: BTreeSet::new(),
            ghosts: BTreeSet::new(),
            undisturbed: true,
            meddled: false,
            late: BTreeSet::new(),
            ironic: if world.ironic { ironic::both() } else { BTreeMap::new() },
            edits: 0,
        }
    }

    pub(crate) fn server(&self, side: Side) -> &Server {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    pub(crate) fn server_mut(&mut self, side: Side) -> &mut Server {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }

    pub(crate) fn history(&self, id: &str) -> History {
        self.history.get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn is_committed(&self, id: &str) -> bool {
        self.history.get(id).is_some_and(|history| history.committed)
    }

    /// What a side's record says.
    pub(crate) fn record(&self, side: Side, id: &str) -> Option<PivotRecord> {
        let found = self.server(side).read(&pivot_key(id))?;
        Some(PivotRecord::from_object(&found).unwrap())
    }

    pub(crate) fn state(&self, side: Side, id: &str) -> Option<State> {
        self.record(side, id).map(|record| record.state)
    }

    /// True where a side holds something that could act now: unpaused, or moving by itself, and not behind a fence.
    pub(crate) fn acts(&self, side: Side) -> bool {
        let server = self.server(side);
        server.objects.iter().any(|(key, object)| {
            PauseField::of(&key.kind).is_some_and(|field| {
                !field.is_paused(&field.read(&Manifest::new(Value::clone(object))))
                    && !self.foreign.contains_key(key)
                    && !server.refuses(&Author::Anybody, key, false)
            })
        })
    }

    /// Lets the garbage collectors do what they may.
    pub(crate) fn collect(&mut self) {
        while self.target.collect().is_some() {}
        while let Some(key) = self.source.collect() {
            // Somebody else took its owner away, and not the pivot.
            if self.shadow.is_orphan(&key) {
                self.shadow.delete(&key);
            }
        }
    }

    /// Some object of the source that stands.
    pub(crate) fn nth_of_source(&self, n: usize) -> Option<ObjectKey> {
        let standing = |(key, object): &(&ObjectKey, &Arc<Value>)| {
            key.namespace.as_deref().is_some_and(|namespace| !matches!(namespace, NAMESPACE | "managers"))
                && object["metadata"]["deletionTimestamp"].is_null()
        };
        let keys: Vec<_> = self.source.objects.iter().filter(standing).map(|(key, _)| key).collect();
        (!keys.is_empty()).then(|| keys[n % keys.len()].clone())
    }
}

/// What people do.
impl Clusters {
    /// Changes an object of the source; false where a fence refuses.
    fn on_both(&mut self, n: usize, change: impl Fn(&ObjectKey, &mut Value)) -> bool {
        let Some(key) = self.nth_of_source(n) else { return false };
        if self.source.refuses(&Author::Anybody, &key, false) {
            return false;
        }
        self.source.edit(&key, |object| change(&key, object));
        self.shadow.edit(&key, |object| change(&key, object));
        true
    }

    pub(crate) fn edit(&mut self, n: usize) -> bool {
        self.edits += 1;
        let note = self.edits;
        self.on_both(n, |_, object| object["spec"]["note"] = note.into())
    }

    pub(crate) fn pause(&mut self, n: usize) -> bool {
        self.on_both(n, |key, object| set_host_pause(key, object, Some("by-user")))
    }

    pub(crate) fn unpause(&mut self, n: usize) -> bool {
        let done = self.on_both(n, |key, object| set_host_pause(key, object, None));
        self.meddled |= done;
        done
    }

    pub(crate) fn remove(&mut self, n: usize) -> bool {
        let Some(key) = self.nth_of_source(n) else { return false };
        if self.source.refuses(&Author::Anybody, &key, true) {
            return false;
        }
        self.source.remove(&key);
        self.shadow.remove(&key);
        true
    }

    pub(crate) fn add(&mut self, object: Value) -> bool {
        let key = Manifest::new(object.clone()).key();
        if self.source.objects.contains_key(&key) || self.source.refuses(&Author::Anybody, &key, false) {
            return false;
        }
        self.source.place(object.clone());
        self.shadow.place(object);
        self.meddled |= PauseField::of(&key.kind).is_some();
        true
    }

    /// Somebody creates an object in the target. Not in a namespace that is about to go: nothing can be done about that.
    pub(crate) fn intrude(&mut self, object: Value, is_going: bool) {
        let key = Manifest::new(object.clone()).key();
        let namespace = namespace_key(key.namespace.as_deref().unwrap_or_default());
        let there = self.target.objects.contains_key(&namespace);
        let going = is_going && !self.foreign.contains_key(&namespace);
        let refused = self.target.refuses(&Author::Anybody, &key, false);
        if there && !going && !refused && !self.target.objects.contains_key(&key) {
            self.target.place(object);
            self.foreign.insert(key.clone(), Arc::clone(&self.target.objects[&key]));
        }
    }

    /// Somebody takes a name in the target that is to be taken by the pivot.
    pub(crate) fn squat(&mut self, n: usize, is_going: bool) {
        if let Some(key) = self.nth_of_source(n) {
            let api_version = self.source.objects[&key]["apiVersion"].clone();
            let object = json!({"apiVersion": api_version, "kind": key.kind.kind, "spec": {"squats": true},
                "metadata": {"name": key.name, "namespace": key.namespace}});
            self.intrude(object, is_going);
        }
    }

    /// Somebody removes what was staged.
    pub(crate) fn usurp(&mut self, n: usize) {
        let Some(key) = self.nth_of_source(n).filter(|key| !self.foreign.contains_key(key)) else { return };
        if !self.target.refuses(&Author::Anybody, &key, true) {
            self.usurped |= self.target.objects.contains_key(&key);
            self.target.remove(&key);
        }
    }
}
