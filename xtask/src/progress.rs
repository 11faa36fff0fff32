//! What a person sees while a command works: lines on standard error, with the time each thing took.
#![expect(clippy::print_stderr, reason = "these commands are for people; standard output stays for data")]
#![expect(clippy::disallowed_types, reason = "nothing here runs under tokio's clock")]

use std::fmt;
use std::io::{self, Write};
use std::time::Instant;

/// Prints one line.
pub(crate) fn line(text: impl fmt::Display) {
    eprintln!("{text}");
}

/// Prints an error and what caused it.
pub(crate) fn report(error: &dyn std::error::Error) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because {error}");
        cause = error.source();
    }
}

/// A piece of work whose duration is told.
pub(crate) struct Timed(Instant);

impl Timed {
    /// Starts the clock, silently.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Begins a line that [`Self::end_line`] completes.
    pub(crate) fn begin_line(text: impl fmt::Display) -> Self {
        eprint!("{text} ... ");
        // A line that cannot be flushed is only seen later.
        let _ = io::stderr().flush();
        Self::start()
    }

    /// Ends the line with an outcome and the time since the beginning.
    pub(crate) fn end_line(&self, outcome: &str) {
        eprintln!("{outcome} ({self})");
    }
}

/// The time since the start, such as `0.3 s` or `4 min 07 s`.
impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elapsed = self.0.elapsed();
        let seconds = elapsed.as_secs();
        if seconds < 60 {
            write!(f, "{:.1} s", elapsed.as_secs_f64())
        } else {
            write!(f, "{} min {:02} s", seconds / 60, seconds % 60)
        }
    }
}
