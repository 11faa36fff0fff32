//! The cases: what is done to a pivot, where, and what is answered.

use std::fmt;

use super::{
    point::{Part, Point},
    trouble::Trouble,
};
use crate::proxy::Stage;

/// How others are kept from acting (`--fence`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fence {
    /// Policies, Leases, and controllers that are stopped.
    Full,
    /// The pause alone.
    Pause,
}

impl Fence {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Full, Self::Pause];

    /// The value of the flag.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Pause => "pause",
        }
    }
}

/// What is done about a pivot that was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Answer {
    /// `pivotctl resume`.
    Resume,
    /// `pivotctl rollback`.
    Rollback,
    /// `pivotctl status`, and then what that says.
    Ask,
}

impl Answer {
    /// The verb.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Rollback => "rollback",
            Self::Ask => "status",
        }
    }
}

/// One pivot and what happens to it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The fence it asks for.
    pub fence: Fence,
    /// What happens.
    pub trouble: Trouble,
    /// What the pivot is doing then.
    pub(super) part: Part,
    /// What is done if the pivot was left.
    pub answer: Answer,
    /// True where both clusters must never have seen a pivot.
    pub first_only: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fence, trouble, answer, first_only, .. } = self;
        let first = if *first_only { ", first pivot" } else { "" };
        write!(f, "{trouble}, then {}; fence {}{first}", answer.verb(), fence.flag())
    }
}

/// An instant of a pivot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instant {
    /// The write.
    pub point: Point,
    /// How far it is.
    pub stage: Stage,
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Before => "before",
            Stage::Applied => "applied, not answered:",
            Stage::Replied => "after",
        };
        write!(f, "{stage} {}", self.point)
    }
}
