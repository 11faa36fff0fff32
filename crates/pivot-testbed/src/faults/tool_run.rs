//! `pivotctl` as a process that is watched, stopped and killed.

use std::{io, pin::pin, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::Command,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{Error, Result, plane::stands_still};

/// What begins the one next command on the last line.
const NEXT: &str = "next: ";
/// How often it is looked at whether a run is over.
const LOOK: Duration = Duration::from_millis(20);

/// A run of `pivotctl` that has begun. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Running {
    line: String,
    pid: u32,
    output: JoinHandle<io::Result<std::process::Output>>,
}

/// A run that is over.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The command line, without the program.
    pub line: String,
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// True if it took too long, and was killed for that.
    pub too_long: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Running {
    /// Starts it.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let program = command.as_std().get_program().to_owned();
        let words = command.as_std().get_args().map(|word| word.to_string_lossy().into_owned());
        let line = words.collect::<Vec<_>>().join(" ");
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.map_err(|source| Error::Spawn { program: program.into(), source })?;
        let pid = child.id().unwrap_or_default();
        // Read all the time: a full pipe would stop it where no case wants it to.
        let output = tokio::spawn(child.wait_with_output());
        Ok(Self { line, pid, output })
    }

    /// Sends a signal; does nothing once it is over.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).filter(|_| !self.output.is_finished());
        // It may end by itself just now.
        pid.map(|pid| kill_process(pid, signal).ok());
    }

    /// Stops it without ending it, and waits until all its threads stand still: the signal takes a moment to reach them.
    pub(super) async fn stop(&self) {
        self.signal(Signal::STOP);
        while !stands_still(self.pid) && !self.output.is_finished() {
            sleep(LOOK).await;
        }
    }

    /// Kills it, and waits until it is gone.
    pub(super) async fn kill(self) -> Result<Ended> {
        self.signal(Signal::KILL);
        self.end(Duration::from_secs(60)).await
    }

    /// What comes, if it comes before the run is over.
    pub(super) async fn until<T>(&self, coming: impl Future<Output = T>) -> Option<T> {
        let mut coming = pin!(coming);
        loop {
            // A task that is over has nothing to wake us with once its output was taken, which only `end` may do.
            if let Ok(come) = timeout(LOOK, &mut coming).await {
                return Some(come);
            }
            if self.output.is_finished() {
                return None;
            }
        }
    }

    /// Waits until it is over; it is killed if that takes longer than `limit`.
    pub(super) async fn end(mut self, limit: Duration) -> Result<Ended> {
        let over = timeout(limit, &mut self.output).await;
        let too_long = over.is_err();
        let output = if let Ok(output) = over {
            output
        } else {
            self.signal(Signal::KILL);
            (&mut self.output).await
        };
        let spawned = |source| Error::Spawn { program: "pivotctl".into(), source };
        let output = output.map_err(io::Error::other).and_then(|output| output).map_err(spawned)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Ended {
            line: std::mem::take(&mut self.line),
            code: output.status.code(),
            too_long,
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // With the task goes the child, which is killed when dropped.
        self.output.abort();
    }
}

impl Ended {
    /// True if a signal ended it.
    pub(super) fn was_killed(&self) -> bool {
        self.code.is_none()
    }

    /// The last line on standard error: which side is active, and the next command.
    pub fn last_line(&self) -> &str {
        self.stderr.trim_end().lines().last().unwrap_or_default()
    }

    /// The arguments of the one next command, if the last line names one.
    pub fn next(&self) -> Option<Vec<&str>> {
        let (_, command) = self.last_line().split_once(NEXT)?;
        Some(command.split_whitespace().skip(1).collect())
    }
}
