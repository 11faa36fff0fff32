//! The Go toolchain, with everything that could change what it builds held fixed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, GoVersion};
use crate::process;

use super::component::Component;

/// The release that the newest of the pinned modules asks for.
const NEEDED: GoVersion = GoVersion { major: 1, minor: 25 };

/// Fails with what to install unless a `go` that is new enough is on PATH.
pub(super) fn check_installed() -> Result<(), Error> {
    let mut command = Command::new("go");
    command.args(["env", "GOVERSION"]);
    let found = match process::read(&mut with_fixed_environment(command)) {
        Ok(found) => found,
        Err(Error::Start { .. }) => return Err(Error::NoGo { needed: NEEDED }),
        Err(error) => return Err(error),
    };
    match parse_version(&found) {
        Some(version) if version < NEEDED => Err(Error::OldGo { needed: NEEDED, found }),
        // A toolchain built from source names no release; the build will tell.
        _ => Ok(()),
    }
}

/// Reads `go1.26.8` or `go1.27rc1`.
fn parse_version(text: &str) -> Option<GoVersion> {
    let (major, rest) = text.strip_prefix("go")?.split_once('.')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some(GoVersion { major: major.parse().ok()?, minor: rest[..digits].parse().ok()? })
}

/// Runs `program` so that only the pins decide what comes out, whatever the user's Go settings are.
pub(super) fn with_fixed_environment(mut command: Command) -> Command {
    command
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly -trimpath -buildvcs=false")
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off");
    command
}

/// The pins of one component, as the module that `go` works in.
pub(super) struct Pins {
    component: &'static Component,
    folder: PathBuf,
}

impl Pins {
    /// The pins of `component`, under the folder `testbed`.
    pub(super) fn of(component: &'static Component, testbed: &Path) -> Self {
        Self { component, folder: testbed.join(component.pins) }
    }

    /// A program that works in the module of the pins.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder);
        with_fixed_environment(command)
    }

    /// The pinned version of the component's module, such as `v1.34.4`.
    pub(super) fn version(&self) -> Result<String, Error> {
        self.list("{{.Version}}")
    }

    /// The folder with the component's module, downloaded if it is not there yet.
    pub(super) fn source(&self) -> Result<PathBuf, Error> {
        let mut download = self.command("go");
        download.args(["mod", "download", self.component.module]);
        process::run_quietly(&mut download)?;
        self.list("{{.Dir}}").map(PathBuf::from)
    }

    fn list(&self, format: &str) -> Result<String, Error> {
        let mut command = self.command("go");
        command.args(["list", "-m", "-f", format, self.component.module]);
        process::read(&mut command)
    }

    /// Renders a kustomization, a path inside the module, into the file `manifest`.
    pub(super) fn render(&self, kubectl: &Path, kustomization: &str, manifest: &Path) -> Result<(), Error> {
        let mut command = Command::new(kubectl);
        command.arg("kustomize").arg(self.source()?.join(kustomization)).arg("--output").arg(manifest);
        process::run_quietly(&mut command)
    }

    /// Compiles `package` into the file `program`.
    pub(super) fn build(&self, package: &str, stamps: &[&str], program: &Path) -> Result<(), Error> {
        let flags = linker_flags(self.component.module, &self.version()?, stamps)?;
        let mut command = self.command("go");
        command.args(["build", "-ldflags", &flags, "-o"]).arg(program).arg(package);
        process::run_quietly(&mut command)
    }
}

/// The flags that leave out what only a debugger reads and set the stamped variables.
fn linker_flags(module: &'static str, version: &str, stamps: &[&str]) -> Result<String, Error> {
    let mut parts = version.strip_prefix('v').unwrap_or_default().split('.');
    let (Some(major), Some(minor), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::Version { module, version: version.to_owned() });
    };
    let mut flags = String::from("-s -w");
    for stamp in stamps {
        let stamp = stamp.replace("VERSION", version).replace("MAJOR", major).replace("MINOR", minor);
        flags.push_str(" -X ");
        flags.push_str(&stamp);
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        let parsed = |text| parse_version(text).unwrap();
        assert_eq!(parsed("go1.25"), NEEDED);
        assert!(parsed("go1.26.8") > NEEDED);
        assert!(parsed("go1.27rc1") > NEEDED);
        assert!(parsed("go1.9.7") < NEEDED);
        assert!(parsed("go2.0") > NEEDED);
        assert_eq!(parse_version("devel go1.27-abcdef"), None);
    }

    #[test]
    fn stamps_carry_the_version_of_the_module() {
        let flags = linker_flags("m", "v1.34.4", &["p.gitVersion=VERSION", "p.major=MAJOR", "p.minor=MINOR"]);
        assert_eq!(flags.unwrap(), "-s -w -X p.gitVersion=v1.34.4 -X p.major=1 -X p.minor=34");
    }

    #[test]
    fn a_module_without_a_version_is_refused() {
        assert!(matches!(linker_flags("m", "", &[]), Err(Error::Version { .. })));
    }
}
