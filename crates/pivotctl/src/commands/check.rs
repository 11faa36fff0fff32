//! `check`.

use super::session::DEFAULT_WAIT;
use super::{Session, Verb, refuse};
use crate::args::{FenceArgs, HandOverArgs, Output, SelectionArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::check::CheckReport;
use crate::report::data;
use pivot::survey::survey;

/// Check whether a pivot could begin, without changing anything
///
/// The exit code is 0 where it could, and 1 where an error refuses it.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Check the source alone
    #[arg(long)]
    pre: bool,

    /// How to print the result
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    fence: FenceArgs,

    #[command(flatten)]
    selection: SelectionArgs,

    // Last, because its heading would hold for what follows.
    #[command(flatten)]
    hand_over: HandOverArgs,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &CheckArgs) -> Result<Exit, CommandError> {
    session.check_flags()?;
    let source = session.source().await?;
    let target = if args.pre { None } else { Some(session.required_target().await?) };
    let mut options =
        session.options(source.namespace(), &args.selection, DEFAULT_WAIT, args.fence.into())?;
    options.ironic = args.hand_over.wish()?;
    let survey = session.busy(Box::pin(survey(&source, target.as_ref(), &options))).await??;
    let plan = survey.report();
    let report = CheckReport::of(plan);
    session.print(&match args.output {
        Output::Text => report.text(session.is_verbose()),
        Output::Json => data::json(&report),
        Output::Yaml => data::yaml(&report),
    })?;
    let failed = plan.counts().errors > 0;
    let next = session
        .next(if failed { Verb::Check } else { Verb::Plan })
        .selecting(&args.selection)
        .fenced(args.fence);
    let next = args.hand_over.repeated(next);
    session.printer.note(refuse::last_line(session, plan, next.line()));
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
