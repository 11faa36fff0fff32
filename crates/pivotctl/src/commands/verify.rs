//! `verify`.

use pivot_core::record::FenceMode;

use super::session::DEFAULT_WAIT;
use super::{Session, standing};
use crate::args::{Output, SelectionArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::{data, verify};

/// Compare both sides and tell what has not settled, without changing anything
///
/// Settled is what a pivot brought once it is complete and unpaused, hosts are in the state in which they arrived, the controllers of the
/// target run, lead and have taken it up, those of the source stand still, and no Machine is replaced or remediated. The exit code is 0
/// where nothing differs and everything has settled, 2 where something differs or has not, and 1 where the sides could not be compared.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// How to print the differences
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    selection: SelectionArgs,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &VerifyArgs) -> Result<Exit, CommandError> {
    session.check_flags()?;
    let source = session.source().await?;
    let target = session.required_target().await?;
    let options = session.options(source.namespace(), &args.selection, DEFAULT_WAIT, FenceMode::Pause)?;
    let (report, status) =
        session.busy(Box::pin(pivot::verify::verify(&source, &target, &options))).await??;
    session.print(&match args.output {
        Output::Text => verify::text(&report),
        Output::Json => data::json(&report),
        Output::Yaml => data::yaml(&report),
    })?;
    session.printer.note(standing::last_line(session, &status));
    Ok(if report.is_well() { Exit::Done } else { Exit::Differs })
}
