//! `history`.

use pivot::history::history;
use pivot::memory::remember;
use pivot::status::{IsDead, StatusReport};

use super::{Session, standing};
use crate::args::{Output, SilenceArgs};
use crate::driver::driver;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::{data, history as table};

/// List the pivots that one or both clusters remember, without changing anything
#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArgs {
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    silence: SilenceArgs,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &HistoryArgs) -> Result<Exit, CommandError> {
    let (source, target) = session.known_sides(false).await?;
    let memory =
        session.busy(Box::pin(remember(source.as_ref(), target.as_ref(), args.silence.limit()))).await?;
    CommandError::unless_some_answer(&memory)?;
    let pivots = history(&memory);
    session.print(&match args.output {
        Output::Text => table::text(&pivots),
        Output::Json => data::json(&pivots),
        Output::Yaml => data::yaml(&pivots),
    })?;
    if pivots.is_empty() {
        session.printer.note("no pivots found");
    }
    let driver = driver(&session.environment);
    let report = StatusReport::of_records(&memory, IsDead(&*driver.is_dead));
    session.printer.note(standing::last_line(session, &report));
    Ok(Exit::Done)
}
