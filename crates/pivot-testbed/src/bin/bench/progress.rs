//! What happens meanwhile, on standard error.
#![expect(
    clippy::print_stderr,
    reason = "the benchmark is a program for people; standard output stays for results"
)]

use std::fmt;

/// Prints one line.
pub(crate) fn line(text: impl fmt::Display) {
    eprintln!("{text}");
}
