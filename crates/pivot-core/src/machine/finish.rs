//! The end of a pivot that went forward.

use super::Machine;
use super::Retire;
use super::defect::Defect;
use super::end::End;
use super::notice::Side;
use super::script::Then;
use super::step::Step;
use crate::plan::Origin;
use crate::record::{Ending, Standing, State};
use crate::select::Action;

impl Machine {
    /// All phases are done. Something that was kept, or a source that cannot be reached, leaves the records open: `resume` tries
    /// again.
    pub(super) fn finish(&mut self) {
        if !self.kept.is_empty() && !self.options.close {
            let shown: Vec<_> = self.kept.iter().take(5).cloned().collect();
            let cause = format!("{} objects were kept in the source: {}", self.kept.len(), shown.join(", "));
            self.end = Some(End::CleanupPending { cause });
            return;
        }
        if self.gone.source && !self.gone.source_attested && self.blueprint.origin == Origin::Cluster {
            let cause = "the source does not answer: its objects and its fence are still there".to_owned();
            self.end = Some(End::CleanupPending { cause });
            return;
        }
        let mut waves = Vec::new();
        if self.options.terms.retire == Retire::Delete && self.entries.get(Side::Source).fenced {
            waves.extend(self.lower(Side::Source, Ending::Done));
        }
        if Defect::SnapshotFirst.is_made() {
            waves.extend(self.forget_snapshot());
        }
        waves.push(self.own(Side::Source, Standing::Retired));
        waves.push(self.enter(Side::Source, State::Finished));
        waves.push(self.enter(Side::Target, State::Finished));
        self.play(waves, Then::Finished);
    }

    /// Both records say so. What is kept in the source `finalize` deletes by the snapshot, and a source that is taken for dead may
    /// come back; else the snapshot goes. Until now `resume` needed it.
    pub(super) fn finished(&mut self) {
        let keeps = self.options.terms.retire == Retire::Keep || (self.gone.source && !self.options.close);
        let is_needed = keeps && self.blueprint.origin == Origin::Cluster;
        if is_needed {
            return self.closed();
        }
        if self.blueprint.pivot.is_some() {
            // Whoever was there before may have kept more of it than is known.
            self.push(Step::Leftovers);
        } else {
            self.drop_snapshot();
        }
    }

    pub(super) fn drop_snapshot(&mut self) {
        let mut waves = self.forget_snapshot();
        waves.push(self.save(Side::Target));
        self.play(waves, Then::Closed);
    }

    /// The source says that nothing is left to do there.
    pub(super) fn close(&mut self) {
        let waves = vec![self.enter(Side::Target, State::Finished)];
        self.play(waves, Then::Finished);
    }

    fn forget_snapshot(&mut self) -> Vec<Vec<Step>> {
        self.entries.snapshot = None;
        let chunks = self.ledger.chunks(Side::Target);
        vec![chunks.into_iter().filter_map(|chunk| self.want(Side::Target, chunk, None)).collect()]
    }

    pub(super) fn closed(&mut self) {
        let count = |action| self.blueprint.with(action).count();
        let moved = count(Action::Move) + self.moved_before;
        self.end = Some(End::Done { moved, copied: count(Action::Copy) });
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
        self.fail(format!("BUG: nothing left to do in phase {phase}"));
    }
}
