//! Why a command on a machine did not do what it was asked for.

use std::time::Duration;

/// A command that failed. It holds what the command said on standard error and never what it was fed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A program of this machine could not be started.
    #[error("cannot start `{program}` on this machine: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// `ssh` did not get through.
    #[error("{host} cannot be reached: {message}")]
    Unreachable {
        /// How messages call the machine.
        host: String,
        /// What `ssh` said.
        message: String,
    },
    /// No end within the time.
    #[error("`{command}` on {host} did not end within {} s", limit.as_secs())]
    Silent {
        /// The program and its first arguments.
        command: String,
        /// How messages call the machine.
        host: String,
        /// The time.
        limit: Duration,
    },
    /// The machine has no such program.
    #[error("there is no `{program}` on {host}")]
    NoProgram {
        /// The program.
        program: String,
        /// How messages call the machine.
        host: String,
    },
    /// The machine has no such network namespace.
    #[error("there is no network namespace {name} on {machine}")]
    NoNamespace {
        /// Its name.
        name: String,
        /// How messages call the machine.
        machine: String,
    },
    /// The user may not do this.
    #[error("`{command}` on {host}: {message}")]
    Denied {
        /// The program and its first arguments.
        command: String,
        /// How messages call the machine.
        host: String,
        /// What the program said.
        message: String,
    },
    /// It ended with an error.
    #[error("`{command}` on {host} failed ({ending}): {message}")]
    Failed {
        /// The program and its first arguments.
        command: String,
        /// How messages call the machine.
        host: String,
        /// Exit code or signal.
        ending: String,
        /// What the program said.
        message: String,
    },
    /// It answered in another form than is understood.
    #[error("`{command}` on {host} answered in a form that is not understood: {problem}")]
    Answer {
        /// The program and its first arguments.
        command: String,
        /// How messages call the machine.
        host: String,
        /// What is wrong with it.
        problem: String,
    },
}
