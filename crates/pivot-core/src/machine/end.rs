//! How a pivot ends.

use serde::Serialize;

use super::phase::Phase;

/// Which side may act, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Active {
    /// The source.
    Source,
    /// The target.
    Target,
    /// Neither, until the pivot goes on.
    Neither,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum End {
    /// The target is active and complete, the source retired.
    Done {
        /// Objects moved.
        moved: usize,
        /// Objects copied.
        copied: usize,
    },
    /// Failed before anything was written.
    Failed {
        /// Why.
        cause: String,
    },
    /// Everything was undone.
    RolledBack {
        /// Phase in which it failed.
        phase: Phase,
        /// Why.
        cause: String,
    },
    /// It stands still, and can go on.
    Suspended {
        /// Phase in which it stands.
        phase: Phase,
        /// Why.
        cause: String,
        /// True where the user interrupted it.
        interrupted: bool,
        /// Which side may act meanwhile.
        active: Active,
    },
    /// Prepared, and the target's answer is not known.
    InDoubt {
        /// Why.
        cause: String,
    },
    /// Committed and active; something is left to clean up in the source.
    CleanupPending {
        /// What.
        cause: String,
    },
}

impl End {
    /// Exit code (DESIGN section 5).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Done { .. } => 0,
            Self::Failed { .. } => 1,
            Self::RolledBack { .. } => 3,
            Self::Suspended { interrupted: true, .. } => 130,
            Self::Suspended { .. } => 4,
            Self::InDoubt { .. } => 5,
            Self::CleanupPending { .. } => 6,
        }
    }

    /// Which side is active.
    pub fn active(&self) -> Active {
        match self {
            Self::Done { .. } | Self::CleanupPending { .. } => Active::Target,
            Self::Failed { .. } | Self::RolledBack { .. } => Active::Source,
            Self::Suspended { active, .. } => *active,
            Self::InDoubt { .. } => Active::Neither,
        }
    }
}
