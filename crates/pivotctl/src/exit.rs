//! Exit codes (DESIGN section 5). A pivot that ran to an end of its own brings its code along
//! ([`pivot_core::machine::End::exit_code`]).

/// Exit code of a command that did not run a pivot, or never got to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; nothing differs.
    Done,
    /// Failed, and nothing was changed.
    Failed,
    /// The command line, or a file it names, cannot be used.
    Usage,
    /// `verify` found differences, or `plan --detailed-exitcode` has something to move.
    Differs,
    /// The pivot stands where it stood, and can go on.
    Suspended,
    /// Nobody knows which side is active.
    InDoubt,
    /// Interrupted before anything was written.
    Interrupted,
    /// As a pivot ended.
    Pivot(u8),
}

impl Exit {
    /// The number for the operating system.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage | Self::Differs => 2,
            Self::Suspended => 4,
            Self::InDoubt => 5,
            Self::Interrupted => INTERRUPTED,
            Self::Pivot(code) => code,
        }
    }
}

/// Interrupted.
pub(crate) const INTERRUPTED: u8 = 130;
