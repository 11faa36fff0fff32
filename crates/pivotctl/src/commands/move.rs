//! `move`: the pivot.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use pivot::run::{OnFailure, Retire};
use pivot_core::plan::PlanReport;
use pivot_core::select::Request;

use super::carry_out::{self, Surveyed};
use super::next::NextCommand;
use super::steady::{self, Looked};
use super::{Session, Verb, directory, refuse, saved_plan};
use crate::args::{FenceArgs, HandOverArgs, SelectionArgs, WaitLimit};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::{data, plan};
use crate::ui::stream::EventStream;

/// Move everything that is to move from the source to the target, all or none
///
/// It ends with the source active and untouched, or with the target active and complete. On a terminal it asks before the first
/// write. Ctrl-C suspends it: `resume` goes on from there, `rollback` undoes it.
#[derive(Debug, clap::Args)]
pub(crate) struct MoveArgs {
    /// Show the plan and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Carry out this saved plan, and refuse where the clusters changed since
    #[arg(long, value_name = "FILE")]
    pub(super) plan: Option<PathBuf>,

    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,

    #[command(flatten)]
    pub(super) fence: FenceArgs,

    /// What becomes of the objects in the source
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub(super) retire: RetireHow,

    /// What a failure before the pivot is prepared leads to
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub(super) on_failure: FailureHow,

    /// Stage nothing while the source still acts
    #[arg(long)]
    pub(super) no_pre_copy: bool,

    /// Longest wait for controllers, each time
    #[arg(long, value_name = "DURATION", default_value_t = WaitLimit(super::session::DEFAULT_WAIT))]
    pub(super) wait: WaitLimit,

    /// Longest wait until every host, Machine and Cluster stands still, before anything is written
    #[arg(long, value_name = "DURATION")]
    pub(super) wait_steady: Option<WaitLimit>,

    /// Write the objects into this folder instead of a cluster
    #[arg(long, value_name = "DIR")]
    pub(super) to_directory: Option<PathBuf>,

    /// Take the objects from this folder instead of a cluster
    #[arg(long, value_name = "DIR")]
    pub(super) from_directory: Option<PathBuf>,

    /// How to tell what happens
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) output: MoveOutput,

    /// Taken so that command lines of clusterctl work; warnings of the API servers are never shown
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    hide_api_warnings: HideApiWarnings,

    #[command(flatten)]
    pub(super) selection: SelectionArgs,

    // Last, because its heading would hold for what follows.
    #[command(flatten)]
    pub(super) hand_over: HandOverArgs,
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailureHow {
    /// Everything is undone
    #[default]
    Rollback,
    /// The pivot stands still until `resume` or `rollback`
    Suspend,
}

impl From<RetireHow> for Retire {
    fn from(how: RetireHow) -> Self {
        match how {
            RetireHow::Delete => Self::Delete,
            RetireHow::Keep => Self::Keep,
        }
    }
}

impl From<FailureHow> for OnFailure {
    fn from(how: FailureHow) -> Self {
        match how {
            FailureHow::Rollback => Self::Rollback,
            FailureHow::Suspend => Self::Suspend,
        }
    }
}

/// What becomes of the objects in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum RetireHow {
    /// They are deleted
    #[default]
    Delete,
    /// They stay, paused
    Keep,
}

/// How a pivot is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum MoveOutput {
    /// For people, on standard error
    #[default]
    Text,
    /// A JSON document a line, on standard output
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum HideApiWarnings {
    #[default]
    Default,
    All,
    None,
}

impl MoveArgs {
    /// The command line for another try.
    pub(super) fn again(&self, session: &Session) -> NextCommand {
        let flags = [
            ("--retire", "keep", self.retire == RetireHow::Keep),
            ("--on-failure", "suspend", self.on_failure == FailureHow::Suspend),
        ];
        let next = session.next(Verb::Move).selecting(&self.selection).fenced(self.fence);
        let next = flags
            .into_iter()
            .filter(|(.., given)| *given)
            .fold(next, |next, (flag, value, _)| next.with(flag, value));
        let next = match self.wait_steady {
            Some(limit) => next.with("--wait-steady", &limit.to_string()),
            None => next,
        };
        let next = self.hand_over.repeated(next);
        if self.no_pre_copy { next.flag("--no-pre-copy") } else { next }
    }
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &MoveArgs) -> Result<Exit, CommandError> {
    let outcome = pivot(session, args).await;
    if let (Err(error), MoveOutput::Json, false) = (&outcome, args.output, args.dry_run) {
        EventStream::begin(session.printer, None).error(error);
    }
    outcome
}

