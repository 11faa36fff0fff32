//! Records: what both clusters remember of a pivot, so that any machine can finish or undo it (DESIGN section 2).
//!
//! They live in the namespace [`NAMESPACE`] of each cluster. Every write to one is a compare-and-swap by `resourceVersion`.
//!
//! | record | in | says |
//! |---|---|---|
//! | `ConfigMap ownership` | both | which cluster is active, at which epoch |
//! | `ConfigMap pivot-<id>` | both | how far the pivot is, and what its undoing needs |
//! | `Secret pivot-<id>-snap-NNN` | target | the source's objects, as they are to be in the target |
//! | `Lease pivotctl` | both | who drives the pivot; keeps a second one from starting by accident |

mod captured;
mod document;
pub mod outlook;
mod ownership;
mod pivot;
mod recovery;
mod snapshot;

pub use captured::{Captured, Ending, Part};
pub use document::{Document, DocumentError};
pub use ownership::{Ownership, Standing};
pub use pivot::{FenceMode, FenceProof, Pause, PivotRecord, SnapshotMark, State, Terms};
pub use recovery::{Attested, Course, Known, NoCourse, Verb, closing, course};
pub use snapshot::{PackedSnapshot, SnapshotError, StoredObject, StoredSnapshot};

use crate::kind::GroupKind;
use crate::object::ObjectKey;

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
/// Namespace of the records.
pub const NAMESPACE: &str = "pivotctl-system";
/// Label on every pivot record; its value is the side, `source` or `target`.
pub const RECORD_LABEL: &str = "pivot.metal3.io/record";

/// Where the ownership record is.
pub fn ownership_key() -> ObjectKey {
    ObjectKey::new(GroupKind::new("", "ConfigMap"), Some(NAMESPACE), "ownership")
}

/// Where the record of a pivot is.
pub fn pivot_key(id: &str) -> ObjectKey {
    ObjectKey::new(GroupKind::new("", "ConfigMap"), Some(NAMESPACE), &format!("pivot-{id}"))
}

/// Where a chunk of the snapshot is.
pub fn chunk_key(id: &str, number: usize) -> ObjectKey {
    ObjectKey::new(GroupKind::new("", "Secret"), Some(NAMESPACE), &format!("pivot-{id}-snap-{number:03}"))
}

/// Which chunk of a pivot's snapshot an object is, by its name; `None` for anything else.
pub fn chunk_number(id: &str, key: &ObjectKey) -> Option<usize> {
    let number = key.name.strip_prefix(&format!("pivot-{id}-snap-"))?.parse().ok()?;
    (*key == chunk_key(id, number)).then_some(number)
}

/// The namespace of the records.
pub fn namespace_key() -> ObjectKey {
    ObjectKey::new(GroupKind::new("", "Namespace"), None, NAMESPACE)
}
