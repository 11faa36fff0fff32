//! Proof that a pivot is decided.

/// The target's record says Committed. Nothing may be deleted from the source without it.
#[derive(Debug)]
#[must_use = "a proof that is not shown proves nothing"]
pub(super) struct Committed(());

impl Committed {
    /// Made in one place: where the outcome of the commit record arrives.
    pub(super) fn new_from_record() -> Self {
        Self(())
    }
}
