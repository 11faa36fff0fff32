//! Ctrl-C and SIGTERM: the first asks the pivot to stop where that is safe, the second leaves at once.

use std::io;

use tokio_util::sync::CancellationToken;

use crate::exit::INTERRUPTED;

/// Listens until the process ends. `say` writes a line; `next` is the command that shows where things stand.
pub(crate) fn listen(
    token: CancellationToken,
    say: impl Fn(&str) + Send + 'static,
    next: String,
) -> io::Result<()> {
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.next().await;
        token.cancel();
        say(
            "interrupted: stopping at the next safe point; once more leaves at once, with the pivot unfinished",
        );
        signals.next().await;
        say(&format!("left at once; which side is active is not known; next: {next}"));
        #[expect(clippy::exit, reason = "nothing may hold up the second interrupt")]
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
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
