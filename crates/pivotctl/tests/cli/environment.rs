//! A place of its own for each call: an empty home, no environment, a fixed width.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fmt, fs};

use tempfile::TempDir;

/// Two contexts that lead nowhere.
pub(crate) const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: boot
contexts:
- {name: boot, context: {cluster: boot, user: admin, namespace: metal3}}
- {name: mgmt, context: {cluster: mgmt, user: admin}}
clusters:
- {name: boot, cluster: {server: 'https://127.0.0.1:1'}}
- {name: mgmt, cluster: {server: 'https://127.0.0.1:2'}}
users:
- {name: admin, user: {token: canary}}
";

/// Where the program runs.
pub(crate) struct TestEnvironment {
    home: TempDir,
}

/// What it printed, with the path of the home taken out.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl TestEnvironment {
    /// An empty home.
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().expect("cannot make a temporary folder") }
    }

    /// A home with a kubeconfig at the default place.
    pub(crate) fn with_kubeconfig() -> Self {
        let environment = Self::new();
        environment.write(".kube/config", KUBECONFIG);
        environment
    }

    /// The home, which is also the working directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file below the home.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        let folder = path.parent().expect("a file below the home has a folder");
        fs::create_dir_all(folder).expect("cannot make a folder");
        fs::write(&path, text).expect("cannot write a file");
        path
    }

    /// A call that is not yet made.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home())
            .env("COLUMNS", "100")
            .current_dir(self.home());
        command
    }

    /// Calls the program.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        self.outcome(&mut self.command(env!("CARGO_BIN_EXE_pivotctl"), args))
    }

    /// Makes a call.
    pub(crate) fn outcome(&self, command: &mut Command) -> Outcome {
        let Output { status, stdout, stderr } = command.output().expect("cannot run the program");
        let home = self.home().to_str().expect("the home has a name in UTF-8");
        let text =
            |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8").replace(home, "[HOME]");
        Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit: {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}
