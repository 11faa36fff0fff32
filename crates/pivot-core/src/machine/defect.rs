//! Mistakes that the machine makes on request, so that the tests can be shown to find them.
//!
//! Only with the feature `defects`, which no build but that of a test asks for; without it none is ever made.

#[cfg(feature = "defects")]
use std::cell::Cell;

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A fence counts as effective without a proof.
    SkipFenceCheck,
    /// Owner references keep the uids of the source.
    SourceUidAsOwner,
    /// What is in the target under the name of a staged object is written over.
    OverwriteOnConflict,
    /// A write of which the answer was lost is sent again without a look.
    SkipReadBack,
    /// An object is deleted with its finalizers on, and stripped afterwards.
    DeleteBeforeStrip,
    /// The target decides although the source is not prepared.
    CommitUnprepared,
    /// Whoever takes over uses the token of whoever was there before.
    KeepToken,
    /// A prepared source is opened without the target's word.
    OpenUnanswered,
    /// A rollback leaves what was staged.
    LeaveStaged,
    /// The values before the pauses are not written down.
    ForgetOriginals,
    /// The snapshot goes before the records say that it is not needed any more.
    SnapshotFirst,
    /// A lost race for a cluster does not matter.
    TakeWhatIsTaken,
    /// VERIFY does not look at the source again.
    SkipVerify,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::SkipFenceCheck,
        Self::SourceUidAsOwner,
        Self::OverwriteOnConflict,
        Self::SkipReadBack,
        Self::DeleteBeforeStrip,
        Self::CommitUnprepared,
        Self::KeepToken,
        Self::OpenUnanswered,
        Self::LeaveStaged,
        Self::ForgetOriginals,
        Self::SnapshotFirst,
        Self::TakeWhatIsTaken,
        Self::SkipVerify,
    ];

    /// True where every machine of this thread makes this mistake.
    pub fn is_made(self) -> bool {
        #[cfg(feature = "defects")]
        return MADE.get() == Some(self);
        #[cfg(not(feature = "defects"))]
        return false;
    }

    /// True where machines of this thread make any of them.
    pub fn is_any_made() -> bool {
        Self::ALL.into_iter().any(Self::is_made)
    }

    /// From here on every machine of this thread makes it, or none any.
    #[cfg(feature = "defects")]
    pub fn make(defect: Option<Self>) {
        MADE.set(defect);
    }
}

#[cfg(feature = "defects")]
thread_local! {
    static MADE: Cell<Option<Defect>> = const { Cell::new(None) };
}
