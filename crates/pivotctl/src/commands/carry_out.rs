//! Carries a plan out: asks, runs the pivot, tells what happens and how it ended.

use std::time::Duration;

use pivot::cluster::Cluster;
use pivot::event::Event;
use pivot::run::{self, Retire, RunOptions};
use pivot::survey::{Options, Survey};
use pivot_core::check::Finding;
use pivot_core::machine::{End, Notice, Phase, Reversal};
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::r#move::{MoveArgs, MoveOutput, RetireHow};
use super::next::NextCommand;
use super::{Session, Verb, pivot_id};
use crate::driver::driver;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::plan;
use crate::ui::confirm;
use crate::ui::last_line::{self, Commands, Left, Sides};
use crate::ui::progress::Progress;
use crate::ui::reporter::Reporter;
use crate::ui::stream::EventStream;
use crate::ui::timeline::Timeline;

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
pub(super) async fn carry_out(
    session: &Session,
    args: &MoveArgs,
    surveyed: Surveyed,
) -> Result<Exit, CommandError> {
    let Surveyed { source, target, survey, options, links, took } = surveyed;
    let (from, to) = (source.name().to_owned(), target.name().to_owned());
    let again = args.again(session);
    let (resume, finalize) = (session.on_clusters(Verb::Resume), session.on_clusters(Verb::Finalize));
    if !args.yes && confirm::can_ask() {
        session.printer.note(plan::summary(survey.report()));
        let word = target.context().unwrap_or(&to);
        if !agreed(session, args, word, &from).await? {
            let active = last_line::untouched(&from);
            session.printer.note(format_args!("not confirmed\n{active}; {}", last_line::next(again.line())));
            return Ok(Exit::Failed);
        }
    }
    let pivot_id = pivot_id::fresh();
    let mut reporter = reporter(session, args.output, Some(&pivot_id), &survey.report().findings);
    let summary = plan::summary(survey.report()).trim_start_matches("Plan: ").to_owned();
    reporter.event(&Event { elapsed: took, notice: Notice::PhaseDone { phase: Phase::Plan, summary } });
    let interrupt = listen(session, &reporter, &resume);
    let run_options = RunOptions {
        pivot_id,
        retire: args.retire.into(),
        pre_copy: !args.no_pre_copy,
        on_failure: args.on_failure.into(),
        patience: run::PATIENCE,
        survey: options,
        links,
        driver: driver(&session.environment),
    };
    let mut tell = |event: Event| reporter.event(&Event { elapsed: took + event.elapsed, ..event });
    let end = Box::pin(run::run(survey, source, target, run_options, interrupt, &mut tell)).await;
    let exit = Exit::Pivot(end.exit_code());
    reporter.end(&end, exit);
    let timeline = reporter.timeline().clone();
    drop(reporter);
    if let Some(error) = explained(&end, &timeline) {
        error.print(session.printer);
    }
    if let Some(gap) = timeline.gap().filter(|_| matches!(end, End::Done { .. })) {
        session.printer.note(gap);
    }
    let commands = Commands { again: Some(again.line()), resume: resume.line(), finalize: finalize.line() };
    let left = left(&end, args.retire.into(), &timeline);
    session.printer.note(last_line::after(&end, Sides { source: &from, target: &to }, left, commands));
    Ok(exit)
}

/// What is left in the source.
pub(super) fn left(end: &End, retire: Retire, timeline: &Timeline) -> Left {
    match end {
        End::CleanupPending { .. } if timeline.has_retired() => Left::Kept,
        End::Done { .. } if retire == Retire::Keep => Left::All,
        _ => Left::Nothing,
    }
}

async fn agreed(session: &Session, args: &MoveArgs, word: &str, source: &str) -> Result<bool, CommandError> {
    let fate = match args.retire {
        RetireHow::Delete => "deletes them there",
        RetireHow::Keep => "leaves them there paused",
    };
    let question = format!("This moves the objects out of {source} and {fate} once the target is active.");
    let (printer, word) = (session.printer, word.to_owned());
    let answer = spawn_blocking(move || confirm::typed(printer, &question, &word));
    let answer: Result<bool, JoinError> = session.interruptible(answer).await?;
    // A question that broke off was not answered with yes.
    Ok(answer.unwrap_or(false))
}

/// From here on an interrupt suspends the pivot; `resume` is the command that takes it up again.
pub(super) fn listen(session: &Session, reporter: &Reporter, resume: &NextCommand) -> CancellationToken {
    session.interrupt.guard(reporter.line_writer(session.printer), resume.line().to_owned())
}

/// What tells the run.
pub(super) fn reporter(
    session: &Session,
    output: MoveOutput,
    pivot_id: Option<&str>,
    findings: &[Finding],
) -> Reporter {
    match output {
        MoveOutput::Text => Reporter::people(Progress::new(session.printer, session.is_verbose())),
        MoveOutput::Json => {
            let mut stream = EventStream::begin(session.printer, pivot_id);
            for finding in findings {
                stream.finding(finding);
            }
            Reporter::machines(stream)
        }
    }
}

/// The error for an end that is not the wanted one.
pub(super) fn explained(end: &End, timeline: &Timeline) -> Option<CommandError> {
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
    let hint = match end {
        End::Done { .. } | End::Failed { .. } | End::RolledBack { .. } => {
            "correct the cause, then run the command again"
        }
        End::Suspended { phase, .. } if phase.reversal() == Reversal::Forward => {
            "the pivot is decided: `resume` finishes it"
        }
        End::Suspended { .. } => "`resume` goes on with it, `rollback` undoes it",
        End::InDoubt { .. } => {
            "change nothing on either side by hand; `resume` asks the target what was decided"
        }
        End::CleanupPending { .. } if timeline.has_retired() => {
            "look at what was kept; `resume` tries once more, `finalize` leaves it and closes the pivot"
        }
        End::CleanupPending { .. } => {
            "correct the cause, then `resume`; what is left in the source acts no more"
        }
    };
    Some(CommandError::failed(id, message).hinted(hint))
}
