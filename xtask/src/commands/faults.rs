//! `cargo xtask faults`: pivots that are killed, cut off and opposed at every instant.

use std::ffi::OsString;

use crate::error::Error;
use crate::testbed_program;

/// Gets everything that the fault cases need and runs them with `args`.
pub(crate) fn run(args: &[OsString]) -> Result<(), Error> {
    testbed_program::run("faults", args)
}
