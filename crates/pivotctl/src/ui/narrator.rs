//! Turns notices into words. It draws nothing, so that a test can read what it says.

use std::time::Duration;

use pivot_core::machine::{End, Notice};
use pivot_core::object::ObjectKey;

use super::elapsed::Elapsed;
use super::theme::{ERROR, GOOD, QUIET, WARNING};

/// Without a terminal, a running phase says this often where it is.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);
/// Tries after which a repeated request is worth a line.
const NOTABLE_ATTEMPT: u32 = 3;

/// What undoing is called.
const ROLLBACK: &str = "rollback";

/// Something to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A line that stays.
    Line(String),
    /// What the line that is redrawn says from now on.
    Now(String),
    /// A phase begins, and with it the time that is shown.
    Begin(String),
}

/// Tells a run. On a terminal (`live`) it may redraw a line.
#[derive(Debug)]
pub(crate) struct Narrator {
    live: bool,
    verbose: bool,
    began: Duration,
    told: Duration,
    now: Duration,
    rolling_back: bool,
    waiting_for: Option<String>,
}

#[derive(Clone, Copy)]
enum Mark {
    Done,
    Skipped,
    Failed,
}

impl Narrator {
    /// `verbose` tells every retry.
    pub(crate) fn new(live: bool, verbose: bool) -> Self {
        let zero = Duration::ZERO;
        Self { live, verbose, began: zero, told: zero, now: zero, rolling_back: false, waiting_for: None }
    }

    /// Tells one notice. `elapsed` counts from the start of the run.
    pub(crate) fn tell(&mut self, elapsed: Duration, notice: &Notice) -> Vec<Said> {
        self.now = elapsed;
        match notice {
            Notice::PhaseStarted { phase } => self.begin(elapsed, phase.name()),
            Notice::PhaseDone { phase, summary } => vec![self.end(Mark::Done, phase.name(), summary)],
            Notice::PhaseSkipped { phase, reason } => vec![self.end(Mark::Skipped, phase.name(), reason)],
            Notice::RollingBack { phase, cause } => {
                let mut said = vec![self.end(Mark::Failed, phase.name(), cause)];
                self.rolling_back = true;
                said.extend(self.begin(elapsed, ROLLBACK));
                said
            }
            Notice::Progress { phase, done, total } => {
                let name = if self.rolling_back { ROLLBACK } else { phase.name() };
                self.count(format!("{name:<13} {done} of {total}"))
            }
            Notice::Waiting { what, objects } => self.wait(what, objects),
            Notice::Retrying { side, what, reason, attempt, delay } => {
                let delay = Elapsed(*delay);
                let line = format!(
                    "  trying {what} in the {side} again in {delay} (try {attempt} failed): {reason}"
                );
                let notable = self.verbose || *attempt >= NOTABLE_ATTEMPT;
                notable.then(|| Said::Line(format!("{QUIET}{line}{QUIET:#}"))).into_iter().collect()
            }
            Notice::Ironic { side, evidence } => {
                vec![Said::Line(format!("  {QUIET}Ironic of the {side}: {evidence}{QUIET:#}"))]
            }
            Notice::Warning { object, message } => {
                let object = object.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
                vec![Said::Line(format!("{WARNING}warning{WARNING:#}: {object}{message}"))]
            }
            Notice::Resnapshot { objects } => {
                vec![Said::Line(format!(
                    "  the source changed, a new snapshot is taken: {}",
                    listed(objects)
                ))]
            }
        }
    }

    /// Tells the end, where no phase did.
    pub(crate) fn conclude(&self, end: &End) -> Option<Said> {
        let undone = self.rolling_back && matches!(end, End::RolledBack { .. });
        undone.then(|| self.end(Mark::Done, ROLLBACK, "everything was undone"))
    }

    fn begin(&mut self, elapsed: Duration, name: &str) -> Vec<Said> {
        (self.began, self.told, self.waiting_for) = (elapsed, elapsed, None);
        if self.live {
            vec![Said::Begin(name.to_owned())]
        } else if self.verbose {
            vec![Said::Line(format!("[..] {name}"))]
        } else {
            vec![]
        }
    }

    fn end(&self, mark: Mark, name: &str, text: &str) -> Said {
        let took = Elapsed(self.now.saturating_sub(self.began));
        let took = match mark {
            Mark::Skipped => String::new(),
            Mark::Done | Mark::Failed => format!("  {QUIET}{took}{QUIET:#}"),
        };
        Said::Line(format!("{} {name:<13} {text}{took}", self.mark(mark)))
    }

    fn mark(&self, mark: Mark) -> String {
        match (mark, self.live) {
            (Mark::Done, true) => format!("{GOOD}✓{GOOD:#}"),
            (Mark::Skipped, true) => format!("{QUIET}–{QUIET:#}"),
            (Mark::Failed, true) => format!("{ERROR}✗{ERROR:#}"),
            (Mark::Done, false) => "[ok]".to_owned(),
            (Mark::Skipped, false) => "[--]".to_owned(),
            (Mark::Failed, false) => "[!!]".to_owned(),
        }
    }

