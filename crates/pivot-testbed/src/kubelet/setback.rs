//! What keeps a pod from going on. It is tried again; until then the pod's status tells.

use std::{fmt, io, path::Path};

/// Why a pod does not go on yet. The text stands in the pod's status: it never holds a value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setback(String);

impl Setback {
    pub(super) fn new(message: String) -> Self {
        Self(message)
    }

    /// A file could not be read or written.
    pub(super) fn file(path: &Path, error: &io::Error) -> Self {
        Self(format!("{}: {error}", path.display()))
    }

    /// The pod asks for something that this kubelet does not know.
    pub(super) fn unsupported(what: &str, which: &str) -> Self {
        Self(format!("{what} {which}: not known to this kubelet"))
    }
}

impl fmt::Display for Setback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<crate::Error> for Setback {
    fn from(error: crate::Error) -> Self {
        Self(error.to_string())
    }
}
