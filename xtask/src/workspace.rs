//! Where things are: the workspace, its compiled programs, and the cache outside it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{AtPath, Error};

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("BUG: this crate is a folder of the workspace")
}

/// The `cargo` that started this program, in the folder of the workspace.
pub(crate) fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Where a release build puts the program `name`: beside the debug build that this program is part of.
pub(crate) fn release_program(name: &str) -> Result<PathBuf, Error> {
    let this = env::current_exe().at("find", "the running program")?;
    let target = this.ancestors().nth(2).expect("BUG: cargo puts programs two folders deep");
    Ok(target.join("release").join(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

/// The folder that outlives `target/`: `PIVOT_TESTBED_CACHE`, or `pivotctl-testbed` in the user's cache.
pub(crate) fn cache() -> Result<PathBuf, Error> {
    let named = |variable| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = named("PIVOT_TESTBED_CACHE") {
        return std::path::absolute(&folder).at("resolve", folder);
    }
    // The XDG base directory specification has relative paths ignored.
    let cache = named("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let home = named("HOME").filter(|path| path.is_absolute());
    let user = cache.or_else(|| home.map(|home| home.join(".cache"))).ok_or(Error::NoCacheFolder)?;
    Ok(user.join("pivotctl-testbed"))
}
