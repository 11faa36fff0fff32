//! Proof that a pivot is decided.

use crate::record::{PivotRecord, State};

/// The target's record says Committed. Nothing may be deleted from the source without it.
#[derive(Debug)]
#[must_use = "a proof that is not shown proves nothing"]
pub(super) struct Committed(());

impl Committed {
    /// Made in one place, from the record that the target is known to hold.
    pub(super) fn of(record: &PivotRecord) -> Option<Self> {
        match record.state {
            State::Committed | State::Finished => Some(Self(())),
            State::Locked | State::Prepared | State::Aborting | State::Aborted => None,
        }
    }
}
