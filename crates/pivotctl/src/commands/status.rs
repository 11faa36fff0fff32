//! `status`.

use pivot::cluster::Cluster;
use pivot_core::machine::Active;

use super::session::DEFAULT_WAIT;
use super::{Session, Verb};
use crate::args::{Output, SelectionArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::{data, status};
use crate::ui::last_line;

/// Tell which side is active and where a pivot stands, without changing anything
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    selection: SelectionArgs,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &StatusArgs) -> Result<Exit, CommandError> {
    session.check_flags()?;
    let source = session.source().await?;
    let target = session.target().await?;
    let options = session.options(&source, &args.selection, DEFAULT_WAIT)?;
    let report = session.busy(pivot::status::status(&source, target.as_ref(), &options)).await?;
    session.print(&match args.output {
        Output::Text => status::text(&report),
        Output::Json => data::json(&report),
        Output::Yaml => data::yaml(&report),
    })?;
    let active = last_line::active(report.active, source.name(), target.as_ref().map(Cluster::name));
    session.printer.note(match report.active {
        Some(Active::Neither) => {
            let next = session.next(Verb::Verify).selecting(&args.selection);
            format!("{active}; {}", last_line::next(next.line()))
        }
        _ => active,
    });
    Ok(Exit::Done)
}
