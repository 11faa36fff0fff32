//! The same events for machines: one JSON document a line on standard output.
//!
//! The first line has type `version`, the last one type `end`, `ended-before`, `exported` or `error`; in between stand findings and events. Fields are only
//! ever added within a major version of the schema.

use pivot::event::Event;
use pivot_core::check::Finding;
use pivot_core::machine::{Active, End};
use serde::Serialize;

use super::printer::Printer;
use super::timeline::Gap;
use crate::error::CommandError;
use crate::exit::Exit;

/// Version of the lines' schema.
pub(crate) const SCHEMA: &str = "1.0";

/// Writes lines until nobody reads them any more; that is no reason to stop a pivot.
pub(crate) struct EventStream {
    printer: Printer,
    broken: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Line<'a> {
    Version {
        schema: &'static str,
        tool: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        pivot_id: Option<&'a str>,
    },
    Finding(&'a Finding),
    Event(&'a Event),
    End {
        #[serde(flatten)]
        end: &'a End,
        active: Active,
        exit_code: u8,
        #[serde(flatten)]
        gap: Option<Gap>,
    },
    EndedBefore {
        pivot_id: &'a str,
        active: Active,
        exit_code: u8,
    },
    Exported {
        objects: usize,
        exit_code: u8,
    },
    Error {
        id: &'static str,
        message: &'a str,
        details: &'a [String],
        hint: Option<&'a str>,
        exit_code: u8,
    },
}

impl EventStream {
    /// Begins with the version line. There is no id where no pivot begins.
    pub(crate) fn begin(printer: Printer, pivot_id: Option<&str>) -> Self {
        let mut stream = Self { printer, broken: false };
        stream.send(&Line::Version { schema: SCHEMA, tool: env!("CARGO_PKG_VERSION"), pivot_id });
        stream
    }

    /// Writes what a check found.
    pub(crate) fn finding(&mut self, finding: &Finding) {
        self.send(&Line::Finding(finding));
    }

    /// Writes what happened.
    pub(crate) fn event(&mut self, event: &Event) {
        self.send(&Line::Event(event));
    }

    /// Writes how a pivot ended; the last line.
    pub(crate) fn end(&mut self, end: &End, exit: Exit, gap: Option<Gap>) {
        self.send(&Line::End { end, active: end.active(), exit_code: exit.code(), gap });
    }

    /// Writes that a pivot had ended before, with the target active where it went through; the last line.
    pub(crate) fn ended_before(&mut self, pivot_id: &str, finished: bool) {
        let active = if finished { Active::Target } else { Active::Source };
        self.send(&Line::EndedBefore { pivot_id, active, exit_code: Exit::Done.code() });
    }

    /// Writes how much an export wrote; the last line.
    pub(crate) fn exported(&mut self, objects: usize) {
        self.send(&Line::Exported { objects, exit_code: Exit::Done.code() });
    }

    /// Writes what ended the command before anything was changed; the last line.
    pub(crate) fn error(&mut self, error: &CommandError) {
        self.send(&Line::Error {
            id: error.id,
            message: &error.message,
            details: &error.details,
            hint: error.hint.as_deref(),
            exit_code: error.exit.code(),
        });
    }

    fn send(&mut self, line: &Line<'_>) {
        if !self.broken {
            self.broken = self.printer.data(&text(line)).is_err();
        }
    }
}

fn text(line: &Line<'_>) -> String {
    let mut text = serde_json::to_string(line).expect("BUG: a line of the event stream does not serialize");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pivot_core::machine::{Notice, Phase};

    use super::*;
    use crate::report::sample;

    #[test]
    fn every_line_says_what_it_is() {
        let plan = sample::plan();
        let elapsed = Duration::from_millis(1_500);
        let notice = Notice::Progress { phase: Phase::Stage, done: 3, total: 61 };
        let end = End::RolledBack { phase: Phase::Stage, cause: "x".to_owned() };
        let error = CommandError::failed("plan-stale", "x").hinted("y");
        let lines = [
            Line::Version { schema: SCHEMA, tool: "0.0.0", pivot_id: Some("20261121-101500-a1b2c3") },
            Line::Finding(&plan.findings[0]),
            Line::Event(&Event { elapsed, notice }),
            Line::End { end: &end, active: end.active(), exit_code: end.exit_code(), gap: None },
            Line::Error {
                id: error.id,
                message: &error.message,
                details: &error.details,
                hint: error.hint.as_deref(),
                exit_code: error.exit.code(),
            },
        ];
        let lines: String = lines.iter().map(text).collect();
        insta::assert_snapshot!(lines, @r#"
        {"type":"version","schema":"1.0","tool":"0.0.0","pivotId":"20261121-101500-a1b2c3"}
        {"type":"finding","id":"target-conflict","severity":"error","object":{"kind":"Cluster.cluster.x-k8s.io","namespace":"metal3","name":"test1"},"message":"the target has another object of this name","hint":"delete it in the target, or move it away"}
        {"type":"event","elapsedSeconds":1.5,"notice":{"type":"progress","phase":"stage","done":3,"total":61}}
        {"type":"end","end":"rolled-back","phase":"stage","cause":"x","active":"source","exitCode":3}
        {"type":"error","id":"plan-stale","message":"x","details":[],"hint":"y","exitCode":1}
        "#);
    }
}
