//! `whoami`.

use pivot::memory::{Recall, recall};

use super::{Session, Verb};
use crate::args::{Output, SilenceArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::data;
use crate::report::whoami::Whoami;
use crate::ui::last_line;

/// Tell what a cluster is: active, part of a pivot, or retired, without changing anything
///
/// It asks the cluster of --kubeconfig, or the default one, and nobody else.
#[derive(Debug, clap::Args)]
pub(crate) struct WhoamiArgs {
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    silence: SilenceArgs,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &WhoamiArgs) -> Result<Exit, CommandError> {
    let cluster = session.source().await?;
    let whoami = match session.busy(Box::pin(recall(Some(&cluster), args.silence.limit()))).await? {
        Recall::Read(read) => Whoami::of(&read)?,
        Recall::Silent { name, error } => {
            return Err(CommandError::unread(&error, format!("{name}: {error}")));
        }
        Recall::NotNamed => unreachable!("BUG: a cluster that was asked is not named"),
    };
    session.print(&match args.output {
        Output::Text => whoami.text(),
        Output::Json => data::json(&whoami),
        Output::Yaml => data::yaml(&whoami),
    })?;
    let look = session.on_clusters(Verb::Status);
    let active = whoami.active();
    if whoami.is_settled() {
        session.printer.note(active);
    } else {
        session.printer.note(format_args!("{active}; {}", last_line::next(look.line())));
    }
    Ok(Exit::Done)
}
