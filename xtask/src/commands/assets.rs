//! `cargo xtask assets`: the real programs and CRDs that the tests run.

use std::io::{self, Write};

use crate::error::{AtPath, Error};
use crate::testbed;

/// Builds what is missing. With `print_dir`, the folder is all that standard output gets.
pub(crate) fn run(print_dir: bool) -> Result<(), Error> {
    testbed::ensure_system();
    let folder = testbed::ensure()?;
    testbed::ensure_python(&folder);
    if print_dir {
        writeln!(io::stdout(), "{}", folder.display()).at("print", folder)?;
    }
    Ok(())
}
