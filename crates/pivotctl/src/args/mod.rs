//! The command line: global flags, and one variant a verb. The flags of a verb stand with its command.

mod duration;
mod fence;
mod global;
mod hand_over;
mod host;
mod silence;
mod verbosity;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

pub(crate) use duration::WaitLimit;
pub(crate) use fence::{Fence, FenceArgs};
pub(crate) use global::{ColorWhen, GlobalArgs, Output, SelectionArgs};
pub(crate) use hand_over::HandOverArgs;
pub(crate) use host::{EngineChoice, HostArgs};
pub(crate) use silence::SilenceArgs;

use crate::commands;
use crate::program::Program;

/// Pivot a Metal3 / Cluster API management cluster: move it from a source to a target, all or none
///
/// Data goes to standard output, everything else to standard error. The last line on standard error says which side is active.
#[derive(Debug, clap::Parser)]
#[command(
    name = "pivotctl",
    version,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Check(commands::check::CheckArgs),
    Plan(commands::plan::PlanArgs),
    Move(commands::r#move::MoveArgs),
    Verify(commands::verify::VerifyArgs),
    Status(commands::status::StatusArgs),
    Wait(commands::wait::WaitArgs),
    Resume(commands::resume::ResumeArgs),
    Rollback(commands::rollback::RollbackArgs),
    Finalize(commands::finalize::FinalizeArgs),
    History(commands::history::HistoryArgs),
    Whoami(commands::whoami::WhoamiArgs),
    Describe(commands::describe::DescribeArgs),
    Ironic(commands::ironic::IronicArgs),
    Leases(commands::leases::LeasesArgs),
    Network(commands::network::NetworkArgs),
    Generate(commands::generate::GenerateArgs),
    Version(commands::version::VersionArgs),
    Completion(commands::completion::CompletionArgs),
    #[command(hide = true)]
    Util(commands::util::UtilArgs),
}

impl Cli {
    /// Reads a command line. Errors carry what to print and the exit code; so do `--help` and `--version`.
    pub(crate) fn read(
        program: Program,
        argv: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let matches = Self::described(program).try_get_matches_from(verbosity::normalize(argv))?;
        Self::from_arg_matches(&matches)
    }

    /// The command as clap knows it, under the name by which the program was called.
    pub(crate) fn described(program: Program) -> clap::Command {
        Self::command().bin_name(program.name()).display_name("pivotctl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
