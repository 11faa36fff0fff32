//! One pivot between two model servers, and what must hold at every step of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use pivot_core::check::Severity;
use pivot_core::machine::{
    Act, Effect, End, Machine, Notice, Op, Options, Outcome, Phase, RecordState, RefusalClass, Retire, Seen,
    Side, Write,
};
use pivot_core::marks;
use pivot_core::object::{Manifest, ObjectKey, Uid};
use pivot_core::pause::PauseField;
use pivot_core::select::Action;
use serde_json::{Value, json};

use crate::chance::{Choice, Fate};
use crate::content::{set_host_pause, unpaused_content};
use crate::server::{Server, includes, namespace_key};
use crate::world::World;

pub(crate) const PIVOT: &str = "p1";
/// More steps than any of these pivots can need.
const LONGEST: usize = 20_000;

/// A pivot under way.
pub(crate) struct Run {
    world: World,
    machine: Machine,
    pub(crate) source: Server,
    pub(crate) target: Server,
    /// The source as it would be without the pivot.
    pub(crate) shadow: Server,
    /// What others have in the target.
    pub(crate) foreign: BTreeMap<ObjectKey, Value>,
    in_flight: Vec<Effect>,
    room: usize,
    sightings: VecDeque<Seen>,
    /// Revision of the latest list of the source, and up to which the watch has seen.
    listed: u64,
    watched: Option<u64>,
    records: BTreeSet<(Side, &'static str)>,
    /// Uids of what somebody removed from the target.
    usurped: Vec<Value>,
    /// Objects of which nobody knows whether the last write was applied.
    unknown: BTreeSet<(Side, ObjectKey)>,
    /// Every object that was ever to be moved.
    movable: BTreeSet<ObjectKey>,
    phase: Phase,
    rolling_back: bool,
    /// False once somebody did something of which the pivot could not know when it was decided.
    pub(crate) undisturbed: bool,
    edits: usize,
}

impl Run {
    /// `None` where PLAN finds that this cannot be moved.
    pub(crate) fn new(world: &World, room: usize, patience: Duration) -> Option<Self> {
        let mut source = Server::new("source", ["here".to_owned(), "there".to_owned()]);
        world.objects().into_iter().for_each(|object| drop(source.place(object)));
        let mut target = Server::new("target", world.target_namespaces.iter().cloned());
        let blueprint = world.blueprint(source.inventory(None), target.inventory(None));
        if blueprint.findings(&[]).iter().any(|finding| finding.severity == Severity::Error) {
            return None;
        }
        for namespace in &world.target_namespaces {
            target.place(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bystander", "namespace": namespace}}));
        }
        let options = Options {
            pivot_id: PIVOT.to_owned(),
            retire: Retire::Delete,
            wait: Duration::from_secs(10),
            patience,
            snapshots: 5,
            live_providers: BTreeSet::new(),
        };
        let mut run = Self {
            world: world.clone(),
            machine: Machine::new(blueprint, options),
            shadow: source.clone(),
            foreign: target.objects.clone(),
            source,
            target,
            in_flight: Vec::new(),
            room,
            sightings: VecDeque::new(),
            listed: 0,
            watched: None,
            records: BTreeSet::new(),
            usurped: Vec::new(),
            unknown: BTreeSet::new(),
            movable: BTreeSet::new(),
            phase: Phase::Plan,
            rolling_back: false,
            undisturbed: true,
            edits: 0,
        };
        run.listen();
        Some(run)
    }

    /// Lets happen what was chosen, then lets everything go well to the end.
    pub(crate) fn drive(&mut self, choices: &[Choice]) -> End {
        let mut choices = choices.iter().copied();
        for _ in 0..LONGEST {
            let well =
                if self.sightings.is_empty() { Choice::Effect(0, Fate::Done) } else { Choice::Sighting };
            if let Some(end) = self.step(choices.next().unwrap_or(well)) {
                return end;
            }
        }
        panic!("it does not end");
    }

    /// Lets one thing happen, unless it has ended.
    pub(crate) fn step(&mut self, choice: Choice) -> Option<End> {
        if let Some(end) = self.machine.end() {
            return Some(end.clone());
        }
        let room = self.room - self.in_flight.len();
        self.in_flight.extend(self.machine.next(room));
        assert!(!self.in_flight.is_empty(), "nothing to do, and no end");
        self.happen(choice);
        self.watch();
        self.listen();
        None
    }

    pub(crate) fn phase(&self) -> Phase {
        self.machine.phase()
    }

    pub(crate) fn is_decided(&self) -> bool {
        self.records.contains(&(Side::Target, "committed"))
    }

    /// Objects that were to exist in the target at last, with what is to become of them in the source.
    pub(crate) fn staged(&self) -> Vec<(ObjectKey, Action)> {
        let blueprint = self.machine.blueprint();
        blueprint
            .staged_objects()
            .map(|(id, object)| (object.key.clone(), blueprint.selection.action(id)))
            .collect()
    }

    fn happen(&mut self, choice: Choice) {
        match choice {
            Choice::Effect(pick, fate) => {
                let effect = self.in_flight.swap_remove(pick % self.in_flight.len());
                let outcome = self.outcome(&effect.act, fate);
                self.machine.apply(effect.id, outcome);
            }
            Choice::Sighting => {
                if let Some(seen) = self.sightings.pop_front() {
                    self.machine.changed(&seen);
                }
            }
            Choice::Interrupt => self.machine.interrupt(),
            Choice::Edit(n) => {
                self.edits += 1;
                let note = self.edits;
                self.on_both(n, |_, object| object["spec"]["note"] = note.into());
            }
            Choice::Pause(n) => self.on_both(n, |key, object| set_host_pause(key, object, Some("by-user"))),
            Choice::Unpause(n) => self.on_both(n, |key, object| set_host_pause(key, object, None)),
            Choice::Remove(n) => {
                if let Some(key) = self.nth_of_source(n) {
                    self.disturb();
                    self.source.remove(&key);
                    self.shadow.remove(&key);
                }
            }
            Choice::Add(n) => {
                let object = self.world.newcomer(n);
                if !self.source.objects.contains_key(&Manifest::new(object.clone()).key()) {
                    self.disturb();
                    self.source.place(object.clone());
                    self.shadow.place(object);
                }
            }
            Choice::Intrude(n) => {
                let namespace = if n % 2 == 0 { "here" } else { "there" };
                self.intrude(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("intruder-{n}"), "namespace": namespace}}));
            }
            Choice::Squat(n) => self.squat(n),
            // Later on VERIFY has seen the object, and nothing is known to forbid the decision.
            Choice::Usurp(n) => {
                if self.phase == Phase::Stage && !self.rolling_back {
                    if let Some(key) = self.nth_of_source(n).filter(|key| !self.foreign.contains_key(key)) {
                        self.usurped.extend(
                            self.target.objects.get(&key).map(|object| object["metadata"]["uid"].clone()),
                        );
                        self.target.remove(&key);
                    }
                    self.squat(n);
                }
            }
        }
    }

    fn squat(&mut self, n: usize) {
        if let Some(key) = self.nth_of_source(n) {
            let api_version = self.source.objects[&key]["apiVersion"].clone();
            self.intrude(json!({"apiVersion": api_version, "kind": key.kind.kind, "spec": {"squats": true},
                "metadata": {"name": key.name, "namespace": key.namespace}}));
        }
    }

    fn disturb(&mut self) {
        self.undisturbed &= self.machine.phase() <= Phase::Stage && !self.is_decided();
    }

    fn nth_of_source(&self, n: usize) -> Option<ObjectKey> {
        let standing = |(key, object): &(&ObjectKey, &Value)| {
            key.namespace.is_some() && object["metadata"]["deletionTimestamp"].is_null()
        };
        let keys: Vec<_> = self.source.objects.iter().filter(standing).map(|(key, _)| key).collect();
        (!keys.is_empty()).then(|| keys[n % keys.len()].clone())
    }

    fn on_both(&mut self, n: usize, change: impl Fn(&ObjectKey, &mut Value)) {
        if let Some(key) = self.nth_of_source(n) {
            self.disturb();
            self.source.edit(&key, |object| change(&key, object));
            self.shadow.edit(&key, |object| change(&key, object));
        }
    }

    /// Somebody creates an object in the target. Not in a namespace that is about to go: nothing can be done about that.
    fn intrude(&mut self, object: Value) {
        let key = Manifest::new(object.clone()).key();
        let namespace = namespace_key(key.namespace.as_deref().unwrap_or_default());
        let there = self.target.objects.contains_key(&namespace);
        let going = self.rolling_back && !self.foreign.contains_key(&namespace);
        if there && !going && !self.target.objects.contains_key(&key) {
            self.target.place(object);
            self.foreign.insert(key.clone(), self.target.objects[&key].clone());
        }
    }

    fn outcome(&mut self, act: &Act, fate: Fate) -> Outcome {
        if let Act::Write(Write { side, key, .. }) = act {
            let known = !self.unknown.contains(&(*side, key.clone()));
            assert!(known, "{key} is written again on the {side} without a look");
            if matches!(fate, Fate::Lost | Fate::Broken) {
                self.unknown.insert((*side, key.clone()));
            }
        }
        let refused = |class| Outcome::Refused {
            class,
            message: "as chance would have it".to_owned(),
            retry_after: None,
        };
        match fate {
            Fate::Busy => return refused(RefusalClass::Busy),
            Fate::Broken => return Outcome::Unknown("broken".to_owned()),
            Fate::Denied if !matches!(act, Act::Record { .. } | Act::Unwatch) => {
                return refused(RefusalClass::Denied);
            }
            Fate::Conflict if matches!(act, Act::Write(Write { op: Op::Create { .. }, .. })) => {}
            Fate::Conflict if matches!(act, Act::Write(_)) => return refused(RefusalClass::Conflict),
            Fate::Done | Fate::Lost | Fate::Denied | Fate::Conflict => {}
        }
        let outcome = self.perform(act);
        if fate == Fate::Lost { Outcome::Unknown("lost".to_owned()) } else { outcome }
    }

    fn perform(&mut self, act: &Act) -> Outcome {
        match act {
            Act::Write(write) => {
                self.check_write(write);
                self.server_mut(write.side).write(write)
            }
            Act::Read { side, key } => {
                self.unknown.remove(&(*side, key.clone()));
                Outcome::Read(self.server_mut(*side).read(key).map(Box::new))
            }
            Act::Inventory => {
                self.unknown.retain(|(side, _)| *side == Side::Target);
                self.listed = self.source.revision;
                Outcome::Inventory(Box::new(self.source.inventory(None)))
            }
            Act::ListTarget(extent) => {
                self.unknown.retain(|(side, key)| *side == Side::Source || !includes(extent, key));
                Outcome::Inventory(Box::new(self.target.inventory(Some(extent))))
            }
            Act::Glance { side, extent } => {
                Outcome::Glance(self.server_mut(*side).glance(|key| includes(extent, key)))
            }
            Act::Occupants(namespace) => Outcome::Glance(
                self.target.glance(|key| key.namespace.as_deref() == Some(namespace.as_str())),
            ),
            Act::Watch => {
                self.watched = Some(self.listed);
                Outcome::Watching
            }
            Act::Unwatch => {
                self.watched = None;
                Outcome::Watching
            }
            Act::Record { side, state } => {
                self.record(*side, *state);
                Outcome::Recorded
            }
        }
    }

    fn server_mut(&mut self, side: Side) -> &mut Server {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }

    fn watch(&mut self) {
        let Some(seen) = self.watched.replace(self.source.revision) else {
            self.watched = None;
            return;
        };
        let new = self.source.changes.iter().filter(|(revision, _)| *revision > seen);
        let source = &self.source;
        self.sightings.extend(new.map(|(revision, key)| {
            let found = source.glance(|other| other == key).pop();
            let (uid, owners) =
                found.map_or_else(|| (Uid(String::new()), Vec::new()), |seen| (seen.uid, seen.owners));
            Seen { key: key.clone(), uid, resource_version: revision.to_string(), owners, terminating: false }
        }));
    }

    fn listen(&mut self) {
        let blueprint = self.machine.blueprint();
        self.movable.extend(blueprint.with(Action::Move).map(|(_, object)| object.key.clone()));
        for notice in self.machine.notices() {
            match notice {
                Notice::PhaseStarted { phase } => {
                    let back =
                        matches!(phase, Phase::Quiesce | Phase::Snapshot) && self.phase <= Phase::Verify;
                    assert!(phase > self.phase || back, "{phase} after {}", self.phase);
                    assert!(!self.rolling_back, "{phase} while it is rolled back");
                    self.phase = phase;
                }
                Notice::RollingBack { .. } => {
                    assert!(!self.is_decided(), "rolled back after the decision");
                    assert!(self.in_flight.is_empty(), "rolled back while effects are in flight");
                    self.rolling_back = true;
                }
                Notice::Warning { message, .. } => assert!(!message.contains("BUG"), "{message}"),
                _ => {}
            }
        }
    }

    fn record(&mut self, side: Side, state: RecordState) {
        let name = match state {
            RecordState::Locked => "locked",
            RecordState::Prepared => "prepared",
            RecordState::Committed => "committed",
            RecordState::Aborted => "aborted",
            RecordState::Finished => "finished",
        };
        if state == RecordState::Committed {
            assert_eq!(side, Side::Target);
            assert!(self.records.contains(&(Side::Source, "prepared")), "committed before it was prepared");
            assert!(!self.records.contains(&(Side::Target, "aborted")), "committed after it was aborted");
            self.check_complete();
            self.undisturbed &= self.sightings.is_empty();
        }
        self.records.insert((side, name));
    }

    /// At the decision the target has everything, complete and paused.
    fn check_complete(&self) {
        for (_, object) in self.machine.blueprint().staged_objects() {
            let there = self.target.read(&object.key);
            let there =
                there.unwrap_or_else(|| panic!("{} is not in the target at the decision", object.key));
            let said = |object: &Manifest| {
                let mut content = unpaused_content(object.value());
                content["metadata"]["ownerReferences"] = Value::Null;
                content
            };
            assert_eq!(said(&there), said(&object.manifest), "{}", object.key);
            assert!(marks::is_ready(&there, PIVOT), "{} is not ready at the decision", object.key);
            if let Some(field) = PauseField::of(&object.key.kind) {
                assert!(field.is_paused(&field.read(&there)), "{} acts at the decision", object.key);
            }
        }
    }

    fn check_write(&self, write: &Write) {
        let Write { side, key, op } = write;
        let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        match op {
            Op::Create { body, .. } => {
                assert_eq!(body["metadata"]["uid"], Value::Null, "{key}");
                assert_eq!(body["metadata"]["resourceVersion"], Value::Null, "{key}");
            }
            Op::Replace { body, .. } | Op::Status { body, .. } => {
                assert!(text(&body["metadata"]["resourceVersion"]), "{key} is written without a guard");
            }
            Op::Merge { patch, .. } => {
                let guarded = text(&patch["metadata"]["uid"]) || text(&patch["metadata"]["resourceVersion"]);
                assert!(guarded, "{key} is patched without a guard");
            }
            Op::Delete { uid, .. } => assert!(!uid.0.is_empty(), "{key} is deleted without a guard"),
        }
        match side {
            Side::Source => self.check_source_write(key, op),
            Side::Target => self.check_target_write(key, op),
        }
    }

    fn check_source_write(&self, key: &ObjectKey, op: &Op) {
        assert!(self.movable.contains(key), "{key} does not move, and is written in the source");
        let strips = matches!(op, Op::Merge { patch, .. } if patch["metadata"].get("finalizers").is_some());
        if strips || matches!(op, Op::Delete { .. }) {
            assert!(self.is_decided(), "{key} is removed from the source before the decision");
        } else {
            assert!(matches!(op, Op::Merge { .. }), "{key} is written in the source by {op:?}");
            assert!(!self.is_decided(), "{key} is written in the source after the decision");
        }
    }

    fn check_target_write(&self, key: &ObjectKey, op: &Op) {
        if let Op::Create { body, .. } = op {
            for owner in body["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
                let exists = self.target.has_uid(&owner["uid"]) || self.usurped.contains(&owner["uid"]);
                assert!(exists, "{key} is created before its owner {owner}");
            }
            // What somebody removed was ready before.
            if !self.target.objects.contains_key(key) && self.usurped.is_empty() {
                self.check_order(key);
            }
            return;
        }
        // A write that does not meet what it expects is refused; one that does must meet what is ours.
        let Some(live) = self.target.read(key) else { return };
        let expected = match op {
            Op::Replace { body, .. } | Op::Status { body, .. } => &body["metadata"]["resourceVersion"],
            Op::Merge { patch, .. } => &patch["metadata"]["resourceVersion"],
            Op::Delete { uid, .. } => {
                assert!(marks::is_ours(&live, PIVOT) || live.uid() != *uid, "{key} is not ours, and deleted");
                return;
            }
            Op::Create { .. } => return,
        };
        assert!(
            marks::is_ours(&live, PIVOT) || *expected != live.resource_version(),
            "{key} is not ours, and overwritten"
        );
    }

    /// What an object needs is ready before it is created, unless that is part of a cycle of owners.
    fn check_order(&self, key: &ObjectKey) {
        let blueprint = self.machine.blueprint();
        let Some(id) = blueprint.source.inventory.find(key) else { return };
        for &need in &blueprint.order.needs[&id] {
            if blueprint.order.deferred_owners.iter().any(|(dependent, _)| *dependent == need) {
                continue;
            }
            let need = &blueprint.object(need).key;
            let ready = self.target.read(need).is_some_and(|found| marks::is_ready(&found, PIVOT));
            assert!(ready, "{key} is created before {need} is ready");
        }
    }
}
