//! One of the two ways in which a run is told: to people, or to machines.

use pivot::event::Event;
use pivot_core::machine::End;

use super::printer::Printer;
use super::progress::Progress;
use super::stream::EventStream;
use super::timeline::Timeline;
use crate::error::CommandError;
use crate::exit::Exit;

/// Takes what happens.
pub(crate) struct Reporter {
    voice: Voice,
    timeline: Timeline,
}

enum Voice {
    /// Lines on standard error.
    People(Progress),
    /// JSON lines on standard output.
    Machines(EventStream),
}

impl Reporter {
    /// Tells people.
    pub(crate) fn people(progress: Progress) -> Self {
        Self { voice: Voice::People(progress), timeline: Timeline::default() }
    }

    /// Tells machines.
    pub(crate) fn machines(stream: EventStream) -> Self {
        Self { voice: Voice::Machines(stream), timeline: Timeline::default() }
    }

    /// How long what took.
    pub(crate) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Tells one event.
    pub(crate) fn event(&mut self, event: &Event) {
        self.timeline.event(event);
        match &mut self.voice {
            Voice::People(progress) => progress.tell(event.elapsed, &event.notice),
            Voice::Machines(stream) => stream.event(event),
        }
    }

    /// Tells how the pivot ended.
    pub(crate) fn end(&mut self, end: &End, exit: Exit) {
        match &mut self.voice {
            Voice::People(progress) => progress.conclude(end),
            Voice::Machines(stream) => stream.end(end, exit, self.timeline.gap()),
        }
    }

    /// Tells machines that a pivot had ended before.
    pub(crate) fn ended_before(&mut self, pivot_id: &str, finished: bool) {
        if let Voice::Machines(stream) = &mut self.voice {
            stream.ended_before(pivot_id, finished);
        }
    }

    /// Tells machines what an export wrote.
    pub(crate) fn exported(&mut self, objects: usize) {
        if let Voice::Machines(stream) = &mut self.voice {
            stream.exported(objects);
        }
    }

    /// Tells machines why it failed.
    pub(crate) fn error(&mut self, error: &CommandError) {
        if let Voice::Machines(stream) = &mut self.voice {
            stream.error(error);
        }
    }

    /// Writes lines for people from elsewhere without disturbing the one that is redrawn.
    pub(crate) fn line_writer(&self, printer: Printer) -> Box<dyn Fn(&str) + Send> {
        match &self.voice {
            Voice::People(progress) => Box::new(progress.line_writer()),
            Voice::Machines(_) => Box::new(move |line| printer.note(line)),
        }
    }
}
