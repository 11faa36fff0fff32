//! The way back: nothing of ours stays in the target, and the source gets its original values.

use std::collections::BTreeMap;

use super::Machine;
use super::defect::Defect;
use super::effect::{Op, Outcome, RefusalClass, Revision, Write};
use super::end::End;
use super::ironic::IronicStep;
use super::ledger::Doc;
use super::namespace::Namespaces;
use super::notice::{Notice, Side};
use super::observe::describe_pause;
use super::phase::Phase;
use super::quiesce::guarded;
use super::removal::Removal;
use super::retry::Tries;
use super::script::Then;
use super::step::Step;
use crate::inventory::Object;
use crate::marks;
use crate::object::{Manifest, ObjectKey};
use crate::record::{Ending, State, chunk_number};
use crate::rewrite::OWN_MANAGER;

/// A rollback under way.
#[derive(Debug)]
pub(super) struct Rollback {
    phase: Phase,
    cause: String,
    /// Objects to be restored in the source, as they were read.
    restoring: BTreeMap<ObjectKey, Manifest>,
    /// What is there of what was staged.
    staged: Vec<Object>,
    pending: usize,
    pub(super) namespaces: Namespaces,
    /// The target could be decided until its record says that the pivot is off: the source waits for it (R2).
    needs_target: bool,
    /// The target stopped to answer, and is left as it is as soon as nothing is under way.
    giving_up: bool,
    /// Somebody else began it.
    of_another: bool,
}

impl Rollback {
    /// The phase that failed.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }
}

impl Machine {
    /// First it is written down that nothing goes forward any more: in the target, where it could have been decided there (R2),
    /// then in the source, against which every other coordinator loses (R1).
    pub(super) fn begin_rollback(&mut self, phase: Phase, cause: String) {
        self.start_rollback(phase, cause, false);
        self.say_that_it_is_off();
    }

    /// What somebody else began is undone. Whatever they have under way must not count any more.
    pub(super) fn begin_rollback_of_another(&mut self, phase: Phase, cause: String) {
        self.start_rollback(phase, cause, true);
        self.say_that_it_is_off();
    }

    fn start_rollback(&mut self, phase: Phase, cause: String, of_another: bool) {
        self.notices.push(Notice::RollingBack { phase, cause: cause.clone() });
        self.removal = None;
        self.entries.cause = Some(cause.clone());
        self.rollback = Some(Rollback {
            phase,
            cause,
            restoring: BTreeMap::new(),
            staged: Vec::new(),
            pending: 0,
            namespaces: Namespaces::default(),
            needs_target: self.is_prepared() && !Defect::OpenUnanswered.is_made(),
            giving_up: false,
            of_another,
        });
        self.push(Step::Unwatch);
    }

    fn say_that_it_is_off(&mut self) {
        let Some(rollback) = &self.rollback else { return };
        let (needs_target, of_another) = (rollback.needs_target, rollback.of_another);
        let mut waves = Vec::new();
        if needs_target && self.is_recorded(Side::Target) {
            waves.push(self.enter(Side::Target, State::Aborted));
        }
        if self.is_recorded(Side::Source) {
            waves.push(self.enter(Side::Source, State::Aborting));
        }
        if of_another {
            // Also where it says so already: it is to be ours before anything else is.
            if !needs_target {
                let state = self.entries.get(Side::Target).state.max(State::Aborting);
                waves.push(self.enter(Side::Target, state));
            }
            for side in [Side::Source, Side::Target] {
                waves.push(self.claim(side));
            }
            waves.extend(self.keep_out(Side::Target));
        }
        self.play(waves, Then::Aborting);
    }

    /// True in a rollback in which the target's word is not needed, or was given.
    pub(super) fn can_do_without_target(&self) -> bool {
        let source = self.has_side(Side::Source);
        source && !self.gone.target && self.rollback.as_ref().is_some_and(|rollback| !rollback.needs_target)
    }

    /// The target does not answer: it keeps what is staged there, which does not act, and the source comes back.
    pub(super) fn give_up_target(&mut self, cause: &str) {
        let message = format!("the target is left as it is for now: {cause}");
        self.notices.push(Notice::Warning { object: None, message });
        self.rollback_mut().giving_up = true;
        self.give_up_when_idle();
    }

    pub(super) fn is_giving_up(&self) -> bool {
        self.rollback.as_ref().is_some_and(|rollback| rollback.giving_up)
    }

