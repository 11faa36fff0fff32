//! One connection of `ssh` that many commands share: a login takes longer than most of them.
//!
//! It is a process of ours, so that it holds nobody's pipes open and ends with us: what it runs there ends as soon as its input does, also where
//! this program was killed. Where it cannot be had, or is lost, every command makes a connection of its own as before.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::{Host, Ssh};

/// How long a login may take before the commands try for themselves, which then tell what is wrong.
const LIMIT: Duration = Duration::from_secs(15);
/// Between two looks whether it is there.
const LOOK: Duration = Duration::from_millis(10);

/// A connection that is open as long as somebody holds it.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    /// Its input is held open here, and ends with it.
    _process: Child,
    socket: PathBuf,
    _folder: TempDir,
}

impl Connection {
    /// Logs in; `None` where that did not work.
    async fn open(host: &Host, ssh: &Ssh) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("pivotctl-").tempdir().ok()?;
        let socket = folder.path().join("ssh");
        // Ends with its input, on every machine that has a shell's commands.
        let line = ssh.line(&["ControlMaster=yes", "ControlPersist=no"], Some(&socket), "cat");
        let (program, arguments) = line.split_first()?;
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let deadline = Instant::now() + LIMIT.min(host.timeout);
        while !socket.exists() {
            let is_over = !matches!(process.try_wait(), Ok(None));
            if is_over || Instant::now() >= deadline {
                return None;
            }
            sleep(LOOK).await;
        }
        Some(Self { shared: Arc::new(Shared { _process: process, socket, _folder: folder }) })
    }

    /// Where `ssh` finds it.
    pub(super) fn socket(&self) -> &Path {
        &self.shared.socket
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.shared.socket).finish()
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Connection {}

impl Host {
    /// The same machine with one connection for all commands, until it and its copies are dropped. Nothing changes where no `ssh` is needed.
    #[must_use]
    pub async fn connected(mut self) -> Self {
        if let (Some(ssh), None) = (&self.ssh, &self.connection) {
            self.connection = Connection::open(&self, ssh).await;
        }
        self
    }
}
