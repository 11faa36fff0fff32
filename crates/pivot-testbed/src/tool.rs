//! The programs that move a cluster: `pivotctl`, and `clusterctl`, with which it is compared.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    Error, Result,
    assets::{Assets, Program},
};

/// Names the `pivotctl` to run.
pub const PIVOTCTL_VAR: &str = "PIVOTCTL_BIN";

/// Both programs, and an empty home folder for them, so that nobody's configuration plays a part.
#[derive(Debug)]
pub struct Tools {
    clusterctl: PathBuf,
    pivotctl: PathBuf,
    home: TempDir,
}

impl Tools {
    /// Finds `pivotctl` by [`PIVOTCTL_VAR`] and `clusterctl` in the assets.
    pub fn find(assets: &Assets) -> Result<Self> {
        let pivotctl = env::var_os(PIVOTCTL_VAR).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self::with(pivotctl.ok_or(Error::NoTool)?, assets)
    }

    /// This `pivotctl`, and `clusterctl` in the assets.
    pub fn with(pivotctl: PathBuf, assets: &Assets) -> Result<Self> {
        if !pivotctl.is_file() {
            return Err(Error::MissingTool { path: pivotctl });
        }
        let home = tempfile::tempdir().map_err(Error::file(env::temp_dir()))?;
        Ok(Self { clusterctl: assets.program(Program::Clusterctl)?, pivotctl, home })
    }

    /// `pivotctl`, with no argument yet.
    pub fn pivotctl(&self) -> Command {
        self.command(&self.pivotctl)
    }

    /// `clusterctl`, with no argument yet. It does not ask the Internet for newer versions of itself.
    pub fn clusterctl(&self) -> Command {
        let mut command = self.command(&self.clusterctl);
        command.env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true");
        command
    }

    /// The home folder of both.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path())
            .env_remove("XDG_STATE_HOME")
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}
