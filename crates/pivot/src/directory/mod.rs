//! A directory in the place of a cluster: `--to-directory` and `--from-directory`.
//!
//! # Export
//!
//! [`export`] writes nothing to the source. It neither pauses nor locks: what it lists counts only if a second look finds every
//! object that goes into the directory at the same revision and no other one beside them; then all of them stood so at the moment
//! between the two looks, which is all that a backup can promise. A pause would not add to that, but it would raise generations,
//! wake every controller, need the right to write, and stay behind when the export is killed. Whether hosts and machines are at
//! rest is asked of their status, as before a move; the files tell the user's own pause values.
//!
//! The directory must exist and hold nothing but an earlier export of ours. All files are written under temporary names and
//! flushed before the first is put in place, so that a full disk costs nothing that was there; while they are put in place the
//! manifest says so. Files are for their owner alone (0600), since Secrets stand in them as they are. No symbolic link is followed
//! and nothing foreign is removed.
//!
//! # Import
//!
//! [`read`] refuses a directory that is not whole, then asks the target the same questions as before a move. [`Import::run`] is a
//! pivot by the same machine, with the files in the place of the source: staged paused, with status, verified, then opened; undone
//! as a whole where it fails. What is in the target already and equal stays; what differs is a conflict.

mod error;
mod export;
mod folder;
mod import;
mod snapshot;

pub use error::DirectoryError;
pub use export::{Exported, export};
pub use import::{Import, import, read};

use pivot_core::machine::Notice;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::event::{Event, Listener};

/// A listener with a clock.
struct Teller<'a> {
    started: Instant,
    listener: Listener<'a>,
}

impl<'a> Teller<'a> {
    fn new(listener: Listener<'a>) -> Self {
        Self { started: Instant::now(), listener }
    }

    fn tell(&mut self, notice: Notice) {
        (self.listener)(Event { elapsed: self.started.elapsed(), notice });
    }

    fn warn(&mut self, message: String) {
        self.tell(Notice::Warning { object: None, message });
    }
}

/// Waits for the disk beside the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
