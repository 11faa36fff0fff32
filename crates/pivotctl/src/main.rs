//! `pivotctl` pivots a Metal3 / Cluster API management cluster: it moves every object from a source to a target, all or none.
//!
//! This is the command line. It turns flags into calls of the library and what comes back into words; it never talks to a cluster
//! itself.

mod args;
mod commands;
mod driver;
mod environment;
mod error;
mod exit;
mod program;
mod report;
mod ui;

use std::process::ExitCode;

use args::{Cli, Command};
use commands::Session;
use environment::Environment;
use error::CommandError;
use exit::Exit;
use program::Program;
use ui::interrupt::Interrupt;
use ui::printer::Printer;
use ui::{last_line, trace};

fn main() -> ExitCode {
    // More than one TLS provider may be compiled in; rustls wants to be told which one serves.
    rustls::crypto::ring::default_provider().install_default().ok();
    let program = Program::of(std::env::args_os().next().as_deref());
    let cli = match Cli::read(program, std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help is no error; where it cannot be printed nobody is left to be told.
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Done }.code());
        }
    };
    let environment = Environment::read();
    let verbosity = cli.global.verbosity();
    let printer = Printer::new(cli.global.color, verbosity == 0 && !environment.dumb_terminal);
    trace::install(verbosity, printer);
    let interrupt = Interrupt::default();
    let session = Session { program, global: cli.global, environment, printer, interrupt };
    ExitCode::from(run(&session, &cli.command).code())
}

fn run(session: &Session, command: &Command) -> Exit {
    let outcome = match command {
        Command::Version(args) => commands::version::run(session, args),
        Command::Completion(args) => commands::completion::run(session, args),
        Command::Util(args) => commands::util::run(session, args),
        _ => match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => {
                let outcome = runtime.block_on(on_clusters(session, command));
                // A question that nobody answers any more must not hold up the end.
                runtime.shutdown_background();
                outcome
            }
            Err(error) => {
                Err(CommandError::failed("runtime-unavailable", format!("cannot start threads: {error}")))
            }
        },
    };
    outcome.unwrap_or_else(|error| {
        error.print(session.printer);
        session.printer.note(last_line::NOTHING_CHANGED);
        error.exit
    })
}

async fn on_clusters(session: &Session, command: &Command) -> Result<Exit, CommandError> {
    if let Err(error) = session.interrupt.listen() {
        session.printer.note(format_args!("Ctrl-C will end the program at once: {error}"));
    }
    match command {
        Command::Check(args) => commands::check::run(session, args).await,
        Command::Plan(args) => commands::plan::run(session, args).await,
        Command::Move(args) => commands::r#move::run(session, args).await,
        Command::Verify(args) => commands::verify::run(session, args).await,
        Command::Status(args) => commands::status::run(session, args).await,
        Command::Resume(args) => commands::resume::run(session, args).await,
        Command::Rollback(args) => commands::rollback::run(session, args).await,
        Command::Finalize(args) => commands::finalize::run(session, args).await,
        Command::History(args) => commands::history::run(session, args).await,
        Command::Wait(args) => commands::wait::run(session, args).await,
        Command::Whoami(args) => commands::whoami::run(session, args).await,
        Command::Describe(args) => commands::describe::run(session, args).await,
        Command::Ironic(args) => commands::ironic::run(session, args).await,
        Command::Leases(args) => commands::leases::run(session, args).await,
        Command::Network(args) => commands::network::run(session, args).await,
        Command::Generate(args) => commands::generate::run(session, args).await,
        Command::Version(args) => commands::version::run(session, args),
        Command::Completion(args) => commands::completion::run(session, args),
        Command::Util(args) => commands::util::run(session, args),
    }
}
