//! `plan`.

use std::path::PathBuf;

use clap::ValueEnum;
use pivot::survey::survey;
use pivot_core::plan::PlanReport;

use super::session::DEFAULT_WAIT;
use super::{Session, Verb, refuse, saved_plan};
use crate::args::{FenceArgs, HandOverArgs, SelectionArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::{data, graph, html, plan};

/// Show what a pivot would move, copy, keep and skip, and why, without changing anything
///
/// Without a target only the source is looked at. The exit code is 1 where an error refuses the pivot.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// How to print the plan
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: PlanOutput,

    /// Save the plan for `move --plan`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Exit with 2 where there is something to move, 0 where there is nothing
    #[arg(long)]
    detailed_exitcode: bool,

    #[command(flatten)]
    fence: FenceArgs,

    #[command(flatten)]
    selection: SelectionArgs,

    // Last, because its heading would hold for what follows.
    #[command(flatten)]
    hand_over: HandOverArgs,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PlanOutput {
    /// For people
    #[default]
    Text,
    /// JSON, as in a saved plan
    Json,
    /// YAML
    Yaml,
    /// A graph for Graphviz
    Dot,
    /// A graph for Mermaid
    Mermaid,
    /// A page for a browser
    Html,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &PlanArgs) -> Result<Exit, CommandError> {
    session.check_flags()?;
    let source = session.source().await?;
    let target = session.target().await?;
    let mut options =
        session.options(source.namespace(), &args.selection, DEFAULT_WAIT, args.fence.into())?;
    options.ironic = args.hand_over.wish()?;
    let survey = session.busy(Box::pin(survey(&source, target.as_ref(), &options))).await??;
    let report = survey.report();
    session.print(&match args.output {
        PlanOutput::Text => plan::text(report, session.is_verbose()),
        PlanOutput::Json => data::json(report),
        PlanOutput::Yaml => data::yaml(report),
        PlanOutput::Dot => graph::dot(report),
        PlanOutput::Mermaid => graph::mermaid(report),
        PlanOutput::Html => html::page(report),
    })?;
    if let Some(path) = &args.out {
        saved_plan::write(path, report)?;
    }
    session.printer.note(refuse::last_line(session, report, &next(session, args, report)));
    Ok(exit(args, report))
}

fn next(session: &Session, args: &PlanArgs, report: &PlanReport) -> String {
    let refused = report.counts().errors > 0;
    let verb = if refused || report.target.is_none() { Verb::Plan } else { Verb::Move };
    let mut next = session.next(verb).selecting(&args.selection).fenced(args.fence);
    next = args.hand_over.repeated(next);
    if report.target.is_none() {
        next = next.with("--to-kubeconfig", "FILE");
    }
    match &args.out {
        Some(path) if verb == Verb::Move => next.with_path("--plan", path),
        Some(path) => next.with_path("--out", path),
        None => next,
    }
    .line()
    .to_owned()
}

fn exit(args: &PlanArgs, report: &PlanReport) -> Exit {
    let counts = report.counts();
    if counts.errors > 0 {
        Exit::Failed
    } else if args.detailed_exitcode && counts.moved + counts.copied > 0 {
        Exit::Differs
    } else {
        Exit::Done
    }
}
