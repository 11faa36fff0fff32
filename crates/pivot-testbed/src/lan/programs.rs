//! Programs of the system that some tests run: a DHCP server, an SSH server, containers.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Servers stand in places that are not on everybody's PATH.
const MORE_FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Where a program is; `None` where the machine has none.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(MORE_FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// True where all of these programs are there and network namespaces can be made; otherwise says loudly why not.
///
/// Use it through [`programs_or_skip!`](crate::programs_or_skip).
pub fn programs_can_run(test: &str, names: &[&str]) -> bool {
    let missing: Vec<&str> = names.iter().copied().filter(|name| program(name).is_none()).collect();
    let reason = if !rustix::process::geteuid().is_root() {
        "not root".to_owned()
    } else if missing.is_empty() {
        return crate::plane::pods_can_run(test);
    } else {
        format!("the machine has no {}; `cargo xtask assets` installs them where it may", missing.join(", "))
    };
    // Not `eprintln!`: the test harness captures that and shows it only when a test fails.
    let line = format!("SKIPPED: {test}: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
    false
}

/// Ends the surrounding test with a loud line where the machine lacks one of these programs, or allows no network namespaces.
#[macro_export]
macro_rules! programs_or_skip {
    ($($name:expr),+ $(,)?) => {
        if !$crate::lan::programs_can_run(concat!(module_path!(), ":", line!()), &[$($name),+]) {
            return;
        }
    };
}
