//! Why there is no journal.

use std::io;
use std::path::PathBuf;

use super::FORMAT;

/// A journal cannot be written or read. A pivot goes on without one.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The disk does not answer.
    #[error("{} has not reached the disk after {seconds} s", path.display())]
    Slow {
        /// The journal.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Another process writes it.
    #[error("{} is being written by another process", path.display())]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// A later version wrote it.
    #[error("{} has format {format}, which a newer pivotctl wrote; this one reads up to {FORMAT}", path.display())]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// The id of the pivot cannot be the name of a directory.
    #[error("`{0}` cannot be the name of a directory")]
    Id(String),
}

impl JournalError {
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
