//! The end of a pivot that went forward.

use super::Machine;
use super::effect::RecordState;
use super::end::End;
use super::notice::{Notice, Side};
use super::phase::Phase;
use super::step::Step;
use crate::select::Action;

impl Machine {
    /// All phases are done: the records say so.
    pub(super) fn finish(&mut self) {
        self.pending = 2;
        self.push(Step::Record(Side::Target, RecordState::Finished));
        self.push(Step::Record(Side::Source, RecordState::Finished));
    }

    pub(super) fn settle_end_record(&mut self, _side: Side, state: RecordState) {
        match state {
            RecordState::Aborted if self.rollback.is_some() => self.rolled_back_record(),
            RecordState::Aborted => {
                let names: Vec<_> = self.dirty.iter().take(5).map(ToString::to_string).collect();
                let cause = format!("the source changed after it was compared: {}", names.join(", "));
                self.begin_rollback(self.phase, cause, false);
            }
            RecordState::Finished => {
                self.pending -= 1;
                if self.pending == 0 {
                    self.finished();
                }
            }
            RecordState::Locked | RecordState::Prepared | RecordState::Committed => {
                unreachable!("BUG: record {state:?} in phase {}", self.phase)
            }
        }
    }

    fn finished(&mut self) {
        self.end = Some(if self.kept.is_empty() {
            let count = |action| self.blueprint.with(action).count();
            End::Done { moved: count(Action::Move), copied: count(Action::Copy) }
        } else {
            let shown: Vec<_> = self.kept.iter().take(5).cloned().collect();
            End::CleanupPending {
                cause: format!("{} objects were kept in the source: {}", self.kept.len(), shown.join(", ")),
            }
        });
    }

    /// Turns a failure into its consequence once nothing is under way.
    pub(super) fn go_on(&mut self) {
        if self.failing.is_some() {
            self.fail_when_idle();
        }
        debug_assert!(
            self.end.is_some()
                || !self.ready.is_empty()
                || !self.in_flight.is_empty()
                || self.failing.is_some(),
            "BUG: nothing left to do in phase {}",
            self.phase
        );
        if self.end.is_none() && self.ready.is_empty() && self.in_flight.is_empty() && self.failing.is_none()
        {
            self.stuck();
        }
    }

    fn stuck(&mut self) {
        let phase = self.phase;
        self.notices.push(Notice::Warning {
            object: None,
            message: format!("BUG: nothing left to do in phase {phase}"),
        });
        if self.rollback.is_none() && phase < Phase::Prepare {
            self.fail(format!("BUG: nothing left to do in phase {phase}"));
        } else {
            self.end = Some(End::Suspended { phase, cause: "BUG: nothing left to do".to_owned() });
        }
    }
}
