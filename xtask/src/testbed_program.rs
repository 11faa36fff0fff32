//! Running a program of the `pivot-testbed` crate against a release build of `pivotctl`.

use std::ffi::OsString;

use crate::error::Error;
use crate::{process, progress, testbed, workspace};

/// Gets the assets, builds `pivotctl` and runs the program `name` with `args`.
pub(crate) fn run(name: &str, args: &[OsString]) -> Result<(), Error> {
    let assets = testbed::ensure()?;
    progress::line(format_args!("{name}: building pivotctl and the test bed in release mode"));
    process::run(workspace::cargo().args(["build", "--release", "--package", "pivotctl"]))?;
    process::run(
        workspace::cargo()
            .args(["run", "--release", "--package", "pivot-testbed", "--bin", name, "--"])
            .args(args)
            .env("PIVOT_TESTBED_ASSETS", assets)
            .env("PIVOTCTL_BIN", workspace::release_program("pivotctl")?),
    )
}