    pub(super) fn give_up_when_idle(&mut self) {
        self.ready.clear();
        if !self.in_flight.is_empty() {
            return;
        }
        self.rollback_mut().giving_up = false;
        self.gone.target = true;
        self.script = None;
        self.removal = None;
        self.say_that_it_is_off();
    }

    /// The target is cleaned first: the source must not act while anything of ours could act beside it. The phase does not tell
    /// whether anything is there: a change in the source leads back from STAGE and VERIFY.
    pub(super) fn clear_target(&mut self) {
        self.rollback_mut().needs_target = false;
        if self.gone.target || Defect::LeaveStaged.is_made() {
            self.target_clear();
        } else if self.stage.items.is_empty() && self.reach.kinds.is_empty() {
            self.drop_namespaces();
        } else {
            self.push(Step::Sweep);
        }
    }

    /// Nothing staged is left. The target's fence stays to the end: until then nothing of an earlier coordinator arrives there.
    pub(super) fn target_clear(&mut self) {
        let of_another = self.rollback_mut().of_another;
        let mut waves = Vec::new();
        // Another coordinator's policy would refuse our own writes, and may itself be pausing yet.
        if self.ledger.has(Side::Source, Doc::Policy) || (of_another && !self.paused.is_empty()) {
            waves.extend(self.keep_out(Side::Source));
        }
        self.play(waves, Then::TargetCleared);
    }

    /// Ironic comes back before anybody may act who needs it.
    pub(super) fn clear_source(&mut self) {
        if self.ironic.may_be_stopped() && self.has_side(Side::Source) {
            self.push(Step::Ironic(Side::Source, IronicStep::Start));
        } else {
            self.open_source();
        }
    }

    pub(super) fn open_source(&mut self) {
        let paused: Vec<_> = self.paused.keys().cloned().collect();
        if paused.is_empty() || !self.has_side(Side::Source) {
            return self.restored_all();
        }
        self.rollback_mut().pending = paused.len();
        // Each is read by itself: no list, however old, may hide a pause of ours.
        for key in paused {
            let of = Box::new(Step::Restore(key.clone()));
            self.push(Step::ReadBack { of, side: Side::Source, key });
        }
    }

    pub(super) fn rollback_mut(&mut self) -> &mut Rollback {
        self.rollback.as_mut().expect("BUG: a rollback step without a rollback")
    }

    pub(super) fn settle_sweep(&mut self, outcome: Outcome) {
        let found = match outcome {
            Outcome::Inventory(inventory) => inventory,
            other => return self.refused("listing the target", other),
        };
        // What was staged and is not listed was removed by somebody, or the list is older than it: each is read by itself.
        let staged = self.stage.items().iter().filter(|item| !item.foreign && item.target.is_some());
        let unlisted: Vec<_> =
            staged.map(|item| &item.key).filter(|key| found.get(key).is_none()).cloned().collect();
        let id = &self.options.pivot_id;
        let listed = found.iter().map(|(_, object)| object);
        let ours = listed.filter(|object| marks::is_ours(&object.manifest, id)).cloned().collect();
        let rollback = self.rollback_mut();
        rollback.staged = ours;
        rollback.pending = unlisted.len();
        for key in unlisted {
            self.push(Step::Unlisted(key));
        }
        self.swept();
    }

    pub(super) fn settle_unlisted(&mut self, key: ObjectKey, outcome: Outcome) {
        let found = match outcome {
            Outcome::Read(found) => found,
            other => return self.refused(&format!("reading {key}"), other),
        };
        let ours = found.filter(|found| marks::is_ours(found, &self.options.pivot_id));
        let rollback = self.rollback_mut();
        rollback.pending -= 1;
        rollback.staged.extend(ours.map(|manifest| Object { key, uid: manifest.uid(), manifest: *manifest }));
        self.swept();
    }

    fn swept(&mut self) {
        let rollback = self.rollback_mut();
        if rollback.pending > 0 {
            return;
        }
        let staged = std::mem::take(&mut rollback.staged);
        self.removal = Some(Removal::by_owners(Side::Target, staged.iter()));
        self.start_removal();
        if self.removal().is_finished() {
            self.drop_namespaces();
        }
    }

