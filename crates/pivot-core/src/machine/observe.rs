//! ACTIVATE and OBSERVE: the target acts, and is seen to be well.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;

use super::Machine;
use super::effect::{Op, Outcome, RefusalClass, Revision, Seen, Write};
use super::ironic::IronicStep;
use super::notice::{Notice, Side};
use super::quiesce::guarded;
use super::retry::Tries;
use super::script::Then;
use super::stage::Item;
use super::step::Step;
use crate::fence::captured_by;
use crate::object::{Manifest, ObjectKey};
use crate::pause::PauseField;
use crate::record::{Ending, Standing};
use crate::rewrite::OWN_MANAGER;

/// Wait between two looks at a lease.
const POLL: Duration = Duration::from_millis(500);
/// How long the election of a leader may take, all managers together.
const ELECTION: Duration = Duration::from_secs(60);

/// Hosts come first: a Cluster that acts on hosts which stand still does no harm, the other way round it might.
fn wave(key: &ObjectKey) -> u8 {
    match key.kind.kind.as_str() {
        "BareMetalHost" => 0,
        "ClusterClass" => 1,
        _ => 2,
    }
}

impl Machine {
    pub(super) fn begin_activate(&mut self) {
        self.push(Step::Unwatch);
        if self.hands_over() {
            self.push(Step::Ironic(Side::Target, IronicStep::Start));
        } else {
            self.open_hosts_first();
        }
    }

    /// Ironic acts in the target by now, where it was handed over.
    pub(super) fn open_hosts_first(&mut self) {
        self.open_next_wave(None);
    }

    /// Everything has its original pause value: now the target may act on it. The policy goes last (`lower`).
    pub(super) fn let_act(&mut self) {
        let mut waves = vec![self.own(Side::Target, Standing::Active)];
        if self.entries.get(Side::Target).fenced {
            waves.extend(self.lower(Side::Target, Ending::Done));
        }
        waves.push(self.save(Side::Target));
        self.play(waves, Then::Activated);
    }

    pub(super) fn activated(&mut self) {
        self.open = true;
        let count = self.stage.items().iter().filter(|item| self.original_pause(item).is_some()).count();
        self.advance(format!("{count} objects unpaused"));
    }

    /// Original pause values go to what came unpaused from the source, wave after wave.
    fn open_next_wave(&mut self, after: Option<u8>) {
        let items = self
            .stage
            .items()
            .iter()
            .filter(|item| !item.foreign && !item.opened && self.original_pause(item).is_some());
        let to_open: Vec<_> = items.map(|item| item.key.clone()).collect();
        let next = to_open.iter().map(wave).filter(|wave| after.is_none_or(|after| *wave > after)).min();
        let Some(next) = next else { return self.let_act() };
        let keys: Vec<_> = to_open.into_iter().filter(|key| wave(key) == next).collect();
        self.pending = keys.len();
        for key in keys {
            self.push(Step::Open(key));
        }
    }

    /// The pause value to come back to; `None` for what is not paused by itself, or was paused by the user.
    fn original_pause(&self, item: &Item) -> Option<(PauseField, Value)> {
        let field = PauseField::of(&item.key.kind)?;
        let original = match self.paused.get(&item.key) {
            Some(paused) => paused.original.clone(),
            None => field.read(&self.blueprint.object(item.id).manifest),
        };
        (!field.is_paused(&original)).then_some((field, original))
    }

    pub(super) fn open_write(&self, key: &ObjectKey) -> Write {
        let item = self.stage.find(key).expect("BUG: an opened object was not staged");
        let (field, original) = self.original_pause(item).expect("BUG: an opened object has nothing to open");
        let revision = item.target.as_ref().expect("BUG: an opened object is not in the target");
        // The revision is the one that VERIFY compared: a host is never opened with another status.
        let patch = guarded(field.patch(&original), &revision.resource_version);
        Write {
            side: Side::Target,
            key: key.clone(),
            op: Op::Merge { patch, manager: OWN_MANAGER.to_owned() },
        }
    }

