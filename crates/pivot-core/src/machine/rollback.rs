//! The way back: nothing of ours stays in the target, and the source gets its original values.

use std::collections::BTreeMap;

use super::Machine;
use super::effect::{Op, Outcome, RefusalClass, Write};
use super::end::End;
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
use crate::inventory::Inventory;
use crate::marks;
use crate::object::{Manifest, ObjectKey};
use crate::record::State;
use crate::rewrite::OWN_MANAGER;

/// A rollback under way.
#[derive(Debug)]
pub(super) struct Rollback {
    phase: Phase,
    cause: String,
    /// Objects to be restored in the source, as they were read.
    restoring: BTreeMap<ObjectKey, Manifest>,
    pending: usize,
    pub(super) namespaces: Namespaces,
    /// True from where the source may act again.
    source_open: bool,
}

impl Rollback {
    /// The phase that failed.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn is_source_open(&self) -> bool {
        self.source_open
    }
}

impl Machine {
    /// First it is written down that nothing goes forward any more: in the target, where it could have been decided there (R2),
    /// then in the source, against which every other coordinator loses (R1).
    pub(super) fn begin_rollback(&mut self, phase: Phase, cause: String) {
        self.notices.push(Notice::RollingBack { phase, cause: cause.clone() });
        self.removal = None;
        self.entries.cause = Some(cause.clone());
        let was_prepared = self.is_prepared();
        self.rollback = Some(Rollback {
            phase,
            cause,
            restoring: BTreeMap::new(),
            pending: 0,
            namespaces: Namespaces::default(),
            source_open: false,
        });
        self.push(Step::Unwatch);
        let mut waves = Vec::new();
        if was_prepared && self.is_recorded(Side::Target) {
            waves.push(self.enter(Side::Target, State::Aborted));
        }
        if self.is_recorded(Side::Source) {
            waves.push(self.enter(Side::Source, State::Aborting));
        }
        // Another coordinator's policy would refuse our own writes.
        if self.ledger.has(Side::Target, Doc::Policy) {
            waves.extend(self.raise_again(Side::Target));
        }
        self.play(waves, Then::Aborting);
    }

    /// The target is cleaned first: the source must not act while anything of ours could act beside it. The phase does not tell
    /// whether anything is there: a change in the source leads back from STAGE and VERIFY.
    pub(super) fn clear_target(&mut self) {
        if self.gone.target {
            self.target_clear();
        } else if self.stage.items.is_empty() && self.reach.kinds.is_empty() {
            self.drop_namespaces();
        } else {
            self.push(Step::Sweep);
        }
    }

    /// Nothing staged is left.
    pub(super) fn target_clear(&mut self) {
        let mut waves = self.lower(Side::Target);
        if self.ledger.has(Side::Source, Doc::Policy) {
            waves.extend(self.raise_again(Side::Source));
        }
        self.play(waves, Then::TargetCleared);
    }

    pub(super) fn clear_source(&mut self) {
        if self.paused.is_empty() || !self.has_side(Side::Source) {
            self.restored_all();
        } else {
            self.push(Step::Survey);
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
        let id = &self.options.pivot_id;
        let ours =
            found.iter().map(|(_, object)| object).filter(|object| marks::is_ours(&object.manifest, id));
        self.removal = Some(Removal::by_owners(Side::Target, ours));
        self.start_removal();
        if self.removal().is_finished() {
            self.drop_namespaces();
        }
    }

    pub(super) fn settle_survey(&mut self, outcome: Outcome) {
        let inventory = match outcome {
            Outcome::Inventory(inventory) => inventory,
            other => return self.refused("listing the source", other),
        };
        let restoring = self.objects_to_restore(&inventory);
        let keys: Vec<_> = restoring.keys().cloned().collect();
        let rollback = self.rollback_mut();
        rollback.pending = keys.len();
        rollback.restoring = restoring;
        if keys.is_empty() {
            self.restored_all();
        }
        for key in keys {
            self.push(Step::Restore(key));
        }
    }

    /// Objects that carry our pause. A value that somebody set since is theirs.
    fn objects_to_restore(&mut self, inventory: &Inventory) -> BTreeMap<ObjectKey, Manifest> {
        let mut restoring = BTreeMap::new();
        for (key, paused) in &self.paused {
            let Some(object) = inventory.get(key) else { continue };
            let now = paused.field.read(&object.manifest);
            if now == paused.original {
                continue;
            }
            if now == paused.field.paused(&self.options.pivot_id) {
                restoring.insert(key.clone(), object.manifest.clone());
            } else {
                self.notices.push(Notice::Warning {
                    object: Some(key.clone()),
                    message: format!(
                        "its pause was changed by somebody else to {}; left as it is",
                        describe_pause(&now)
                    ),
                });
            }
        }
        restoring
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

    pub(super) fn read_back_restore(&mut self, key: ObjectKey, tries: Tries, found: Option<&Manifest>) {
        let paused = self.paused_object(&key).clone();
        match found {
            Some(found) if paused.field.read(found) == paused.field.paused(&self.options.pivot_id) => {
                self.rollback_mut().restoring.insert(key.clone(), found.clone());
                self.again(Step::Restore(key), tries);
            }
            _ => self.restored(),
        }
    }

    fn restored(&mut self) {
        let rollback = self.rollback_mut();
        rollback.pending -= 1;
        if rollback.pending == 0 {
            self.restored_all();
        }
    }

    fn restored_all(&mut self) {
        let mut waves = self.lower(Side::Source);
        waves.push(self.disown(Side::Source));
        let chunks = self.ledger.chunks(Side::Target);
        waves.push(chunks.into_iter().filter_map(|chunk| self.want(Side::Target, chunk, None)).collect());
        waves.push(self.disown(Side::Target));
        // A target that is only out of reach still has to be cleaned: the record says so until then.
        if self.is_recorded(Side::Source) && (!self.gone.target || self.gone.target_attested) {
            waves.push(self.enter(Side::Source, State::Aborted));
        }
        waves.push(self.want(Side::Target, Doc::Record, None).into_iter().collect());
        self.rollback_mut().source_open = true;
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
