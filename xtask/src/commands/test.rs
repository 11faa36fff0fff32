//! `cargo xtask test`: every test, with the real programs that it needs.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::{process, testbed, workspace};

/// How many tests of one program run at a time.
const THREADS: &str = "RUST_TEST_THREADS";

/// Gets the assets and runs `cargo test` with `args`, for the whole workspace unless `args` name packages.
///
/// Where nobody watches, the last line tells the totals over all test programs, which `cargo test` itself does not.
pub(crate) fn run(args: &[OsString]) -> Result<(), Error> {
    testbed::ensure_system();
    let assets = testbed::ensure()?;
    testbed::ensure_python(&assets);
    let mut command = workspace::cargo();
    command.arg("test").env("PIVOT_TESTBED_ASSETS", assets);
    if std::env::var_os(THREADS).is_none() {
        // Tests wait more than they compute: for planes, for seats, for silence on a network.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        command.env(THREADS, (cores + cores.div_ceil(2)).to_string());
    }
    if !names_packages(args) {
        command.arg("--workspace");
    }
    command.args(args);
    // Test programs colour what they print only on a terminal, so on one they get it themselves.
    if io::stdout().is_terminal() { process::run(&mut command) } else { run_and_total(&mut command) }
}

fn names_packages(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| {
        let arg = arg.to_string_lossy();
        arg.starts_with("-p") || arg == "--package" || arg.starts_with("--package=")
    })
}

/// Passes on what the tests print, line by line, and ends with the totals.
fn run_and_total(command: &mut Command) -> Result<(), Error> {
    let mut tests =
        command.stdout(Stdio::piped()).spawn().map_err(|source| process::not_started(command, source))?;
    let lines = tests.stdout.take().expect("BUG: standard output is piped");
    let copied = copy_and_total(BufReader::new(lines), &mut io::stdout());
    // Waited for whatever became of its output, so that it does not outlive this command.
    let status = tests.wait();
    let output = |source| Error::Output { command: process::shown(command), source };
    let (totals, status) = (copied.map_err(output)?, status.map_err(output)?);
    writeln!(io::stdout(), "\n{totals}").map_err(output)?;
    if status.success() { Ok(()) } else { Err(Error::Failed { command: process::shown(command), status }) }
}

fn copy_and_total(mut from: impl BufRead, to: &mut impl Write) -> io::Result<Totals> {
    let mut totals = Totals::default();
    let mut line = Vec::new();
    // Bytes, not text: a failing test may print anything.
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        totals.add(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(totals)
}

/// How many tests ended how, over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Totals {
    /// Counts a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; ...`; other lines count nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) =
            line.trim().strip_prefix("test result: ").and_then(|result| result.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tests: {} passed, {} failed, {} skipped", self.passed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_programs_are_added() {
        let printed: &[u8] = b"running 2 tests\n\
            test a ... ok\n\
            \xff\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s\n\
            \n\
            test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s";
        let mut copy = Vec::new();
        let totals = copy_and_total(printed, &mut copy).unwrap();
        assert_eq!(copy, printed);
        assert_eq!(totals, Totals { passed: 5, failed: 4, ignored: 1 });
        assert_eq!(totals.to_string(), "tests: 5 passed, 4 failed, 1 skipped");
    }

    #[test]
    fn packages_are_looked_for_among_the_arguments_of_cargo_alone() {
        let names = |args: &[&str]| names_packages(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(names(&["-p", "pivot"]));
        assert!(names(&["--lib", "--package=pivot"]));
        assert!(!names(&[]));
        assert!(!names(&["--test", "move", "--", "-p"]));
    }
}
