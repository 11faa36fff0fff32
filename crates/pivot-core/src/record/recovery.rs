//! What to do with a pivot that somebody left: rules R1 to R4 of the protocol (DESIGN section 2).
//!
//! | source says | target says | `resume` | `rollback` |
//! |---|---|---|---|
//! | locked | locked, or nothing yet | forward | back (R1) |
//! | locked | unreachable | wait for the target | back, the target later (R1) |
//! | prepared | locked | forward | back, once the target's record says aborted (R2) |
//! | prepared | unreachable, or without a record | in doubt, unless attested | in doubt, unless attested (R2) |
//! | any | committed | forward (R3) | refused (R3) |
//! | finished, cleared | committed, or with a snapshot left | the snapshot goes, the target's record says finished | refused (R3) |
//! | aborting or aborted | not cleaned up | back | back |
//! | aborting or aborted | committed | in doubt: somebody's word was wrong | in doubt |
//! | unreachable | locked | wait for the source, or forward from the snapshot if attested | wait for the source; if attested, and there is no snapshot: the target is cleaned |

use super::pivot::{FenceMode, PivotRecord, State};
use crate::machine::Retire;
use crate::plan::Origin;

/// What could be learned of one side's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The side answered; `None` where it holds no record of this pivot.
    Read(Option<Box<PivotRecord>>),
    /// The side does not answer. Nothing follows from that (DESIGN I4).
    Unreachable,
}

impl Known {
    fn state(&self) -> Option<State> {
        self.record().map(|record| record.state)
    }

    fn record(&self) -> Option<&PivotRecord> {
        match self {
            Self::Read(record) => record.as_deref(),
            Self::Unreachable => None,
        }
    }

    fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable)
    }
}

/// What a person vouches for (DESIGN I4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attested {
    /// The source is gone for good.
    pub source_dead: bool,
    /// The target is gone for good.
    pub target_dead: bool,
}

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Finish it.
    Resume,
    /// Undo it.
    Rollback,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It ended already: with the target active where true, else with the source.
    Ended {
        /// Whether it went through.
        finished: bool,
    },
    /// Not decided: once more from LOCK on; whatever is done already is found done.
    Forward,
    /// Not decided, and the source is attested dead: from STAGE on, by the snapshot that the target keeps.
    ForwardFromSnapshot,
    /// Decided: from ACTIVATE on.
    Decided {
        /// Whether the source can be cleaned up.
        source: bool,
    },
    /// Decided, and nothing is left to do in the source: what the target keeps for the pivot goes.
    Close,
    /// Undo.
    Back {
        /// Whether the target can be cleaned up.
        target: bool,
    },
}

/// Why nothing can be done now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCourse {
    /// No side knows of the pivot.
    #[error("neither cluster holds a record of this pivot")]
    NoPivot,
    /// R3.
    #[error(
        "the pivot is decided: the target is the active side; undoing it is a new pivot from the target to the source"
    )]
    Decided,
    /// R2: the target may have been decided, and nobody can ask it.
    #[error("the source is prepared and the target's answer is not known: {0}")]
    InDoubt(&'static str),
    /// The source is needed.
    #[error("the source does not answer, and an unreachable side is never taken for dead")]
    SourceUnreachable,
    /// The target is needed.
    #[error("the target does not answer, and an unreachable side is never taken for dead")]
    TargetUnreachable,
    /// The source lost its record, for example because it was restored from an older backup.
    #[error(
        "the source holds no record of this pivot, although the target does: the original values are not known"
    )]
    SourceForgot,
    /// The source is attested dead before the target had a whole snapshot of it.
    #[error(
        "the target holds no complete snapshot of the source, or no evidence that the source was fenced: the pivot cannot be completed without the source"
    )]
    NoSnapshot,
}

/// Decides what is to be done.
pub fn course(verb: Verb, source: &Known, target: &Known, attested: Attested) -> Result<Course, NoCourse> {
    if let Some(State::Committed | State::Finished) = target.state() {
        return match source.state() {
            Some(State::Aborting | State::Aborted) => Err(NoCourse::InDoubt(
                "the source was taken back on somebody's word that the target is dead, and the target says that it is decided",
            )),
            _ => decided(verb, source, target, attested),
        };
    }
    match source.state() {
        Some(State::Finished) => match verb {
            Verb::Resume => Ok(Course::Ended { finished: true }),
            Verb::Rollback => Err(NoCourse::Decided),
        },
        Some(State::Prepared) => prepared(verb, target, attested),
        Some(State::Locked) => locked(verb, target, attested),
        Some(State::Aborting) => Ok(Course::Back { target: !target.is_unreachable() }),
        Some(State::Aborted) => match target {
            Known::Read(None) => Ok(Course::Ended { finished: false }),
            Known::Read(Some(_)) => Ok(Course::Back { target: true }),
            Known::Unreachable if attested.target_dead => Ok(Course::Ended { finished: false }),
            Known::Unreachable => Err(NoCourse::TargetUnreachable),
        },
        // Only a target says so.
        Some(State::Committed) => Err(NoCourse::SourceForgot),
        None if source.is_unreachable() => sourceless(verb, target, attested),
        None => match target.record() {
            Some(record) if record.origin == Origin::Directory => Ok(Course::Back { target: true }),
            Some(_) => Err(NoCourse::SourceForgot),
            None if target.is_unreachable() => Err(NoCourse::TargetUnreachable),
            None => Err(NoCourse::NoPivot),
        },
    }
}

