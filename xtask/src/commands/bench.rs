//! `cargo xtask bench`: how long a pivot takes, beside `clusterctl move` of the same objects.

use std::ffi::OsString;

use crate::error::Error;
use crate::testbed_program;

/// Gets everything that the benchmark needs and runs it with `args`.
pub(crate) fn run(args: &[OsString]) -> Result<(), Error> {
    testbed_program::run("bench", args)
}
