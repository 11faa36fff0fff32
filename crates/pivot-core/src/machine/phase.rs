//! The phases of a pivot, in the words and the order of DESIGN section 2.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Discover, link, select, check. No write.
    Plan,
    /// Take both clusters for this pivot.
    Lock,
    /// Let nobody else act on what will be staged.
    FenceTarget,
    /// Stage the bulk while the source still acts.
    PreCopy,
    /// Pause, and wait until it is acknowledged.
    Quiesce,
    /// Let nobody else act on the source.
    FenceSource,
    /// List consistently, and watch from there.
    Snapshot,
    /// Make the target equal to the snapshot.
    Stage,
    /// List both sides and compare.
    Verify,
    /// The source promises not to act again by itself.
    Prepare,
    /// The one commit point.
    Commit,
    /// The target acts.
    Activate,
    /// The target is seen to be well.
    Observe,
    /// The source's objects go.
    Retire,
}

/// Where a pivot stands with respect to its commit point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reversal {
    /// Nothing was written.
    Nothing,
    /// Rollback leads back.
    Rollback,
    /// Prepared: the target's record decides.
    InDoubt,
    /// Committed: only forward.
    Forward,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Self; 14] = [
        Self::Plan,
        Self::Lock,
        Self::FenceTarget,
        Self::PreCopy,
        Self::Quiesce,
        Self::FenceSource,
        Self::Snapshot,
        Self::Stage,
        Self::Verify,
        Self::Prepare,
        Self::Commit,
        Self::Activate,
        Self::Observe,
        Self::Retire,
    ];

    /// The phase after this one.
    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    /// What undoes a pivot that stands in this phase.
    pub fn reversal(self) -> Reversal {
        match self {
            Self::Plan => Reversal::Nothing,
            Self::Lock
            | Self::FenceTarget
            | Self::PreCopy
            | Self::Quiesce
            | Self::FenceSource
            | Self::Snapshot
            | Self::Stage
            | Self::Verify => Reversal::Rollback,
            Self::Prepare | Self::Commit => Reversal::InDoubt,
            Self::Activate | Self::Observe | Self::Retire => Reversal::Forward,
        }
    }

    /// The name that people and files use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Lock => "lock",
            Self::FenceTarget => "fence-target",
            Self::PreCopy => "pre-copy",
            Self::Quiesce => "quiesce",
            Self::FenceSource => "fence-source",
            Self::Snapshot => "snapshot",
            Self::Stage => "stage",
            Self::Verify => "verify",
            Self::Prepare => "prepare",
            Self::Commit => "commit",
            Self::Activate => "activate",
            Self::Observe => "observe",
            Self::Retire => "retire",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other_and_never_become_reversible_again() {
        let rank = |phase: Phase| match phase.reversal() {
            Reversal::Nothing => 0,
            Reversal::Rollback => 1,
            Reversal::InDoubt => 2,
            Reversal::Forward => 3,
        };
        let mut phase = Phase::Plan;
        let mut count = 1;
        while let Some(next) = phase.next() {
            assert!(rank(next) >= rank(phase), "{phase} > {next}");
            phase = next;
            count += 1;
        }
        assert_eq!(count, Phase::ALL.len());
    }
}
