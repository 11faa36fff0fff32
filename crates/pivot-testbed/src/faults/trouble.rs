//! What can happen to a pivot.

use std::fmt;

use super::case::Instant;

/// What happens to one pivot.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// Nothing.
    None,
    /// SIGKILL.
    Kill(Instant),
}

impl Trouble {
    /// The group of cases it is counted in.
    pub(super) fn group(&self) -> &'static str {
        match self {
            Self::None => "undisturbed",
            Self::Kill(_) => "tool killed",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("undisturbed"),
            Self::Kill(instant) => write!(f, "killed {instant}"),
        }
    }
}
