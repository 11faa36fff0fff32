//! Ironic's hand-over: the source's is seen, saved and stopped before the source is fenced; the target's is started once the pivot is
//! decided, before any host is opened; a rollback starts the source's again before it opens anything.

use super::Machine;
use super::effect::Outcome;
use super::lock::Past;
use super::notice::{Notice, Side};
use super::script::Then;
use super::step::Step;
use crate::ironic::{IronicDone, IronicJob, Stack};
use crate::record::State;

/// What is done with a side's Ironic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IronicStep {
    Look,
    Stop,
    Start,
}

impl IronicStep {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Look => "looking at Ironic",
            Self::Stop => "stopping Ironic",
            Self::Start => "starting Ironic",
        }
    }
}

/// What is known of both sides' Ironic.
#[derive(Clone, Debug, Default)]
pub(super) struct Ironic {
    /// The source's, as it was before anything of it was stopped. Known from before its stop on, until it runs again.
    source: Option<Stack>,
    /// The target's, where an earlier pivot stopped it there.
    target: Option<Stack>,
    /// What was seen of the source's end.
    evidence: Vec<String>,
}

impl Ironic {
    /// True where the source's may be stopped, in whole or in part.
    pub(super) fn may_be_stopped(&self) -> bool {
        self.source.is_some()
    }

    pub(super) fn evidence(&self) -> &[String] {
        &self.evidence
    }
}

impl Machine {
    /// False where Ironic is left alone.
    pub(super) fn hands_over(&self) -> bool {
        self.options.terms.ironic.is_some()
    }

    /// What an earlier run of this pivot saved of the source's Ironic, and an earlier pivot of the target's.
    pub(super) fn remember_ironic(&mut self, past: &Past) {
        if !self.hands_over() {
            return;
        }
        let mut records = [&past.source.record, &past.target.record].into_iter().flatten();
        self.ironic.source = records.find_map(|(record, _)| record.ironic.clone());
        self.ironic.target.clone_from(&past.target.ironic);
    }

    /// What a side's record says of Ironic. Once it is decided that the source is retired its leases are another's.
    pub(super) fn recorded_ironic(&self, side: Side) -> Option<Stack> {
        match (side, self.entries.get(side).state) {
            (_, State::Locked | State::Prepared | State::Committed | State::Aborting) => {
                self.ironic.source.clone()
            }
            (Side::Source, State::Finished) => self.ironic.source.clone().map(Stack::without_leases),
            (Side::Target, State::Finished) | (_, State::Aborted) => None,
        }
    }

    /// FENCE(S) begins with Ironic: its leases die with it, and what it was has to be known before.
    pub(super) fn begin_fence_source(&mut self) {
        if self.hands_over() {
            self.push(Step::Ironic(Side::Source, IronicStep::Look));
        } else {
            self.begin_fence(Side::Source);
        }
    }

    /// Both records know what it was: from here on it may be stopped.
    pub(super) fn stop_ironic(&mut self) {
        self.push(Step::Ironic(Side::Source, IronicStep::Stop));
    }

    pub(super) fn ironic_job(&self, side: Side, step: IronicStep) -> IronicJob {
        let source = || self.ironic.source.clone();
        match (step, side) {
            (IronicStep::Look, _) => IronicJob::Look,
            (IronicStep::Stop, _) => IronicJob::Stop(Box::new(source().unwrap_or_default())),
            (IronicStep::Start, side) => {
                let before = match side {
                    Side::Source => source(),
                    Side::Target => self.ironic.target.clone(),
                };
                let leases = source().and_then(|stack| stack.leases);
                IronicJob::Start { before: before.map(Box::new), leases }
            }
        }
    }

    pub(super) fn settle_ironic(&mut self, side: Side, step: IronicStep, outcome: Outcome) {
        let IronicDone { stack, evidence } = match outcome {
            Outcome::Ironic(done) => *done,
            other => return self.refused(&format!("{} on the {side}", step.describe()), other),
        };
        let told = evidence.iter().cloned();
        self.notices.extend(told.map(|evidence| Notice::Ironic { side, evidence }));
        match (step, side) {
            (IronicStep::Look, _) => {
                let earlier = self.ironic.source.take().unwrap_or_default();
                self.ironic.source = Some(stack.continued(earlier));
                // The target's first: where the source is lost later on, its leases are not.
                let waves = vec![self.save(Side::Target), self.save(Side::Source)];
                self.play(waves, Then::IronicSaved);
            }
            (IronicStep::Stop, _) => {
                self.ironic.evidence = evidence;
                if self.is_fenced_fully() {
                    self.begin_fence(Side::Source);
                } else {
                    self.advance("Ironic is stopped; the pause and the watch are all else".to_owned());
                }
            }
            (IronicStep::Start, Side::Source) => {
                debug_assert!(self.rollback.is_some(), "BUG: the source is opened without a rollback");
                self.ironic.source = None;
                self.open_source();
            }
            (IronicStep::Start, Side::Target) => self.open_hosts_first(),
        }
    }
}
