//! `resume`.

use super::Session;
use super::r#move::FailureHow;
use super::recovery::{self, RecoverArgs, Wish};
use crate::error::CommandError;
use crate::exit::Exit;

/// Finish a pivot that was interrupted, by what both clusters remember of it
///
/// It works from any machine, and needs no other flags than those that name the clusters: what was asked for stands in the records.
/// Exit code 3 says that it had to be undone instead.
#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    recover: RecoverArgs,

    /// What a failure before the pivot is prepared leads to
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    on_failure: FailureHow,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &ResumeArgs) -> Result<Exit, CommandError> {
    recovery::take_up(session, &args.recover, Wish::Resume(args.on_failure.into())).await
}
