//! The progress of a pivot, as people see it: a line a phase, and on a terminal one more that is redrawn.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pivot_core::machine::{End, Notice};

use super::narrator::{Narrator, Said};
use super::printer::Printer;

/// How often the line is redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Draws what the narrator says.
pub(crate) struct Progress {
    printer: Printer,
    narrator: Narrator,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// For a printer. `verbose` tells every retry.
    pub(crate) fn new(printer: Printer, verbose: bool) -> Self {
        let bar = printer.is_live().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style.expect("BUG: the template of the progress line is wrong"));
            bar
        });
        Self { printer, narrator: Narrator::new(bar.is_some(), verbose), bar }
    }

    /// Writes a line above the one that is redrawn.
    pub(crate) fn line_writer(&self) -> impl Fn(&str) + Send + 'static {
        let (printer, bar) = (self.printer, self.bar.clone());
        move |line: &str| write_line(printer, bar.as_ref(), line)
    }

    /// Tells the end.
    pub(crate) fn conclude(&mut self, end: &End) {
        if let Some(Said::Line(line)) = self.narrator.conclude(end) {
            write_line(self.printer, self.bar.as_ref(), &line);
        }
    }

    /// Tells one notice. `elapsed` counts from the start of the run.
    pub(crate) fn tell(&mut self, elapsed: Duration, notice: &Notice) {
        for said in self.narrator.tell(elapsed, notice) {
            match (said, &self.bar) {
                (Said::Line(line), bar) => write_line(self.printer, bar.as_ref(), &line),
                (Said::Now(text), Some(bar)) => bar.set_message(text),
                (Said::Begin(text), Some(bar)) => {
                    bar.reset_elapsed();
                    bar.set_message(text);
                    bar.enable_steady_tick(REDRAW);
                }
                (Said::Now(_) | Said::Begin(_), None) => {}
            }
        }
    }
}

impl Drop for Progress {
    /// Removes the line that is redrawn.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn write_line(printer: Printer, bar: Option<&ProgressBar>, line: &str) {
    match bar {
        // A bar that has been cleared draws no lines either.
        Some(bar) if !bar.is_finished() => bar.println(printer.for_stderr(line)),
        _ => printer.note(line),
    }
}