    pub(super) fn settle_open(&mut self, key: ObjectKey, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Written(revision) => self.opened(&key, revision),
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Open(key), tries, &message);
            }
            other => self.refused(&format!("unpausing {key} in the target"), other),
        }
    }

    pub(super) fn read_back_open(&mut self, key: ObjectKey, tries: Tries, found: Option<&Manifest>) {
        let Some(found) = found else {
            return self.fail(format!("{key} vanished from the target after the commit"));
        };
        let index = self.stage.position(&key).expect("BUG: an opened object was not staged");
        let original = self.original_pause(self.stage.item(index));
        if original.is_some_and(|(field, original)| field.read(found) == original) {
            self.opened(&key, Revision::of(found));
            return;
        }
        let index = self
            .stage
            .items()
            .iter()
            .position(|item| item.key == key)
            .expect("BUG: an opened object was not staged");
        if let Some(loss) = self.losses(index, found).first() {
            self.fail(format!("{key} changed in the target after VERIFY at {}; it stays paused", loss.path));
            return;
        }
        self.stage.update(&key, Revision::of(found));
        self.again(Step::Open(key), tries);
    }

    fn opened(&mut self, key: &ObjectKey, revision: Revision) {
        self.stage.update(key, revision);
        self.pending -= 1;
        if self.pending == 0 {
            self.open_next_wave(Some(wave(key)));
        }
    }

    /// The target's controllers lead, and then everything is still there.
    pub(super) fn begin_observe(&mut self) {
        let managers = self.options.controllers.get(&Side::Target).into_iter().flatten();
        let run = managers.filter(|manager| manager.ready || manager.asleep.is_some());
        let leases: BTreeSet<_> = run.flat_map(|run| &run.leases).map(|lease| lease.key.clone()).collect();
        let steps =
            if self.is_fenced_fully() { leases.into_iter().map(Step::Leads).collect() } else { Vec::new() };
        self.play(vec![steps], Then::Led);
    }

    pub(super) fn led(&mut self) {
        self.push(Step::Observe);
    }

    /// A controller that does not lead by now is told, and no reason to stop: nothing is left to undo.
    pub(super) fn settle_leads(&mut self, key: ObjectKey, outcome: Outcome) {
        let found = match outcome {
            Outcome::Read(found) => found,
            other => return self.refused("looking at a manager", other),
        };
        let holder = found.as_ref().and_then(|found| found.pointer("/spec/holderIdentity")?.as_str());
        let leads = holder.is_some_and(|holder| !holder.is_empty() && captured_by(holder).is_none());
        if leads || found.is_none() {
            return self.scripted();
        }
        if self.waited >= self.options.wait.min(ELECTION) {
            let message =
                format!("nobody leads by it after {} s; look at its controller", self.waited.as_secs());
            self.notices.push(Notice::Warning { object: Some(key), message });
            return self.scripted();
        }
        if self.waited.is_zero() {
            let what = "controllers of the target to lead".to_owned();
            self.notices.push(Notice::Waiting { what, objects: vec![key.clone()] });
        }
        self.waited += POLL;
        self.push(Step::Leads(key).delayed(POLL));
    }

    /// Everything is still there, the same instance, and nobody deletes it.
    pub(super) fn settle_observe(&mut self, outcome: Outcome) {
        let seen = match outcome {
            Outcome::Glance(seen) => seen,
            other => return self.refused("listing the target", other),
        };
        let by_key: HashMap<&ObjectKey, &Seen> = seen.iter().map(|seen| (&seen.key, seen)).collect();
        // What another run already missed is told; controllers of the target may have removed it since.
        let unwell = self.stage.items().iter().filter(|item| item.target.is_some()).filter(|item| {
            let found = by_key.get(&item.key);
            !found.is_some_and(|seen| {
                !seen.terminating && item.target.as_ref().is_some_and(|t| t.uid == seen.uid)
            })
        });
        let unwell: Vec<_> = unwell.map(|item| item.key.to_string()).collect();
        if unwell.is_empty() {
            self.advance(format!("{} objects are well in the target", self.stage.items().len()));
            return;
        }
        let shown: Vec<_> = unwell.iter().take(5).cloned().collect();
        self.fail(format!(
            "{} objects are gone from the target or being deleted there ({}); the source's objects are kept, paused",
            unwell.len(),
            shown.join(", ")
        ));
    }
}

/// A pause value as text for messages.
pub(super) fn describe_pause(value: &Value) -> String {
    if value.is_null() { "not paused".to_owned() } else { value.to_string() }
}
