//! `cargo xtask demo`: a pivot to watch, between two real API servers.

use std::ffi::OsString;

use crate::error::Error;
use crate::testbed_program;

/// Gets everything that the demo needs and runs it with `args`.
pub(crate) fn run(args: &[OsString]) -> Result<(), Error> {
    testbed_program::run("demo", args)
}