async fn pivot(session: &Session, args: &MoveArgs) -> Result<Exit, CommandError> {
    check_flags(session, args)?;
    if let Some(path) = &args.from_directory {
        return directory::import(session, args, path).await;
    }
    let saved = args.plan.as_deref().map(saved_plan::read).transpose()?;
    let source = session.source().await?;
    if let Some(path) = &args.to_directory
        && !args.dry_run
    {
        return directory::export(session, args, &source, path).await;
    }
    let target = if args.dry_run { session.target().await? } else { Some(session.required_target().await?) };
    let mut options = session.options(source.namespace(), &args.selection, args.wait.0, args.fence.into())?;
    options.ironic = args.hand_over.wish()?;
    if let Some(saved) = &saved {
        adopt_selection(&mut options.request, saved, session, &args.selection);
    }
    let limit = args.wait_steady.map_or(Duration::ZERO, |limit| limit.0);
    let looked = Box::pin(steady::look(session, &source, target.as_ref(), &options, limit)).await?;
    let Looked { survey, took } = looked;
    if let Some(saved) = &saved {
        saved_plan::refuse_stale(saved, survey.report())?;
    }
    let next = args.again(session);
    let untouched = refuse::last_line(session, survey.report(), next.line());
    match target {
        Some(target) if !args.dry_run => {
            if let Some(exit) = refuse::refused(session, args.output, survey.report(), &untouched) {
                return Ok(exit);
            }
            let links = super::session::link_texts(&args.selection.links)?;
            let surveyed = Surveyed { source, target, survey, options, links, took };
            carry_out::carry_out(session, args, surveyed).await
        }
        _ => dry_run(session, args, survey.report(), &untouched),
    }
}

/// Refuses flags that exclude each other. clap does not see those on the other side of the verb.
fn check_flags(session: &Session, args: &MoveArgs) -> Result<(), CommandError> {
    let global = &session.global;
    let to_cluster = global.to_kubeconfig.is_some() || global.to_kubeconfig_context.is_some();
    let from_cluster = global.kubeconfig.is_some() || global.kubeconfig_context.is_some();
    let directories = args.to_directory.is_some() || args.from_directory.is_some();
    for (one, with_one, other, with_other) in [
        ("--to-directory", args.to_directory.is_some(), "--to-kubeconfig", to_cluster),
        ("--to-directory", args.to_directory.is_some(), "--from-directory", args.from_directory.is_some()),
        ("--from-directory", args.from_directory.is_some(), "--kubeconfig", from_cluster),
        ("--plan", args.plan.is_some(), "--to-directory or --from-directory", directories),
        ("--wait-steady", args.wait_steady.is_some(), "--to-directory or --from-directory", directories),
        ("flags of Ironic", args.hand_over.is_given(), "--to-directory or --from-directory", directories),
    ] {
        if with_one && with_other {
            return Err(CommandError::flags_conflict(one, other));
        }
    }
    session.check_flags()
}

/// A saved plan brings its selection along, as far as no flag says otherwise.
fn adopt_selection(request: &mut Request, saved: &PlanReport, session: &Session, flags: &SelectionArgs) {
    if session.global.namespaces.is_empty() && !session.global.all_namespaces {
        request.namespaces = saved.namespaces.as_ref().map(|names| names.iter().cloned().collect());
    }
    if flags.filter_cluster.is_empty() {
        request.clusters = saved.clusters.iter().cloned().collect();
    }
}

/// Shows a plan and ends.
pub(super) fn dry_run(
    session: &Session,
    args: &MoveArgs,
    report: &PlanReport,
    last_line: &str,
) -> Result<Exit, CommandError> {
    session.print(&match args.output {
        MoveOutput::Text => plan::text(report, session.is_verbose()),
        MoveOutput::Json => data::json(report),
    })?;
    session.printer.note(last_line);
    Ok(if report.counts().errors > 0 { Exit::Failed } else { Exit::Done })
}
