//! Collecting CRDs, one file each.

use std::fs;
use std::path::Path;

use crate::error::{AtPath, Error};
use crate::process;

use super::go::Pins;

/// Copies the CRDs at `from`, paths inside the component's module, into the folder `to`.
pub(super) fn copy(pins: &Pins, from: &[&str], to: &Path) -> Result<(), Error> {
    let source = pins.source()?;
    fs::create_dir_all(to).at("create", to)?;
    for path in from.iter().map(|path| source.join(path)) {
        if path.is_dir() {
            for entry in fs::read_dir(&path).at("list", &path)? {
                copy_file(&entry.at("list", &path)?.path(), to)?;
            }
        } else {
            copy_file(&path, to)?;
        }
    }
    Ok(())
}

/// Copies the content alone: files in the module cache are read-only, and copies of them could not be removed.
fn copy_file(from: &Path, to: &Path) -> Result<(), Error> {
    let name = from.file_name().expect("BUG: a CRD's path ends in its file name");
    let content = fs::read(from).at("read", from)?;
    let to = to.join(name);
    fs::write(&to, content).at("write", to)
}

/// Generates the CRDs of the types in `package` into the folder `to`.
pub(super) fn generate(
    pins: &Pins,
    controller_gen: &Path,
    generator: &str,
    package: &str,
    to: &Path,
) -> Result<(), Error> {
    fs::create_dir_all(to).at("create", to)?;
    let mut command = pins.command(controller_gen);
    command.arg(generator).arg(format!("paths={package}")).arg(format!("output:crd:dir={}", to.display()));
    process::run_quietly(&mut command)
}

/// Whether the folder holds at least one CRD.
pub(super) fn any_in(folder: &Path) -> Result<bool, Error> {
    for entry in fs::read_dir(folder).at("list", folder)? {
        if entry.at("list", folder)?.path().extension().is_some_and(|extension| extension == "yaml") {
            return Ok(true);
        }
    }
    Ok(false)
}
