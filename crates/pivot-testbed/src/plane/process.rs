//! Processes that never outlive the test.
//!
//! Two guards, because destructors do not run when a test process is killed:
//!
//! - every process is started through `setpriv --pdeathsig KILL`, so the kernel ends it when its parent ends. The kernel
//!   takes the *thread* that started it for the parent, and test threads end long before the test process; one thread that
//!   lives as long as the test process therefore starts them all;
//! - a folder is removed by a shell that waits for the end of its standard input, which the kernel closes whatever way
//!   the test process ends.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Result};

/// How much of a log an error shows.
const LOG_TAIL_BYTES: u64 = 4096;

/// How often, and after what time each, a stopped process is looked at.
const STOP_LOOKS: u32 = 2_000;
const STOP_LOOK: std::time::Duration = std::time::Duration::from_millis(5);

/// True where every thread is in state `T` (proc_pid_stat(5): the state follows the name, which is in parentheses).
pub(crate) fn stands_still(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    })
}

type Order = (Command, mpsc::SyncSender<io::Result<Child>>);

/// Starts a process from the thread that never ends.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static KEEPER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::Builder::new()
            .name("testbed-keeper".to_owned())
            .spawn(move || {
                for (mut command, reply) in inbox {
                    reply.send(command.spawn()).ok();
                }
            })
            .expect("BUG: a thread can be started");
        orders
    });
    let (reply, answer) = mpsc::sync_channel(1);
    keeper.send((command, reply)).map_err(io::Error::other)?;
    answer.recv().map_err(io::Error::other)?
}

/// A program that can be started, signalled, killed and started again.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    program: PathBuf,
    args: Vec<OsString>,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Describes the process; its output goes to `log`.
    pub(crate) fn new(name: &'static str, program: PathBuf, args: Vec<OsString>, log: PathBuf) -> Self {
        Self { name, program, args, log, child: Mutex::new(None) }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it; does nothing if it runs.
    pub(crate) fn start(&self) -> Result<()> {
        let mut slot = self.child();
        if slot.is_some() {
            return Ok(());
        }
        let log =
            OpenOptions::new().create(true).append(true).open(&self.log).map_err(Error::file(&self.log))?;
        let errors = log.try_clone().map_err(Error::file(&self.log))?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // A terminal's interrupt goes to the foreground group; the test decides when its planes end.
            .process_group(0);
        *slot =
            Some(spawn(command).map_err(|source| Error::Spawn { program: self.program.clone(), source })?);
        Ok(())
    }

    /// Ends it at once (SIGKILL) and waits until it is gone; does nothing if it does not run.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            // An error means that it has ended already.
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Sends a signal; an error if it does not run.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().unwrap_or_default();
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let sent = raw.map_or(Err(rustix::io::Errno::SRCH), |raw| kill_process(raw, signal));
        sent.map_err(|errno| Error::Signal { pid, source: errno.into() })
    }

    /// Stops it without ending it, and waits until all its threads stand still: the signal takes a moment to reach them.
    pub(crate) fn stop(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        let pid = self.pid().unwrap_or_default();
        for _ in 0..STOP_LOOKS {
            if stands_still(pid) {
                return Ok(());
            }
            thread::sleep(STOP_LOOK);
        }
        let source = io::Error::new(io::ErrorKind::TimedOut, "its threads go on");
        Err(Error::Signal { pid, source })
    }

    /// Its process id, if it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// How it ended, if it was started and has ended by itself.
    pub(crate) fn exited(&self) -> Option<ExitStatus> {
        self.child().as_mut()?.try_wait().ok()?
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        read_tail(&self.log).unwrap_or_else(|error| format!("({}: {error})", self.log.display()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The end of a log.
pub(crate) fn read_tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A shell that does its work once its owner is gone, whatever way that ended: its script waits for the end of its standard
/// input.
#[derive(Debug)]
pub(crate) struct Janitor(Child);

impl Janitor {
    /// Starts the shell. `script` begins with `cat >/dev/null`; `keeps` stays open as long as the shell lives.
    pub(crate) fn start(script: &str, arg: &OsStr, keeps: Option<File>) -> Result<Self> {
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "janitor"])
            .arg(arg)
            .stdin(Stdio::piped())
            .stdout(keeps.map_or_else(Stdio::null, Stdio::from))
            .stderr(Stdio::null())
            .process_group(0);
        let child =
            command.spawn().map_err(|source| Error::Spawn { program: PathBuf::from("sh"), source })?;
        Ok(Self(child))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

/// A folder that is removed when it is dropped, and also when the process that made it is killed.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _janitor: Janitor,
}

impl Folder {
    /// Makes the folder, readable by its owner alone, in the system's folder for temporary files.
    pub(crate) fn new(label: &str) -> Result<Self> {
        let parent = std::env::temp_dir();
        let folder = tempfile::Builder::new()
            .prefix(&format!("pivot-testbed-{label}-"))
            .tempdir_in(&parent)
            .map_err(Error::file(parent))?;
        // `rm` fails while a dying program still writes into the folder.
        let script =
            "cat >/dev/null; n=0; until rm -rf -- \"$1\" || [ $n -gt 50 ]; do n=$((n+1)); sleep 0.1; done";
        let janitor = Janitor::start(script, folder.path().as_os_str(), None)?;
        Ok(Self { path: folder.keep(), _janitor: janitor })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
