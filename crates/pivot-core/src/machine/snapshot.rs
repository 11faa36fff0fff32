//! SNAPSHOT: list consistently, decide again, and watch from there.

use std::collections::BTreeSet;

use super::effect::Outcome;
use super::notice::Notice;
use super::step::Step;
use super::{Machine, Phase};
use crate::check::Severity;
use crate::object::ObjectKey;

impl Machine {
    pub(super) fn settle_snapshot(&mut self, outcome: Outcome) {
        let inventory = match outcome {
            Outcome::Inventory(inventory) => inventory,
            other => return self.refused("listing the source", other),
        };
        let before = self.staged_keys();
        self.reach = self.extent();
        self.blueprint = self.blueprint.renewed(*inventory);
        self.dirty.clear();
        let refused: Vec<_> =
            self.blueprint.findings(&[]).into_iter().filter(|f| f.severity == Severity::Error).collect();
        if let Some(first) = refused.first() {
            let more =
                if refused.len() > 1 { format!(" (and {} more)", refused.len() - 1) } else { String::new() };
            self.fail(format!("the source changed and can no longer be moved: {first}{more}"));
            return;
        }
        let after = self.staged_keys();
        for (keys, message) in [
            (after.difference(&before), "appeared since the plan was made, and moves too"),
            (before.difference(&after), "is gone since the plan was made, or no longer moves"),
        ] {
            for key in keys {
                self.notices.push(Notice::Warning { object: Some(key.clone()), message: message.to_owned() });
            }
        }
        self.forget_pauses_of_others();
        if let Some(key) = self.paused_in_vain() {
            self.fail(format!("{key} was paused to be moved, and no longer moves"));
        } else if self.has_unpaused() {
            self.back_to_quiesce();
        } else {
            self.push(Step::Watch);
        }
    }

    fn staged_keys(&self) -> BTreeSet<ObjectKey> {
        self.blueprint.staged_objects().map(|(_, object)| object.key.clone()).collect()
    }

    pub(super) fn settle_watch(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Watching => self.advance(format!("{} objects", self.blueprint.staged.len())),
            other => self.refused("watching the source", other.clone()),
        }
    }

    /// Counts how often the source led the run back; too often is a failure, which is told and true here.
    pub(super) fn changes_too_often(&mut self, objects: &[ObjectKey]) -> bool {
        self.snapshots += 1;
        let too_often = self.snapshots > self.options.snapshots;
        if too_often {
            let names: Vec<_> = objects.iter().take(5).map(ToString::to_string).collect();
            self.fail(format!("the source keeps changing while it is paused: {}", names.join(", ")));
        }
        too_often
    }

    /// The source changed: what was staged is reconciled to a new snapshot.
    pub(super) fn resnapshot(&mut self) {
        let objects: Vec<_> = std::mem::take(&mut self.dirty).into_iter().collect();
        if self.changes_too_often(&objects) {
            return;
        }
        self.notices.push(Notice::Resnapshot { objects: objects.into_iter().take(5).collect() });
        self.phase = Phase::Snapshot;
        self.notices.push(Notice::PhaseStarted { phase: Phase::Snapshot });
        self.push(Step::Unwatch);
        self.push(Step::Snapshot);
    }
}
