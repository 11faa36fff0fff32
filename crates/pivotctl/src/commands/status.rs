//! `status`.

use pivot::cluster::Cluster;
use pivot::status::{IsDead, StatusOptions};
use pivot_core::record::FenceMode;

use super::session::DEFAULT_WAIT;
use super::{Session, standing};
use crate::args::{Output, SelectionArgs, SilenceArgs};
use crate::driver::driver;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::{data, status};

/// Tell which side is active and where a pivot stands, without changing anything
///
/// Without a selection the one of the pivot counts. A side that does not answer is told as such, and nothing is concluded from it.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    silence: SilenceArgs,

    #[command(flatten)]
    selection: SelectionArgs,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &StatusArgs) -> Result<Exit, CommandError> {
    let (source, target) = session.known_sides(false).await?;
    let driver = driver(&session.environment);
    let adopt =
        !session.selects() && args.selection.filter_cluster.is_empty() && args.selection.links.is_empty();
    let namespace = source.as_ref().map_or("default", Cluster::namespace);
    let options = StatusOptions {
        // Nothing is fenced to look.
        survey: session.options(namespace, &args.selection, DEFAULT_WAIT, FenceMode::Pause)?,
        adopt,
        silence: args.silence.limit(),
        is_dead: IsDead(&*driver.is_dead),
    };
    let look = Box::pin(pivot::status::status(source.as_ref(), target.as_ref(), options));
    let (report, memory) = session.busy(look).await?;
    CommandError::unless_some_answer(&memory)?;
    session.print(&match args.output {
        Output::Text => status::text(&report),
        Output::Json => data::json(&report),
        Output::Yaml => data::yaml(&report),
    })?;
    session.printer.note(standing::last_line(session, &report));
    Ok(Exit::Done)
}
