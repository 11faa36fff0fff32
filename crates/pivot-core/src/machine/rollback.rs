//! The way back: nothing of ours stays in the target, and the source gets its original values.

use std::collections::BTreeMap;

use super::Machine;
use super::effect::{Op, Outcome, RecordState, RefusalClass, Write};
use super::end::End;
use super::namespace::Namespaces;
use super::notice::{Notice, Side};
use super::observe::describe_pause;
use super::phase::Phase;
use super::quiesce::guarded;
use super::removal::Removal;
use super::retry::Tries;
use super::step::Step;
use crate::inventory::Inventory;
use crate::marks;
use crate::object::{Manifest, ObjectKey};
use crate::rewrite::OWN_MANAGER;

/// A rollback under way.
#[derive(Debug)]
pub(super) struct Rollback {
    phase: Phase,
    cause: String,
    interrupted: bool,
    /// Objects to be restored in the source, as they were read.
    restoring: BTreeMap<ObjectKey, Manifest>,
    pending: usize,
    pub(super) namespaces: Namespaces,
    records: usize,
}

impl Machine {
    pub(super) fn begin_rollback(&mut self, phase: Phase, cause: String, interrupted: bool) {
        self.notices.push(Notice::RollingBack { phase, cause: cause.clone() });
        self.removal = None;
        self.rollback = Some(Rollback {
            phase,
            cause,
            interrupted,
            restoring: BTreeMap::new(),
            pending: 0,
            namespaces: Namespaces::default(),
            records: 0,
        });
        self.push(Step::Unwatch);
        // The target is cleaned first: the source must not act while anything of ours could act beside it. The phase does not tell
        // whether anything is there: a change in the source leads back from STAGE and VERIFY.
        if self.stage.items.is_empty() {
            self.drop_namespaces();
        } else {
            self.push(Step::Sweep);
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
        self.rollback_mut().records = 2;
        self.push(Step::Record(Side::Target, RecordState::Aborted));
        self.push(Step::Record(Side::Source, RecordState::Aborted));
    }

    pub(super) fn rolled_back_record(&mut self) {
        let rollback = self.rollback_mut();
        rollback.records -= 1;
        if rollback.records == 0 {
            let (phase, cause, interrupted) = (rollback.phase, rollback.cause.clone(), rollback.interrupted);
            self.end = Some(End::RolledBack { phase, cause, interrupted });
        }
    }
}
