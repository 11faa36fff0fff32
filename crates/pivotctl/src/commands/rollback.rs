//! `rollback`.

use super::Session;
use super::recovery::{self, RecoverArgs, Wish};
use crate::error::CommandError;
use crate::exit::Exit;

/// Undo a pivot that is not decided yet, by what both clusters remember of it
///
/// Afterwards the source is as it was, and nothing of the pivot is left in the target; the exit code is then 0, since that is what was
/// asked for. A pivot that is decided is not undone: pivot back instead.
#[derive(Debug, clap::Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    recover: RecoverArgs,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &RollbackArgs) -> Result<Exit, CommandError> {
    recovery::take_up(session, &args.recover, Wish::Rollback).await
}
