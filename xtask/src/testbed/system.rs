//! Programs of the system that some tests run: what Ironic stands on, and what it is reached by.
//!
//! They are Debian's, and installed where `apt-get` and root are at hand. Elsewhere the tests that need them say that they are skipped.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::progress::{self, Timed};

/// A program, and the package that brings it.
const PROGRAMS: [(&str, &str); 11] = [
    ("arping", "iputils-arping"),
    ("busybox", "busybox-static"),
    ("dhclient", "isc-dhcp-client"),
    ("dnsmasq", "dnsmasq-base"),
    ("ip", "iproute2"),
    ("keepalived", "keepalived"),
    ("podman", "podman"),
    (PYTHON, "python3-minimal"),
    ("runc", "runc"),
    ("ssh", "openssh-client"),
    ("sshd", "openssh-server"),
];

/// A module of Python without which no environment can be made, and the package that brings it.
const MODULES: [(&str, &str); 1] = [("ensurepip", "python3-venv")];

const PYTHON: &str = "python3";

/// Servers stand in places that are not on everybody's PATH.
const MORE_FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Installs what is missing, and says what it does. What cannot be installed is no error: tests that need it are skipped.
pub(crate) fn ensure() {
    let programs = PROGRAMS.into_iter().filter(|(program, _)| !is_there(program));
    let missing: Vec<_> =
        programs.chain(MODULES.into_iter().filter(|(module, _)| !imports(module))).collect();
    if missing.is_empty() {
        return;
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    if !is_there("apt-get") || !is_root() {
        progress::line(format_args!(
            "system: tests that need {} will be skipped; on Debian, root gets them by `apt-get install {}`",
            names(&missing),
            packages.join(" ")
        ));
        return;
    }
    let timed = Timed::begin_line(format_args!("system: installing {} by apt-get", packages.join(", ")));
    let done = install(&packages) || (update() && install(&packages));
    timed.end_line(if done { "done" } else { "failed" });
    if !done {
        progress::line(format_args!("system: tests that need {} will be skipped", names(&missing)));
    }
}

fn names(missing: &[(&str, &str)]) -> String {
    missing.iter().map(|(program, _)| *program).collect::<Vec<_>>().join(", ")
}

/// Installs packages without what they recommend, and starts none of their services.
fn install(packages: &[&str]) -> bool {
    succeeds(
        Command::new("apt-get")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive")
            // The scripts of packages start services in the run level that the machine is in; in this one there are none.
            .env("RUNLEVEL", "1"),
    )
}

fn update() -> bool {
    succeeds(Command::new("apt-get").args(["update", "--quiet"]))
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn imports(module: &str) -> bool {
    succeeds(Command::new(PYTHON).args(["-c", &format!("import {module}")]))
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(MORE_FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(program)).any(|path| Path::is_file(&path))
}
