//! The name by which the program was called.
//!
//! `kubectl` and `clusterctl` find plugins by name: as `kubectl-pivot` or `clusterctl-pivot` the program is a verb of theirs, and
//! says so in its help and wherever it tells what to type next.

use std::ffi::OsStr;
use std::path::Path;

/// What to type to run the program again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Program(&'static str);

impl Program {
    /// From the first argument of the process.
    pub(crate) fn of(argv0: Option<&OsStr>) -> Self {
        let stem = argv0.and_then(|path| Path::new(path).file_stem()).and_then(OsStr::to_str);
        Self(match stem {
            Some("kubectl-pivot" | "kubectl_pivot") => "kubectl pivot",
            Some("clusterctl-pivot") => "clusterctl pivot",
            _ => "pivotctl",
        })
    }

    /// As typed.
    pub(crate) fn name(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_called_as_verbs() {
        let name = |path: &str| Program::of(Some(OsStr::new(path))).name();
        assert_eq!(name("/usr/local/bin/kubectl-pivot"), "kubectl pivot");
        assert_eq!(name("clusterctl-pivot"), "clusterctl pivot");
        assert_eq!(name("./pivotctl"), "pivotctl");
        assert_eq!(name("renamed"), "pivotctl");
        assert_eq!(Program::of(None).name(), "pivotctl");
    }
}
