//! `completion`.

use clap_complete::Shell;

use super::Session;
use crate::args::Cli;
use crate::error::CommandError;
use crate::exit::Exit;

/// Print a script that completes the command line in a shell
///
/// In bash, for example: source <(pivotctl completion bash)
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the verb.
pub(crate) fn run(session: &Session, args: &CompletionArgs) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    let mut command = Cli::described(session.program);
    // Shells complete the name of an executable, also where that is a plugin.
    let executable = session.program.name().replace(' ', "-");
    clap_complete::generate(args.shell, &mut command, executable, &mut script);
    session.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
