//! What ends a benchmark.

use std::{io, path::PathBuf, process::ExitStatus};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Testbed(#[from] pivot_testbed::Error),
    #[error("{name} could not be run: {source}")]
    Start { name: &'static str, source: io::Error },
    #[error("{name} did not end within {minutes} min")]
    Hangs { name: &'static str, minutes: u64 },
    #[error("{name} ended with {status}; its last lines:\n{output}")]
    Failed { name: &'static str, status: ExitStatus, output: String },
    #[error("{path}: {reason}")]
    Client { path: PathBuf, reason: String },
    #[error("the bare loop got no answer to {lost} of its requests")]
    Lost { lost: usize },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
