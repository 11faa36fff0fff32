//! Build, test and demo commands of the workspace: `cargo xtask COMMAND`.

mod commands;
mod deny;
mod error;
mod process;
mod progress;
mod testbed;
mod testbed_program;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, test and demo commands of the pivotctl workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the real programs and CRDs that the tests run, unless they are cached
    Assets {
        /// Print the folder that holds them, and nothing else, on standard output
        #[arg(long)]
        print_dir: bool,
    },
    /// Get the assets and run every test
    Test {
        /// Arguments for `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Get the assets and pivot a sample cluster between two real API servers
    Demo {
        /// Arguments for the demo
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Get the assets and measure pivotctl against clusterctl
    Bench {
        /// Arguments for the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Get the assets, disturb pivots at every instant and look at both clusters after each
    Faults {
        /// Arguments for the fault cases
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run every check that a change must pass
    Ci,
    /// Write the generated pages of the documentation
    Docs {
        /// Write nothing; fail where a committed page differs from what would be written
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Assets { print_dir } => commands::assets::run(print_dir),
        Command::Test { args } => commands::test::run(&args),
        Command::Demo { args } => commands::demo::run(&args),
        Command::Bench { args } => commands::bench::run(&args),
        Command::Faults { args } => commands::faults::run(&args),
        Command::Ci => commands::ci::run(),
        Command::Docs { check } => commands::docs::run(check),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::report(&error);
            ExitCode::FAILURE
        }
    }
}
