//! The two sides of a pivot.

use std::fmt;

/// What a cluster is in a pivot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Where the objects are.
    Source,
    /// Where they go.
    Target,
}

impl Role {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Source, Self::Target];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}