    pub(super) fn restore_write(&self, key: &ObjectKey) -> Write {
        let paused = self.paused_object(key);
        let now = self.rollback.as_ref().and_then(|r| r.restoring.get(key)).expect("BUG: nothing to restore");
        let patch = guarded(paused.field.patch(&paused.original), now.resource_version());
        Write {
            side: Side::Source,
            key: key.clone(),
            op: Op::Merge { patch, manager: OWN_MANAGER.to_owned() },
        }
    }

    pub(super) fn settle_restore(&mut self, key: ObjectKey, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Written(_) | Outcome::Refused { class: RefusalClass::NotFound, .. } => self.restored(),
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Restore(key), tries, &message);
            }
            other => self.refused(&format!("unpausing {key} in the source"), other),
        }
    }

    /// What carries our pause is opened. A value that somebody set since is theirs.
    pub(super) fn read_back_restore(&mut self, key: ObjectKey, tries: Tries, found: Option<&Manifest>) {
        let paused = self.paused_object(&key);
        let (field, original) = (paused.field, paused.original.clone());
        let Some(found) = found else { return self.restored() };
        let now = field.read(found);
        if now == field.paused(&self.options.pivot_id) && now != original {
            self.rollback_mut().restoring.insert(key.clone(), found.clone());
            return self.again(Step::Restore(key), tries);
        }
        if now != original {
            let pause = describe_pause(&now);
            let message = format!("its pause was changed by somebody else to {pause}; left as it is");
            self.notices.push(Notice::Warning { object: Some(key), message });
        }
        self.restored();
    }

    fn restored(&mut self) {
        let rollback = self.rollback_mut();
        rollback.pending -= 1;
        if rollback.pending == 0 {
            self.restored_all();
        }
    }

    fn restored_all(&mut self) {
        // Before the fence knew of us, whoever was there before may have written a chunk.
        let had_another = self.blueprint.pivot.is_some()
            || self.rollback.as_ref().is_some_and(|rollback| rollback.of_another);
        if had_another && !self.gone.target {
            self.push(Step::Leftovers);
        } else {
            self.let_go();
        }
    }

    /// Chunks of a snapshot that arrived since the records were read. They hold Secrets.
    pub(super) fn settle_leftovers(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Glance(seen) => {
                for seen in seen {
                    if let Some(number) = chunk_number(&self.options.pivot_id, &seen.key) {
                        let (uid, resource_version) = (seen.uid, seen.resource_version);
                        let revision = Revision { uid, resource_version, generation: 0 };
                        self.ledger.came(Side::Target, Doc::Chunk(number), revision);
                    }
                }
            }
            other => {
                let message =
                    format!("what is left beside the records in the target cannot be seen: {other:?}");
                self.notices.push(Notice::Warning { object: None, message });
            }
        }
        if self.rollback.is_some() {
            self.let_go();
        } else {
            self.drop_snapshot();
        }
    }

    fn let_go(&mut self) {
        // Whatever is paused from here on, somebody else paused.
        self.paused.clear();
        let mut waves = self.lower(Side::Source, Ending::Undone);
        waves.push(self.disown(Side::Source));
        // A target that is only out of reach still has to be cleaned: the record says so until then.
        let is_left = self.gone.target && !self.gone.target_attested;
        if is_left && self.is_recorded(Side::Source) {
            waves.push(self.enter(Side::Source, State::Aborting));
        }
        let chunks = self.ledger.chunks(Side::Target);
        waves.push(chunks.into_iter().filter_map(|chunk| self.want(Side::Target, chunk, None)).collect());
        waves.push(self.disown(Side::Target));
        waves.extend(self.lower(Side::Target, Ending::Undone));
        if !is_left && self.is_recorded(Side::Source) {
            waves.push(self.enter(Side::Source, State::Aborted));
        }
        waves.push(self.want(Side::Target, Doc::Record, None).into_iter().collect());
        self.play(waves, Then::RolledBack);
    }

    pub(super) fn rolled_back(&mut self) {
        let rollback = self.rollback_mut();
        let (phase, cause) = (rollback.phase, rollback.cause.clone());
        self.end = Some(if self.gone.target && !self.gone.target_attested {
            let cause = "the source is as it was; the target does not answer and still holds what was staged there, paused"
                .to_owned();
            self.suspended(phase, cause, super::Why::Failed)
        } else {
            End::RolledBack { phase, cause }
        });
    }
}
