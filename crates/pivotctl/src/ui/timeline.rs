//! How long what took: the time in which neither side acted, and what of it went into proof of the fence.

use std::time::Duration;

use pivot::event::Event;
use pivot_core::machine::{Notice, Phase};
use serde::Serialize;

use super::elapsed::Elapsed;

/// Shorter than this nobody asks what it was for.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// Watches the events of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    gap_began: Option<Duration>,
    gap: Option<Duration>,
    opening_since: Option<Duration>,
    opening: Duration,
    waiting_since: Option<Duration>,
    waited: Duration,
    retired: bool,
}

/// What a run that activated its target cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gap {
    /// From the begin of FENCE(S), with the pause as the only fence of QUIESCE, to the end of ACTIVATE.
    #[serde(rename = "managementGapSeconds", serialize_with = "seconds")]
    whole: Duration,
    /// What of FENCE(S) was waiting until the fence was proven.
    #[serde(rename = "fenceWaitSeconds", serialize_with = "seconds")]
    waited: Duration,
    /// What of it was ACTIVATE: opening what was paused, which takes longer the more hosts there are.
    #[serde(rename = "activateSeconds", serialize_with = "seconds")]
    opening: Duration,
}

impl Timeline {
    /// Takes an event.
    pub(crate) fn event(&mut self, event: &Event) {
        let Event { elapsed, notice } = event;
        match notice {
            // With the full fence the gap counts from there; managers have merely paused before.
            Notice::PhaseStarted { phase: Phase::Quiesce | Phase::FenceSource } => {
                self.gap_began = Some(*elapsed);
                (self.waiting_since, self.waited) = (None, Duration::ZERO);
            }
            Notice::Waiting { .. } if self.gap_began.is_some() && self.waiting_since.is_none() => {
                self.waiting_since = Some(*elapsed);
            }
            Notice::PhaseDone { phase: Phase::FenceSource, .. } => {
                self.waited =
                    self.waiting_since.map_or(Duration::ZERO, |since| elapsed.saturating_sub(since));
            }
            Notice::PhaseStarted { phase: Phase::Activate } => self.opening_since = Some(*elapsed),
            Notice::PhaseDone { phase: Phase::Activate, .. } => {
                self.gap = self.gap_began.map(|began| elapsed.saturating_sub(began));
                self.opening =
                    self.opening_since.map_or(Duration::ZERO, |since| elapsed.saturating_sub(since));
            }
            Notice::PhaseDone { phase: Phase::Retire, .. } => self.retired = true,
            _ => {}
        }
    }

    /// The time in which neither side acted, where this run saw it whole.
    pub(crate) fn gap(&self) -> Option<Gap> {
        self.gap.map(|whole| Gap { whole, waited: self.waited, opening: self.opening })
    }

    /// True where RETIRE came to its end: what is still in the source was kept, and trying again alone does not help.
    pub(crate) fn has_retired(&self) -> bool {
        self.retired
    }
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "management gap: {}", Elapsed(self.whole))?;
        if !self.waited.is_zero() {
            write!(f, ", {} of it waiting for proof of the fence", Elapsed(self.waited))?;
        }
        if self.opening >= WORTH_TELLING {
            write!(f, ", {} of it unpausing the target", Elapsed(self.opening))?;
        }
        Ok(())
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(events: &[(u64, Notice)]) -> Timeline {
        let mut timeline = Timeline::default();
        for (second, notice) in events {
            timeline.event(&Event { elapsed: Duration::from_secs(*second), notice: notice.clone() });
        }
        timeline
    }

    fn started(phase: Phase) -> Notice {
        Notice::PhaseStarted { phase }
    }

    fn done(phase: Phase) -> Notice {
        Notice::PhaseDone { phase, summary: String::new() }
    }

    fn waiting() -> Notice {
        Notice::Waiting { what: "x".to_owned(), objects: Vec::new() }
    }

    #[test]
    fn the_gap_lasts_from_the_fence_to_the_target_that_acts() {
        let full = watched(&[
            (1, started(Phase::FenceTarget)),
            (2, waiting()),
            (3, done(Phase::FenceTarget)),
            (4, started(Phase::Quiesce)),
            (5, waiting()),
            (6, done(Phase::Quiesce)),
            (7, started(Phase::FenceSource)),
            (8, waiting()),
            (9, waiting()),
            (10, done(Phase::FenceSource)),
            (18, started(Phase::Activate)),
            (20, done(Phase::Activate)),
            (30, done(Phase::Retire)),
        ]);
        let text = full.gap().unwrap().to_string();
        assert_eq!(
            text,
            "management gap: 13.0s, 2.0s of it waiting for proof of the fence, 2.0s of it unpausing the target"
        );
        assert!(full.has_retired());
    }

    #[test]
    fn with_the_pause_alone_it_lasts_from_the_pause() {
        let skipped = Notice::PhaseSkipped { phase: Phase::FenceSource, reason: String::new() };
        let pause = watched(&[
            (4, started(Phase::Quiesce)),
            (5, waiting()),
            (7, skipped),
            (9, done(Phase::Activate)),
        ]);
        assert_eq!(pause.gap().unwrap().to_string(), "management gap: 5.0s");
    }

    #[test]
    fn a_gap_that_began_in_another_run_is_not_known() {
        assert_eq!(watched(&[(9, done(Phase::Activate))]).gap(), None);
        assert_eq!(watched(&[(1, started(Phase::FenceSource))]).gap(), None);
    }
}
