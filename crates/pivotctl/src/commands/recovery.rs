//! A pivot that somebody left, taken up again: what `resume`, `rollback` and `finalize` share.

use pivot::event::Event;
use pivot::recover::{Dead, Ended, RecoverError, RecoverOptions, Recovered, recover};
use pivot::run::{OnFailure, PATIENCE};
use pivot::status::StatusReport;
use pivot_core::machine::Retire;
use pivot_core::plan::Origin;
use pivot_core::record::outlook::Acting;
use pivot_core::record::{NoCourse, PivotRecord, Verb as Way};

use super::ending::Ending;
use super::r#move::MoveOutput;
use super::session::{CONCURRENCY, DEFAULT_WAIT};
use super::{Session, Verb, carry_out, standing};
use crate::args::{SilenceArgs, WaitLimit};
use crate::driver::driver;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::last_line::{self, Sides};

/// Flags of every verb that takes a pivot up again.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RecoverArgs {
    /// Id of the pivot [default: the one that is open, else the last one]
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// Vouch that the source of this name is gone for good; nobody else can know
    #[arg(long, value_name = "NAME")]
    attest_source_dead: Option<String>,

    /// Vouch that the target of this name is gone for good, or has forgotten the pivot; nobody else can know
    #[arg(long, value_name = "NAME")]
    attest_target_dead: Option<String>,

    /// Longest wait for controllers, each time
    #[arg(long, value_name = "DURATION", default_value_t = WaitLimit(DEFAULT_WAIT))]
    wait: WaitLimit,

    #[command(flatten)]
    silence: SilenceArgs,

    /// How to tell what happens
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: MoveOutput,
}

/// What is wanted of the pivot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Finish it.
    Resume(OnFailure),
    /// Undo it.
    Rollback,
    /// Close it.
    Finalize,
}

/// Takes the pivot up and tells how it ended.
pub(super) async fn take_up(session: &Session, args: &RecoverArgs, wish: Wish) -> Result<Exit, CommandError> {
    let (source, target) = session.known_sides(args.attest_source_dead.is_some()).await?;
    let mut reporter = carry_out::reporter(session, args.output, args.id.as_deref(), &[]);
    let resume = standing::take_up(session, Verb::Resume, false);
    let interrupt = carry_out::listen(session, &reporter, &resume);
    let options = options(session, args, wish);
    let mut tell = |event: Event| reporter.event(&event);
    let sides = (source.clone(), target.clone());
    let taken_up = Box::pin(recover(sides.0, sides.1, options, interrupt, &mut tell)).await;
    match taken_up {
        Ok(Recovered { record, end: Ended::Now(end) }) => {
            let retire = if wish == Wish::Finalize { Retire::Delete } else { record.terms.retire };
            let again = standing::take_up(session, Verb::Move, false).of_terms(&record.terms);
            let ending = Ending {
                end: &end,
                names: Sides { source: &record.source.name, target: &record.target.name },
                origin: record.origin,
                retire,
                again: (wish != Wish::Rollback).then_some(again),
            };
            Ok(ending.tell(session, reporter, (source.as_ref(), target.as_ref())).await)
        }
        Ok(Recovered { record, end: Ended::Before { finished } }) => {
            reporter.ended_before(&record.id, finished);
            drop(reporter);
            session.printer.note(ended_before(session, &record, finished));
            Ok(Exit::Done)
        }
        Err(error) => {
            let report = standing::recorded(session, source.as_ref(), target.as_ref()).await;
            let error = explain(session, args, &error, &report);
            reporter.error(&error);
            drop(reporter);
            error.print(session.printer);
            session.printer.note(standing::last_line(session, &report));
            Ok(error.exit)
        }
    }
}

fn options(session: &Session, args: &RecoverArgs, wish: Wish) -> RecoverOptions {
    RecoverOptions {
        verb: match wish {
            Wish::Resume(_) | Wish::Finalize => Way::Resume,
            Wish::Rollback => Way::Rollback,
        },
        close: wish == Wish::Finalize,
        id: args.id.clone(),
        dead: Dead { source: args.attest_source_dead.clone(), target: args.attest_target_dead.clone() },
        silence: args.silence.limit(),
        on_failure: match wish {
            Wish::Resume(on_failure) => on_failure,
            Wish::Rollback | Wish::Finalize => OnFailure::default(),
        },
        patience: PATIENCE,
        wait: args.wait.0,
        concurrency: CONCURRENCY,
        driver: driver(&session.environment),
    }
}

fn ended_before(session: &Session, record: &PivotRecord, finished: bool) -> String {
    let (source, target) = (&record.source.name, Some(record.target.name.as_str()));
    if !finished {
        let active = last_line::active(Acting::Source, source, target);
        return format!("{active}; pivot {} was undone before", record.id);
    }
    let active = last_line::active(Acting::Target, source, target);
    let line = format!("{active}; pivot {} was finished before", record.id);
    if record.terms.retire == Retire::Keep && record.origin == Origin::Cluster {
        let finalize = standing::take_up(session, Verb::Finalize, false);
        return format!("{line}, source {source} keeps its objects; {}", last_line::next(finalize.line()));
    }
    line
}

/// The error with what only the command line and the records together tell.
fn explain(
    session: &Session,
    args: &RecoverArgs,
    error: &RecoverError,
    report: &StatusReport,
) -> CommandError {
    let told = CommandError::recover(error);
    match error {
        RecoverError::NoCourse { reason: NoCourse::Decided, .. } => {
            let reverse = session.on_exchanged_clusters(Verb::Move);
            let reverse = match &report.pivot {
                Some(pivot) if pivot.origin == Origin::Directory => {
                    return told
                        .hinted("the directory is as it was; what it brought can be moved on, or deleted");
                }
                Some(pivot) => reverse.of_terms(&pivot.terms),
                None => reverse,
            };
            told.hinted(format!("pivot back with `{}`", reverse.line()))
        }
        RecoverError::NoCourse { reason: NoCourse::SourceUnreachable, .. }
            if report.source.name.is_empty() && args.attest_source_dead.is_none() =>
        {
            told.hinted("name the source with --kubeconfig")
        }
        RecoverError::NoCourse {
            reason: NoCourse::SourceUnreachable | NoCourse::TargetUnreachable | NoCourse::InDoubt(_),
            ..
        } if report.target.is_none() => told.hinted("name the target with --to-kubeconfig"),
        RecoverError::Seat(_) => match report.driver.as_ref().and_then(|driver| driver.since.as_ref()) {
            Some(since) => {
                told.with_details(vec![format!("it has been at it since {since}, by its own clock")])
            }
            None => told,
        },
        _ => told,
    }
}