    fn count(&mut self, text: String) -> Vec<Said> {
        self.waiting_for = None;
        if self.live {
            return vec![Said::Now(text)];
        }
        if self.now.saturating_sub(self.told) < PLAIN_INTERVAL {
            return vec![];
        }
        self.told = self.now;
        vec![Said::Line(format!("[..] {text}"))]
    }

    fn wait(&mut self, what: &str, objects: &[ObjectKey]) -> Vec<Said> {
        let objects = if objects.is_empty() { String::new() } else { format!(": {}", listed(objects)) };
        let text = format!("waiting for {what}{objects}");
        if self.live {
            return vec![Said::Now(text)];
        }
        // Repeated for as long as the wait lasts; one line is enough.
        if self.waiting_for.as_ref() == Some(&text) {
            return vec![];
        }
        self.waiting_for = Some(text.clone());
        vec![Said::Line(format!("[..] {text}"))]
    }
}

fn listed(objects: &[ObjectKey]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use pivot_core::machine::{Phase, Side};

    use super::*;
    use crate::report::append::append;
    use crate::report::sample::key;

    /// A run with one of each notice, at one second each.
    fn notices() -> Vec<Notice> {
        let host = key("BareMetalHost.metal3.io", Some("metal3"), "node-0");
        let retry = |attempt| Notice::Retrying {
            side: Side::Target,
            what: "Secret metal3/a".to_owned(),
            reason: "no answer".to_owned(),
            attempt,
            delay: Duration::from_millis(500),
        };
        let waiting = Notice::Waiting { what: "controllers".to_owned(), objects: vec![host.clone()] };
        let progress = |done| Notice::Progress { phase: Phase::Stage, done, total: 61 };
        vec![
            Notice::PhaseStarted { phase: Phase::Quiesce },
            waiting.clone(),
            waiting,
            Notice::PhaseDone { phase: Phase::Quiesce, summary: "2 objects paused".to_owned() },
            Notice::PhaseSkipped { phase: Phase::FenceSource, reason: "--fence=pause".to_owned() },
            Notice::PhaseStarted { phase: Phase::Stage },
            progress(1),
            retry(1),
            progress(10),
            retry(3),
            progress(20),
            progress(30),
            progress(40),
            Notice::Warning { object: Some(host.clone()), message: "is odd".to_owned() },
            Notice::Resnapshot { objects: vec![host] },
            Notice::RollingBack { phase: Phase::Stage, cause: "quota exceeded".to_owned() },
            progress(1),
        ]
    }

    fn told(mut narrator: Narrator) -> String {
        let (mut text, mut said) = (String::new(), Vec::new());
        for (second, notice) in (0..).zip(notices()) {
            said.extend(narrator.tell(Duration::from_secs(second), &notice));
        }
        let (phase, cause) = (Phase::Stage, "quota exceeded".to_owned());
        said.extend(narrator.conclude(&End::RolledBack { phase, cause }));
        for said in said {
            let (mark, line) = match said {
                Said::Line(line) => (' ', line),
                Said::Now(line) => ('~', line),
                Said::Begin(line) => ('>', line),
            };
            let line = anstream::adapter::strip_str(&line);
            append(&mut text, format_args!("{mark} {line}\n"));
        }
        text
    }

    #[test]
    fn without_a_terminal_there_are_few_and_plain_lines() {
        let text = told(Narrator::new(false, false));
        insta::assert_snapshot!(text, @"
        [..] waiting for controllers: BareMetalHost metal3/node-0
        [ok] quiesce       2 objects paused  3.0s
        [--] fence-source  --fence=pause
          trying Secret metal3/a in the target again in 0.5s (try 3 failed): no answer
        [..] stage         20 of 61
        warning: BareMetalHost metal3/node-0: is odd
          the source changed, a new snapshot is taken: BareMetalHost metal3/node-0
        [!!] stage         quota exceeded  10.0s
        [ok] rollback      everything was undone  1.0s
        ");
    }

    #[test]
    fn on_a_terminal_a_line_is_redrawn() {
        let text = told(Narrator::new(true, false));
        insta::assert_snapshot!(text, @"
        > quiesce
        ~ waiting for controllers: BareMetalHost metal3/node-0
        ~ waiting for controllers: BareMetalHost metal3/node-0
          ✓ quiesce       2 objects paused  3.0s
          – fence-source  --fence=pause
        > stage
        ~ stage         1 of 61
        ~ stage         10 of 61
            trying Secret metal3/a in the target again in 0.5s (try 3 failed): no answer
        ~ stage         20 of 61
        ~ stage         30 of 61
        ~ stage         40 of 61
          warning: BareMetalHost metal3/node-0: is odd
            the source changed, a new snapshot is taken: BareMetalHost metal3/node-0
          ✗ stage         quota exceeded  10.0s
        > rollback
        ~ rollback      1 of 61
          ✓ rollback      everything was undone  1.0s
        ");
    }

    #[test]
    fn verbose_tells_every_retry() {
        let retries = |verbose| told(Narrator::new(false, verbose)).matches("trying").count();
        assert_eq!((retries(false), retries(true)), (1, 2));
    }
}
