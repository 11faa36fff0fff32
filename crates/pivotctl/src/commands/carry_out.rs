//! Carries a plan out: asks, runs the pivot, tells what happens and how it ended.

use std::time::Duration;

use pivot::cluster::Cluster;
use pivot::event::Event;
use pivot::run::{self, RunOptions};
use pivot::survey::{Options, Survey};
use pivot_core::check::Finding;
use pivot_core::machine::{Active, End, Notice, Phase};
use tokio_util::sync::CancellationToken;

use super::r#move::{MoveArgs, MoveOutput, RetireHow};
use super::next::NextCommand;
use super::{Session, Verb, pivot_id};
use crate::driver::driver;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::plan;
use crate::ui::last_line::{self, Sides};
use crate::ui::progress::Progress;
use crate::ui::reporter::Reporter;
use crate::ui::stream::EventStream;
use crate::ui::{confirm, interrupt};

/// The two clusters, what was found in them, and how long that took.
pub(super) struct Surveyed {
    pub(super) source: Cluster,
    pub(super) target: Cluster,
    pub(super) survey: Survey,
    pub(super) options: Options,
    /// Texts of the files of link rules.
    pub(super) links: Vec<String>,
    pub(super) took: Duration,
}

/// Runs the pivot to its end.
pub(super) async fn carry_out(session: &Session, args: &MoveArgs, surveyed: Surveyed) -> Exit {
    let Surveyed { source, target, survey, options, links, took } = surveyed;
    let (from, to) = (source.name().to_owned(), target.name().to_owned());
    let repeat = session.next(Verb::Move).selecting(&args.selection);
    let look = session.next(Verb::Status).selecting(&args.selection);
    if !args.yes && confirm::can_ask() {
        session.printer.note(plan::summary(survey.report()));
        if !agreed(session, args, target.context().unwrap_or(&to), &from) {
            let active = last_line::untouched(&from);
            session.printer.note(format_args!("not confirmed\n{active}; {}", last_line::next(repeat.line())));
            return Exit::Failed;
        }
    }
    let pivot_id = pivot_id::fresh();
    let mut reporter = reporter(session, args, &pivot_id, &survey.report().findings);
    let summary = plan::summary(survey.report()).trim_start_matches("Plan: ").to_owned();
    reporter.event(&Event { elapsed: took, notice: Notice::PhaseDone { phase: Phase::Plan, summary } });
    let interrupt = listen(session, &reporter, &look);
    let run_options = RunOptions {
        pivot_id,
        retire: match args.retire {
            RetireHow::Delete => run::Retire::Delete,
            RetireHow::Keep => run::Retire::Keep,
        },
        pre_copy: !args.no_pre_copy,
        on_failure: args.on_failure.into(),
        patience: run::PATIENCE,
        survey: options,
        links,
        driver: driver(),
    };
    let mut tell = |event: Event| reporter.event(&Event { elapsed: took + event.elapsed, ..event });
    let end = run::run(survey, source, target, run_options, interrupt, &mut tell).await;
    reporter.end(&end);
    drop(reporter);
    if let Some(error) = explained(&end) {
        error.print(session.printer);
    }
    let sides = Sides { source: &from, target: &to };
    session.printer.note(last_line::after(&end, sides, repeat.line(), look.line()));
    Exit::Pivot(end.exit_code())
}

fn agreed(session: &Session, args: &MoveArgs, word: &str, source: &str) -> bool {
    let fate = match args.retire {
        RetireHow::Delete => "deletes them there",
        RetireHow::Keep => "leaves them there paused",
    };
    let question = format!("This moves the objects out of {source} and {fate} once the target is active.");
    confirm::typed(session.printer, &question, word)
}

/// Listens for Ctrl-C; `look` is the command that shows where things stand.
pub(super) fn listen(session: &Session, reporter: &Reporter, look: &NextCommand) -> CancellationToken {
    let token = CancellationToken::new();
    let say = reporter.line_writer(session.printer);
    if let Err(error) = interrupt::listen(token.clone(), say, look.line().to_owned()) {
        session.printer.note(format_args!("Ctrl-C will end the program at once: {error}"));
    }
    token
}

/// What tells the run.
pub(super) fn reporter(session: &Session, args: &MoveArgs, pivot_id: &str, findings: &[Finding]) -> Reporter {
    match args.output {
        MoveOutput::Text => Reporter::People(Progress::new(session.printer, session.is_verbose())),
        MoveOutput::Json => {
            let mut stream = EventStream::begin(session.printer, Some(pivot_id));
            for finding in findings {
                stream.finding(finding);
            }
            Reporter::Machines(stream)
        }
    }
}

/// The error for an end that is not the wanted one.
pub(super) fn explained(end: &End) -> Option<CommandError> {
    let (id, message) = match end {
        End::Done { .. } => return None,
        End::Failed { cause } => ("pivot-failed", cause.clone()),
        End::RolledBack { phase, cause } => {
            ("pivot-rolled-back", format!("failed in phase {phase}: {cause}"))
        }
        End::Suspended { phase, interrupted: true, .. } => {
            ("pivot-interrupted", format!("interrupted in phase {phase}"))
        }
        End::Suspended { phase, cause, .. } => {
            ("pivot-suspended", format!("stopped in phase {phase}: {cause}"))
        }
        End::InDoubt { cause } => ("pivot-in-doubt", cause.clone()),
        End::CleanupPending { cause } => ("cleanup-pending", cause.clone()),
    };
    let hint = match end.active() {
        Active::Source => "correct the cause, then run the command again",
        Active::Target => "the target is complete; what is left in the source stays paused",
        Active::Neither => "change nothing on either side by hand before you know where it stands",
    };
    Some(CommandError::failed(id, message).hinted(hint))
}
