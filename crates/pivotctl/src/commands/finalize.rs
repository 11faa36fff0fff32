//! `finalize`.

use super::Session;
use super::recovery::{self, RecoverArgs, Wish};
use crate::error::CommandError;
use crate::exit::Exit;

/// Remove what a finished pivot left in the source, and close its records
///
/// After `move --retire=keep` this deletes the objects of the source. What cannot be deleted, because it was changed since or is protected,
/// stays; the fence is lifted all the same.
#[derive(Debug, clap::Args)]
pub(crate) struct FinalizeArgs {
    #[command(flatten)]
    recover: RecoverArgs,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &FinalizeArgs) -> Result<Exit, CommandError> {
    recovery::take_up(session, &args.recover, Wish::Finalize).await
}
