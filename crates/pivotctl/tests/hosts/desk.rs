//! Where the program is called: a home of its own, and nothing of the user's.

use std::path::PathBuf;
use std::process::{Command, Output};

use pivot_testbed::lan::{Podman, Station, program};
use serde_json::Value;
use tempfile::TempDir;

/// A home.
pub(crate) struct Desk {
    home: TempDir,
    path: String,
    /// The containers that the program finds.
    pub(crate) containers: Option<Podman>,
}

/// What the program printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let path = "/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
        Self { home: tempfile::tempdir().unwrap(), path, containers: None }
    }

    /// From now on it finds these programs of the machine, and no others.
    pub(crate) fn only(&mut self, programs: &[&str]) {
        let folder = self.file("programs");
        std::fs::create_dir(&folder).unwrap();
        for name in programs {
            std::os::unix::fs::symlink(program(name).unwrap(), folder.join(name)).unwrap();
        }
        folder.to_str().unwrap().clone_into(&mut self.path);
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Calls the program on this machine.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        self.outcome(&mut Command::new(env!("CARGO_BIN_EXE_pivotctl")), args)
    }

    /// Calls the program on a station.
    pub(crate) fn run_on(&self, station: &Station, args: &[&str]) -> Outcome {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", station.namespace(), env!("CARGO_BIN_EXE_pivotctl")]);
        self.outcome(&mut command, args)
    }

    fn outcome(&self, command: &mut Command, args: &[&str]) -> Outcome {
        command
            .args(args)
            .env_clear()
            .envs(self.containers.iter().flat_map(Podman::environment))
            .env("HOME", self.home.path())
            .env("PATH", &self.path)
            .current_dir(self.home.path());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Outcome {
    /// Asserts an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts an error of that id.
    #[track_caller]
    pub(crate) fn fails(self, id: &str) -> Self {
        assert!(self.stderr.contains(&format!("error[{id}]: ")), "{self:#?}");
        assert!(self.stderr.contains("hint: "), "{self:#?}");
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
