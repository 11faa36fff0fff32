//! Carries a plan out: asks, runs the pivot, tells what happens and how it ended.

use std::time::Duration;

use pivot::cluster::Cluster;
use pivot::event::Event;
use pivot::run::{self, RunOptions};
use pivot::survey::{Options, Survey};
use pivot_core::check::Finding;
use pivot_core::machine::{Notice, Phase};
use pivot_core::plan::Origin;
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::ending::Ending;
use super::r#move::{MoveArgs, MoveOutput, RetireHow};
use super::next::NextCommand;
use super::{Session, Verb, pivot_id};
use crate::driver::driver;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::plan;
use crate::ui::confirm;
use crate::ui::last_line::{self, Sides};
use crate::ui::progress::Progress;
use crate::ui::reporter::Reporter;
use crate::ui::stream::EventStream;

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
    if !args.yes && confirm::can_ask() {
        session.printer.note(plan::summary(survey.report()));
        let word = target.context().unwrap_or(&to);
        if !agreed(session, args, word, &from).await? {
            let active = last_line::untouched(&from);
            session.printer.note(format_args!(
                "not confirmed\n{active}; {}",
                last_line::next(args.again(session).line())
            ));
            return Ok(Exit::Failed);
        }
    }
    let pivot_id = pivot_id::fresh();
    let mut reporter = reporter(session, args.output, Some(&pivot_id), &survey.report().findings);
    let summary = plan::summary(survey.report()).trim_start_matches("Plan: ").to_owned();
    reporter.event(&Event { elapsed: took, notice: Notice::PhaseDone { phase: Phase::Plan, summary } });
    let interrupt = listen(session, &reporter, &session.on_clusters(Verb::Resume));
    let run_options = RunOptions {
        pivot_id,
        retire: args.retire.into(),
        pre_copy: !args.no_pre_copy,
        on_failure: args.on_failure.into(),
        patience: run::PATIENCE,
        hand_over: survey.hand_over(),
        survey: options,
        links,
        driver: driver(&session.environment),
    };
    let mut tell = |event: Event| reporter.event(&Event { elapsed: took + event.elapsed, ..event });
    let clusters = (Some(&source), Some(&target));
    let pivot = run::run(survey, source.clone(), target.clone(), run_options, interrupt, &mut tell);
    let end = Box::pin(pivot).await;
    let ending = Ending {
        end: &end,
        names: Sides { source: &from, target: &to },
        origin: Origin::Cluster,
        retire: args.retire.into(),
        again: Some(args.again(session)),
    };
    Ok(ending.tell(session, reporter, clusters).await)
}

async fn agreed(session: &Session, args: &MoveArgs, word: &str, source: &str) -> Result<bool, CommandError> {
    let fate = match args.retire {
        RetireHow::Delete => "deletes them there",
        RetireHow::Keep => "leaves them there paused",
    };
    let question = format!("This moves the objects out of {source} and {fate} once the target is active.");
    let (printer, word) = (session.printer, word.to_owned());
    let answer = spawn_blocking(move || confirm::typed(printer, &question, &word));
    let answer: Result<bool, JoinError> = session.interruptible(answer).await.inspect_err(|_| {
        // What is said next does not belong behind the question.
        session.printer.note("");
    })?;
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
