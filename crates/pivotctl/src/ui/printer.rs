//! The only way to standard output and standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

use crate::args::ColorWhen;

/// Writes data to standard output and everything else to standard error, without styles where they do not belong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    color: ColorChoice,
    live: bool,
}

impl Printer {
    /// `live` allows lines that are redrawn, where standard error is a terminal.
    pub(crate) fn new(color: ColorWhen, live: bool) -> Self {
        let color = match color {
            ColorWhen::Auto => ColorChoice::Auto,
            ColorWhen::Always => ColorChoice::Always,
            ColorWhen::Never => ColorChoice::Never,
        };
        Self { color, live: live && io::stderr().is_terminal() }
    }

    /// True where lines may be redrawn.
    pub(crate) fn is_live(self) -> bool {
        self.live
    }

    /// Writes data as it is. An error means that nobody reads it any more, or that it cannot be kept.
    pub(crate) fn data(self, text: &str) -> io::Result<()> {
        let mut out = AutoStream::new(io::stdout().lock(), self.color);
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes a line for people. That standard error is closed is no reason to stop a pivot.
    pub(crate) fn note(self, line: impl Display) {
        let mut err = AutoStream::new(io::stderr().lock(), self.color);
        writeln!(err, "{line}").ok();
    }

    /// Writes without ending the line.
    pub(crate) fn prompt(self, text: impl Display) {
        let mut err = AutoStream::new(io::stderr().lock(), self.color);
        write!(err, "{text}").and_then(|()| err.flush()).ok();
    }

    /// True where standard error takes styles.
    pub(crate) fn has_colors(self) -> bool {
        let choice = match self.color {
            ColorChoice::Auto => AutoStream::choice(&io::stderr()),
            chosen => chosen,
        };
        choice != ColorChoice::Never
    }

    /// The text as standard error takes it: without styles where there are no colors.
    pub(crate) fn for_stderr(self, text: &str) -> String {
        if self.has_colors() { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() }
    }
}
