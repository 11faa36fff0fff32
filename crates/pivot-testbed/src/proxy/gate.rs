//! Gates: places where a request stops until a test lets it go on.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{oneshot, watch};

use super::link::Line;
use crate::traffic::{Call, Target, lock};

/// Where on its way a request stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Received, and not sent on: nothing is done.
    Before,
    /// The API server has answered, and the client knows nothing of it.
    Applied,
    /// The client has been sent the whole reply. Requests that arrive meanwhile wait, whoever sent them: the client gets
    /// no further. A watch has been replied to when it ends.
    Replied,
}

impl Stage {
    /// All, in the order in which a request passes them.
    pub const ALL: [Self; 3] = [Self::Before, Self::Applied, Self::Replied];
}

/// Waits for a request to come to its stage. Dropped before that, it lets it pass.
#[derive(Debug)]
pub struct Gate(oneshot::Receiver<Halt>);

impl Gate {
    /// The request, once it stands at the stage. `None` if it ended without coming there, or the proxy has ended; until
    /// the request is made this waits, so bound it or wait for the client's end beside it.
    pub async fn reached(self) -> Option<Halt> {
        self.0.await.ok()
    }
}

/// A request that stands at a [`Stage`].
///
/// Dropped, it breaks all connections to the proxy: the request gets no further, and neither does anything else that its
/// client has sent since, so that after the client was killed nothing of it passes any more. Requests that were already
/// sent on are not called back.
#[derive(Debug)]
pub struct Halt {
    call: Arc<Call>,
    code: Option<u16>,
    go_on: watch::Sender<bool>,
    gates: Arc<Gates>,
    id: u64,
}

impl Halt {
    /// The request.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The API server's answer, if it has given one.
    pub fn code(&self) -> Option<u16> {
        self.code
    }

    /// Lets the request go on.
    pub fn go_on(self) {
        self.go_on.send_replace(true);
    }
}

impl Drop for Halt {
    fn drop(&mut self) {
        self.gates.unhold(self.id);
        if !*self.go_on.borrow() {
            self.gates.line.cut();
        }
    }
}

/// The connection is to break.
#[derive(Debug, thiserror::Error)]
#[error("the proxy breaks the connection")]
pub(super) struct Broken;

/// The gates that no request has come to, and those where one stands that holds back all others.
#[derive(Debug)]
pub(super) struct Gates {
    line: Arc<Line>,
    closed: Mutex<Vec<Closed>>,
    holding: Mutex<Vec<(u64, watch::Receiver<bool>)>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Closed {
    stage: Stage,
    target: Target,
    /// Matching requests that still pass.
    skip: usize,
    tell: oneshot::Sender<Halt>,
}

impl Gates {
    pub(super) fn new(line: Arc<Line>) -> Self {
        Self { line, closed: Mutex::default(), holding: Mutex::default(), next: AtomicU64::new(0) }
    }

    pub(super) fn close(&self, stage: Stage, target: Target, nth: usize) -> Gate {
        let (tell, told) = oneshot::channel();
        lock(&self.closed).push(Closed { stage, target, skip: nth.saturating_sub(1), tell });
        Gate(told)
    }

    /// Counts the request at every gate that is about it; returns those where it is to stop.
    pub(super) fn meet(self: &Arc<Self>, call: &Arc<Call>) -> Passage {
        let mut closed = lock(&self.closed);
        closed.retain(|gate| !gate.tell.is_closed());
        let stops_it = |gate: &mut Closed| {
            let matches = gate.target.matches(call);
            let due = matches && gate.skip == 0;
            gate.skip -= usize::from(matches && !due);
            due
        };
        let stops = closed.extract_if(.., stops_it).collect();
        Passage { gates: Arc::clone(self), call: Arc::clone(call), stops }
    }

    /// Waits while a request stands at [`Stage::Replied`].
    pub(super) async fn held_back(&self) -> Result<(), Broken> {
        loop {
            let Some((_, mut go_on)) = lock(&self.holding).last().cloned() else { return Ok(()) };
            go_on.wait_for(|go_on| *go_on).await.map_err(|_| Broken)?;
        }
    }

    fn unhold(&self, id: u64) {
        lock(&self.holding).retain(|(own, _)| *own != id);
    }
}

/// One request on its way through the gates.
#[derive(Debug)]
pub(super) struct Passage {
    gates: Arc<Gates>,
    call: Arc<Call>,
    stops: Vec<Closed>,
}

impl Passage {
    /// Stops here if a gate says so, until the test lets it go on.
    pub(super) async fn stop_at(&mut self, stage: Stage, code: Option<u16>) -> Result<(), Broken> {
        for gate in self.take(stage) {
            let (halt, mut go_on) = self.halt(code);
            if let Err(halt) = gate.tell.send(halt) {
                halt.go_on();
            }
            go_on.wait_for(|go_on| *go_on).await.map_err(|_| Broken)?;
        }
        Ok(())
    }

    /// Holds back every other request from now on if a gate says so, and tells the test when the runtime comes round.
    pub(super) fn replied(mut self, code: u16) {
        for gate in self.take(Stage::Replied) {
            let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
            let (halt, go_on) = self.halt(Some(code));
            lock(&self.gates.holding).push((halt.id, go_on));
            // The end of the reply leaves the proxy after the connection's turn in which this was called.
            runtime.spawn(async move {
                if let Err(halt) = gate.tell.send(halt) {
                    halt.go_on();
                }
            });
        }
    }

    fn take(&mut self, stage: Stage) -> Vec<Closed> {
        self.stops.extract_if(.., |gate| gate.stage == stage).collect()
    }

    fn halt(&self, code: Option<u16>) -> (Halt, watch::Receiver<bool>) {
        let (go_on, told) = watch::channel(false);
        let halt = Halt {
            call: Arc::clone(&self.call),
            code,
            go_on,
            gates: Arc::clone(&self.gates),
            id: self.gates.next.fetch_add(1, Ordering::Relaxed),
        };
        (halt, told)
    }
}
