//! Ctrl-C, SIGTERM and SIGHUP: the first asks to stop where that is safe, the second leaves at once.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::exit::INTERRUPTED;

/// The wish to stop, for whoever has to obey it.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    token: CancellationToken,
    pivot: Arc<Mutex<Option<Running>>>,
}

/// A pivot under way.
struct Running {
    say: Box<dyn Fn(&str) + Send>,
    next: String,
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupt").field("asked", &self.token.is_cancelled()).finish_non_exhaustive()
    }
}

impl Interrupt {
    /// Listens from now on, until the process ends.
    pub(crate) fn listen(&self) -> io::Result<()> {
        let mut signals = Signals::new()?;
        let Self { token, pivot } = self.clone();
        tokio::spawn(async move {
            signals.next().await;
            token.cancel();
            told(&pivot, |running| {
                (running.say)(
                    "interrupted: the pivot is suspended at the next safe point; once more leaves at once, as good as a crash",
                );
            });
            signals.next().await;
            told(&pivot, |running| {
                let next = &running.next;
                (running.say)(&format!("left at once; which side is active is not known; next: {next}"));
            });
            // Nothing may hold it up.
            std::process::exit(INTERRUPTED.into());
        });
        Ok(())
    }

    /// From here on a pivot runs. `say` writes a line; `next` is the command that takes it up again.
    pub(crate) fn guard(&self, say: Box<dyn Fn(&str) + Send>, next: String) -> CancellationToken {
        *self.pivot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running { say, next });
        self.token.clone()
    }

    /// Waits for work that writes nothing; `None` where the user does not want to.
    pub(crate) async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.token.run_until_cancelled(work).await
    }
}

fn told(pivot: &Mutex<Option<Running>>, tell: impl FnOnce(&Running)) {
    if let Some(running) = &*pivot.lock().unwrap_or_else(PoisonError::into_inner) {
        tell(running);
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` where whoever started us wants it ignored, as `nohup` does.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = (!is_hangup_ignored()).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether SIGHUP was ignored when the program began. Only Linux tells.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    const HANGUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & HANGUP != 0)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        tokio::signal::ctrl_c().await.ok();
    }
}
