//! Styles. Text is written with them always; the printer takes them out where they do not belong.

use anstyle::{AnsiColor, Style};

/// Something good, or an object that moves.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something to look at.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Something wrong.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// What to do, or an object that is copied.
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default();
/// Headings.
pub(crate) const HEADING: Style = Style::new().bold();
/// What matters less.
pub(crate) const QUIET: Style = Style::new().dimmed();
