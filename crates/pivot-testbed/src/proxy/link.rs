//! The line between the proxy and its clients.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
};

use crate::traffic::lock;

/// How a client and the proxy reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    /// As if there were no proxy.
    #[default]
    Up,
    /// A partition: not a byte passes in either direction, and no connection breaks. New ones are accepted by the kernel
    /// and get no further. What was on its way passes when the link is up again; requests that the proxy had already
    /// read are done meanwhile.
    Stalled,
    /// Connections break, and new ones break at once.
    Down,
}

/// The link as all connections see it.
#[derive(Debug, Default)]
pub(super) struct Line {
    state: Mutex<State>,
    cuts: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    link: Link,
    stalled: Vec<Waker>,
}

impl Line {
    pub(super) fn set(&self, link: Link) {
        let stalled = {
            let mut state = lock(&self.state);
            state.link = link;
            std::mem::take(&mut state.stalled)
        };
        stalled.into_iter().for_each(Waker::wake);
        if link == Link::Down {
            self.cut();
        }
    }

    pub(super) fn is_down(&self) -> bool {
        lock(&self.state).link == Link::Down
    }

    /// Breaks every connection there is.
    pub(super) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Tells of every cut from now on.
    pub(super) fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    fn poll_passes(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.link != Link::Stalled {
            return Poll::Ready(());
        }
        if !state.stalled.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.stalled.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// Whether a connection ends with a reset instead of an orderly close.
#[derive(Debug, Clone, Default)]
pub(super) struct Reset(Arc<AtomicBool>);

impl Reset {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A connection as far as the line lets it pass.
#[derive(Debug)]
pub(super) struct Wire {
    tcp: TcpStream,
    line: Arc<Line>,
    reset: Reset,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream, line: Arc<Line>, reset: Reset) -> Self {
        Self { tcp, line, reset }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.0.load(Ordering::Acquire) {
            // Should it fail the client sees an end of file, which breaks its request all the same.
            self.tcp.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.line.poll_passes(cx));
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.line.poll_passes(cx));
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.line.poll_passes(cx));
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.line.poll_passes(cx));
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
