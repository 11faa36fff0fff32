//! Running other programs and telling their failures apart.

use std::path::Path;
use std::process::{Command, Output};

use crate::error::Error;
use crate::progress;

/// Runs a program that shares the terminal, to its end.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|source| not_started(command, source))?;
    if status.success() { Ok(()) } else { Err(Error::Failed { command: shown(command), status }) }
}

/// Runs a program whose messages are shown only if it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<(), Error> {
    captured(command).map(drop)
}

/// Runs a program and returns what it printed on standard output, without the last newline; what it printed on standard error is
/// shown only if it fails.
pub(crate) fn read(command: &mut Command) -> Result<String, Error> {
    let output = captured(command)?;
    let text = String::from_utf8(output.stdout).map_err(|_| Error::NotUtf8 { command: shown(command) })?;
    Ok(text.trim_end().to_owned())
}

fn captured(command: &mut Command) -> Result<Output, Error> {
    let output = command.output().map_err(|source| not_started(command, source))?;
    if output.status.success() {
        return Ok(output);
    }
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        if !text.trim().is_empty() {
            progress::line(format_args!("\n{}", text.trim_end()));
        }
    }
    Err(Error::Failed { command: shown(command), status: output.status })
}

/// The error for a program that did not start.
pub(crate) fn not_started(command: &Command, source: std::io::Error) -> Error {
    Error::Start { program: program_name(command), source }
}

/// The command line as a person would write it.
pub(crate) fn shown(command: &Command) -> String {
    let mut line = program_name(command);
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

fn program_name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}
