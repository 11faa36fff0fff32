//! `cargo xtask ci`: every check that a change must pass.

use crate::error::Error;
use crate::progress::{self, Timed};
use crate::{deny, process, workspace};

use super::{docs, test};

/// A check: its name in the output, and what does it.
type Step = (&'static str, fn() -> Result<(), Error>);

/// The quick checks first, and the tests last, so that their results end the output.
const STEPS: [Step; 7] = [
    ("format", || process::run(workspace::cargo().args(["fmt", "--all", "--check"]))),
    ("dependencies", deny::run),
    ("clippy", clippy),
    ("documentation", documentation),
    ("generated pages", || docs::run(true)),
    ("seeded defects", defects),
    ("tests", || test::run(&["--no-fail-fast".into()])),
];

/// Runs every check, also after one failed: one run tells all there is to repair.
pub(crate) fn run() -> Result<(), Error> {
    let all = Timed::start();
    let mut failed = Vec::new();
    for (name, check) in STEPS {
        progress::line(format_args!("\n==> {name}"));
        let timed = Timed::start();
        match check() {
            Ok(()) => progress::line(format_args!("==> {name}: passed ({timed})")),
            Err(error) => {
                progress::report(&error);
                progress::line(format_args!("==> {name}: FAILED ({timed})"));
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        return Err(Error::Checks { steps: failed });
    }
    progress::line(format_args!("\nci: all {} checks passed ({all})", STEPS.len()));
    Ok(())
}

fn clippy() -> Result<(), Error> {
    process::run(workspace::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))
}

/// The model finds every mistake that the machine makes on request.
fn defects() -> Result<(), Error> {
    let test = ["test", "-p", "pivot-core", "--features", "defects", "--test", "machine", "defects"];
    process::run(workspace::cargo().args(test))
}

fn documentation() -> Result<(), Error> {
    process::run(
        workspace::cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
    )
}
