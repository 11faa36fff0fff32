//! The process of a container, in the network namespace of its pod and a mount namespace of its own.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{File, OpenOptions},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::time::{sleep, timeout};

use super::{
    Setback,
    mount::{self, Mount},
};
use crate::{Error, Result, plane};

/// How often a process is looked at while its end is waited for.
const LOOK: Duration = Duration::from_millis(25);

/// What a container's process is made of.
pub(super) struct Launch {
    /// The network namespace.
    pub(super) namespace: String,
    /// An empty folder, for what the container writes where the machine keeps nothing of it.
    pub(super) scratch: PathBuf,
    pub(super) working: PathBuf,
    pub(super) mounts: Vec<Mount>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    /// Where its output goes.
    pub(super) log: PathBuf,
}

/// A running process and what it starts, as one group. Dropping it ends the group at once.
#[derive(Debug)]
pub(super) struct ContainerProcess {
    child: Mutex<Child>,
    pid: u32,
}

impl ContainerProcess {
    pub(super) fn start(launch: &Launch) -> Result<Self, Setback> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&launch.log)
            .map_err(|error| Setback::file(&launch.log, &error))?;
        let errors = log.try_clone().map_err(|error| Setback::file(&launch.log, &error))?;
        let child = plane::spawn(command(launch, log, errors)?)
            .map_err(|error| Setback::file(&launch.program, &error))?;
        Ok(Self { pid: child.id(), child: Mutex::new(child) })
    }

    /// Its process id, which is that of its group.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) -> ExitStatus {
        loop {
            if let Ok(Some(status)) = self.child().try_wait() {
                return status;
            }
            sleep(LOOK).await;
        }
    }

    /// True until it has ended.
    pub(super) fn runs(&self) -> bool {
        matches!(self.child().try_wait(), Ok(None))
    }

    /// Signals the group; an error if it has ended.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        // The lock keeps anybody from reaping it meanwhile, so that the id is still its own.
        let mut child = self.child();
        let sent = match child.try_wait() {
            Ok(None) => signal_group(self.pid, signal),
            _ => Err(rustix::io::Errno::SRCH),
        };
        sent.map_err(|errno| Error::Signal { pid: self.pid, source: errno.into() })
    }

    /// Asks it to end, and ends it after `grace`.
    pub(super) async fn terminate(&self, grace: Duration) -> ExitStatus {
        // An error means that it has ended already.
        self.signal(Signal::TERM).ok();
        // A frozen process takes no signal but the last one.
        if let Ok(status) = timeout(grace, self.ended()).await {
            return status;
        }
        self.signal(Signal::KILL).ok();
        self.ended().await
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ContainerProcess {
    fn drop(&mut self) {
        self.signal(Signal::KILL).ok();
        self.child().wait().ok();
    }
}

/// Every step becomes the next one: the process that was started is the container's program in the end.
fn command(launch: &Launch, log: File, errors: File) -> Result<Command, Setback> {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--", "nsenter"])
        .arg(format!("--net=/run/netns/{}", launch.namespace))
        .args(["--", "unshare", "--uts", "--mount", "--propagation", "private", "--"])
        .args(["sh", "-c", mount::SCRIPT, "container"])
        .args(mount::arguments(&launch.scratch, &launch.working, &launch.mounts)?)
        .arg(&launch.program)
        .args(&launch.args)
        .env_clear()
        .envs(&launch.environment)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0);
    Ok(command)
}

/// The command line that runs a program beside a process, in its namespaces.
pub(super) fn beside(pid: u32, words: &[String]) -> (&'static str, Vec<OsString>) {
    let target = ["--target".into(), pid.to_string().into(), "--net".into(), "--mount".into(), "--".into()];
    ("nsenter", target.into_iter().chain(words.iter().map(OsString::from)).collect())
}

fn signal_group(pid: u32, signal: Signal) -> rustix::io::Result<()> {
    let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
    group.map_or(Err(rustix::io::Errno::SRCH), |pid| kill_process_group(pid, signal))
}

/// The end of a log.
pub(super) fn log_tail(path: &Path) -> Result<String> {
    plane::read_tail(path).map_err(Error::file(path))
}
