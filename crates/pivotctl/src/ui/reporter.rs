//! One of the two ways in which a run is told: to people, or to machines.

use pivot::event::Event;
use pivot_core::machine::End;

use super::printer::Printer;
use super::progress::Progress;
use super::stream::EventStream;
use crate::error::CommandError;

/// Takes what happens.
pub(crate) enum Reporter {
    /// Lines on standard error.
    People(Progress),
    /// JSON lines on standard output.
    Machines(EventStream),
}

impl Reporter {
    /// Tells one event.
    pub(crate) fn event(&mut self, event: &Event) {
        match self {
            Self::People(progress) => progress.tell(event.elapsed, &event.notice),
            Self::Machines(stream) => stream.event(event),
        }
    }

    /// Tells how the pivot ended.
    pub(crate) fn end(&mut self, end: &End) {
        match self {
            Self::People(progress) => progress.conclude(end),
            Self::Machines(stream) => stream.end(end),
        }
    }

    /// Tells machines what an export wrote.
    pub(crate) fn exported(&mut self, objects: usize) {
        if let Self::Machines(stream) = self {
            stream.exported(objects);
        }
    }

    /// Tells machines why it failed.
    pub(crate) fn error(&mut self, error: &CommandError) {
        if let Self::Machines(stream) = self {
            stream.error(error);
        }
    }

    /// Writes lines for people from elsewhere without disturbing the one that is redrawn.
    pub(crate) fn line_writer(&self, printer: Printer) -> Box<dyn Fn(&str) + Send> {
        match self {
            Self::People(progress) => Box::new(progress.line_writer()),
            Self::Machines(_) => Box::new(move |line| printer.note(line)),
        }
    }
}