fn decided(verb: Verb, source: &Known, target: &Known, attested: Attested) -> Result<Course, NoCourse> {
    if verb == Verb::Rollback {
        return Err(NoCourse::Decided);
    }
    let finished = target.state() == Some(State::Finished);
    let keeps_snapshot = target.record().is_some_and(|record| record.snapshot.is_some());
    // A directory keeps no record, and nothing is done to it.
    if target.record().is_some_and(|record| record.origin == Origin::Directory) {
        return Ok(match (finished, keeps_snapshot) {
            (true, false) => Course::Ended { finished: true },
            (true, true) => Course::Close,
            (false, _) => Course::Decided { source: false },
        });
    }
    let clears = target.record().is_some_and(|record| record.terms.retire == Retire::Delete);
    let here = source.record();
    // The source's record is the first to say so, then the target's, then the snapshot goes.
    let is_finished = here.is_some_and(|record| record.state == State::Finished);
    let is_cleared = is_finished && here.is_some_and(|record| record.terms.retire == Retire::Delete);
    match (finished, keeps_snapshot) {
        (true, false) => Ok(Course::Ended { finished: true }),
        _ if is_cleared => Ok(Course::Close),
        (true, true) if source.is_unreachable() && attested.source_dead => {
            Ok(Course::Ended { finished: true })
        }
        // Perhaps nothing is left to do, and the snapshot was about to go.
        (true, true) if source.is_unreachable() && clears => Err(NoCourse::SourceUnreachable),
        (true, true) if source.is_unreachable() || here.is_none() || is_finished => {
            Ok(Course::Ended { finished: true })
        }
        _ => Ok(Course::Decided { source: here.is_some() }),
    }
}

/// What is to be done to end a pivot for good that kept the source's objects.
pub fn closing(source: &Known, target: &Known, attested: Attested) -> Result<Course, NoCourse> {
    match course(Verb::Resume, source, target, attested)? {
        Course::Ended { finished: true }
            if target.record().is_some_and(|record| record.snapshot.is_some()) =>
        {
            Ok(Course::Decided { source: source.record().is_some() })
        }
        course => Ok(course),
    }
}

fn prepared(verb: Verb, target: &Known, attested: Attested) -> Result<Course, NoCourse> {
    match (target, target.state()) {
        (_, Some(State::Locked)) => Ok(match verb {
            Verb::Resume => Course::Forward,
            Verb::Rollback => Course::Back { target: true },
        }),
        (_, Some(State::Aborting | State::Aborted)) => Ok(Course::Back { target: true }),
        (target, _) if attested.target_dead => match verb {
            Verb::Rollback => Ok(Course::Back { target: !target.is_unreachable() }),
            Verb::Resume => Err(NoCourse::InDoubt("a dead target cannot be resumed into; roll back")),
        },
        (Known::Unreachable, _) => Err(NoCourse::InDoubt("the target does not answer")),
        (Known::Read(_), _) => {
            Err(NoCourse::InDoubt("the target lost its record, for example to a restore from a backup"))
        }
    }
}

fn locked(verb: Verb, target: &Known, attested: Attested) -> Result<Course, NoCourse> {
    match (target, verb) {
        (Known::Read(Some(record)), _) if record.state != State::Locked => Ok(Course::Back { target: true }),
        (Known::Read(_), Verb::Resume) => Ok(Course::Forward),
        (Known::Read(_), Verb::Rollback) => Ok(Course::Back { target: true }),
        (Known::Unreachable, Verb::Rollback) => Ok(Course::Back { target: false }),
        (Known::Unreachable, Verb::Resume) if attested.target_dead => Ok(Course::Back { target: false }),
        (Known::Unreachable, Verb::Resume) => Err(NoCourse::TargetUnreachable),
    }
}

fn sourceless(verb: Verb, target: &Known, attested: Attested) -> Result<Course, NoCourse> {
    let Some(record) = target.record() else {
        return Err(if target.is_unreachable() {
            NoCourse::TargetUnreachable
        } else {
            NoCourse::SourceUnreachable
        });
    };
    if record.origin == Origin::Directory {
        return Ok(Course::Back { target: true });
    }
    if !attested.source_dead {
        return Err(NoCourse::SourceUnreachable);
    }
    if record.state != State::Locked {
        return Ok(Course::Back { target: true });
    }
    let fenced = record.source_fence.is_some() || record.terms.fence == FenceMode::Pause;
    match (verb, record.snapshot.is_some() && fenced) {
        (Verb::Resume, true) => Ok(Course::ForwardFromSnapshot),
        (Verb::Resume, false) => Err(NoCourse::NoSnapshot),
        // The target may hold all that is left of the source.
        (Verb::Rollback, true) => Err(NoCourse::SourceUnreachable),
        (Verb::Rollback, false) => Ok(Course::Back { target: true }),
    }
}

#[cfg(test)]
mod tests;
