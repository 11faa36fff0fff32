//! `cargo xtask docs`: the pages that are generated from the program, so that they cannot drift from it.

use std::fs;
use std::io::ErrorKind;

use crate::error::{AtPath, Error};
use crate::{process, progress, workspace};

/// Writes the command line reference. With `check` it writes nothing and fails where the page differs.
pub(crate) fn run(check: bool) -> Result<(), Error> {
    let reference = process::read(workspace::cargo().args([
        "run",
        "--quiet",
        "--package",
        "pivotctl",
        "--",
        "util",
        "markdown-help",
    ]))?;
    if reference.is_empty() {
        return Err(Error::EmptyReference);
    }
    let reference = reference + "\n";
    let path = workspace::root().join("docs").join("cli.md");
    if check {
        let committed = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            committed => committed.at("read", &path)?,
        };
        return if committed == reference { Ok(()) } else { Err(Error::StalePage { path }) };
    }
    fs::write(&path, reference).at("write", &path)?;
    progress::line(format_args!("docs: wrote {}", path.display()));
    Ok(())
}
