//! The Python programs that some tests run: Ironic, and the BMCs that it talks to.
//!
//! They stand in a virtual environment, and the folder of assets has a link to it:
//!
//! ```text
//! CACHE/ironic-DIGEST/bin/PROGRAM
//! CACHE/DIGEST/ironic -> ../ironic-DIGEST
//! ```
//!
//! So their pins and those of the Go modules do not move each other's folder. Where there is no Python, or nothing to install from, the tests that
//! need them say that they are skipped.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::error::{AtPath, Error};
use crate::process;
use crate::progress::{self, Timed};
use crate::workspace;

use super::folder::{discard, lock};
use super::pins;

/// What pins them, under `testbed/`.
const PINS: &str = "ironic/requirements.txt";
/// The link in the folder of assets.
const LINK: &str = "ironic";
/// Its presence says that an environment is complete: programs in it name their own folder, so that it cannot be renamed.
const COMPLETE: &str = "complete";

/// Makes the environment unless it is there, and links the folder of assets to it. What cannot be had is said, and is no error.
pub(crate) fn ensure(assets: &Path) {
    if let Err(error) = make_and_link(assets) {
        progress::report(&error);
        progress::line("python: tests that need Ironic will be skipped");
    }
}

fn make_and_link(assets: &Path) -> Result<(), Error> {
    let _lock = lock(assets)?;
    let pins = workspace::root().join("testbed").join(PINS);
    let interpreter = process::read(clean(Command::new("python3").arg("--version")))?;
    let name = format!("{LINK}-{}", digest(&pins, &interpreter)?);
    let folder = workspace::cache()?.join(&name);
    let (link, target) = (assets.join(LINK), Path::new("..").join(name));
    let is_complete = folder.join(COMPLETE).is_file();
    if is_complete && fs::read_link(&link).is_ok_and(|current| current == target) {
        return Ok(());
    }
    // Also where the next steps fail: other pins than the present ones serve nobody.
    remove_link(&link).at("remove", &link)?;
    if !is_complete {
        make(&pins, &interpreter, &folder)?;
    }
    symlink(target, &link).at("create", link)
}

fn remove_link(link: &Path) -> io::Result<()> {
    match fs::remove_file(link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// An environment is that of one interpreter.
fn digest(pins: &Path, interpreter: &str) -> Result<String, Error> {
    let content = fs::read(pins).at("read", pins)?;
    Ok(pins::digest_of([interpreter.as_bytes(), &content]))
}

fn make(pins: &Path, interpreter: &str, folder: &Path) -> Result<(), Error> {
    let timed = Timed::begin_line(format_args!(
        "python: installing Ironic for {interpreter} in {}",
        folder.display()
    ));
    let made = fill(pins, folder);
    timed.end_line(if made.is_ok() { "done" } else { "failed" });
    made
}

fn fill(pins: &Path, folder: &Path) -> Result<(), Error> {
    // The lock is held: what is there was left by a run that is over.
    discard(folder)?;
    process::run_quietly(clean(Command::new("python3").args(["-m", "venv"]).arg(folder)))?;
    let pip = |args: &[&str]| {
        let mut command = Command::new(folder.join("bin/python"));
        command.args(["-m", "pip", "--disable-pip-version-check"]).args(args);
        command
    };
    // What is not pinned is not installed, and would be missed by the check.
    process::run_quietly(clean(pip(&["install", "--quiet", "--no-deps", "--requirement"]).arg(pins)))?;
    process::run_quietly(clean(&mut pip(&["check"])))?;
    let complete = folder.join(COMPLETE);
    fs::write(&complete, "").at("write", complete)
}

/// The same without what would make Python or pip look into other environments. From where packages come is the user's own setting.
fn clean(command: &mut Command) -> &mut Command {
    command
        .env_remove("PYTHONPATH")
        .env_remove("PYTHONHOME")
        .env("PYTHONNOUSERSITE", "1")
        .env("PIP_USER", "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_belongs_to_its_pins_and_its_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let pins = folder.path().join("requirements.txt");
        fs::write(&pins, "ironic==1").unwrap();
        let first = digest(&pins, "Python 3.11.7").unwrap();
        assert_eq!(first, digest(&pins, "Python 3.11.7").unwrap());
        assert_ne!(first, digest(&pins, "Python 3.12.0").unwrap());
        fs::write(&pins, "ironic==2").unwrap();
        assert_ne!(first, digest(&pins, "Python 3.11.7").unwrap());
    }

    #[test]
    fn every_version_is_pinned_and_no_place_is_named() {
        let pins = fs::read_to_string(workspace::root().join("testbed").join(PINS)).unwrap();
        for line in pins.lines().filter(|line| !line.starts_with('#')) {
            let (name, version) = line.split_once("==").unwrap_or_else(|| panic!("not pinned: {line}"));
            assert!(!name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()), "{line}");
            assert!(!line.contains([' ', '/', '@']), "{line}");
        }
    }

    #[test]
    fn a_link_to_other_pins_is_removed_and_none_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join(LINK);
        remove_link(&link).unwrap();
        symlink("../gone", &link).unwrap();
        remove_link(&link).unwrap();
        assert!(fs::symlink_metadata(&link).is_err());
    }
}
