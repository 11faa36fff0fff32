//! What can go wrong in a command of the workspace.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

/// A command that could not do its work.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("cannot {action} {}", path.display())]
    File {
        /// The verb that failed, as in "cannot *read* FILE".
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },

    #[error("cannot start `{program}`")]
    Start { program: String, source: io::Error },

    #[error("`{command}` failed ({status})")]
    Failed { command: String, status: ExitStatus },

    #[error("`{command}` printed text that is not UTF-8")]
    NotUtf8 { command: String },

    #[error("cannot read what `{command}` prints")]
    Output { command: String, source: io::Error },

    #[error("no folder to cache in: set PIVOT_TESTBED_CACHE, XDG_CACHE_HOME or HOME")]
    NoCacheFolder,

    #[error(
        "Go {needed} or newer builds the programs that the tests run, and there is no `go` on PATH: install it"
    )]
    NoGo { needed: GoVersion },

    #[error(
        "Go {needed} or newer builds the programs that the tests run; `go` on PATH is {found}: upgrade it"
    )]
    OldGo { needed: GoVersion, found: String },

    #[error("`{module}` has no version that can be stamped into a program: {version:?}")]
    Version { module: &'static str, version: String },

    #[error("the CRDs of {component} are missing from {}", folder.display())]
    NoCrds { component: &'static str, folder: PathBuf },

    #[error("`pivotctl util markdown-help` printed nothing")]
    EmptyReference,

    #[error("{} is out of date: run `cargo xtask docs` and commit it", path.display())]
    StalePage { path: PathBuf },

    #[error("these checks failed: {}", steps.join(", "))]
    Checks { steps: Vec<&'static str> },
}

/// A release of Go, such as 1.25.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GoVersion {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

impl std::fmt::Display for GoVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Gives an I/O error the file it is about.
pub(crate) trait AtPath<T> {
    /// Reports the error as "cannot `action` `path`".
    fn at(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T, Error>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T, Error> {
        self.map_err(|source| Error::File { action, path: path.into(), source })
    }
}
