//! A proxy in front of a plane that breaks requests on purpose.
//!
//! It ends the TLS of its clients, understands each request as the API server does, and passes it on. On the way a test can
//! break it ([`Fault`], the same as for the [server in memory](crate::fake)), stop it ([`Gate`]) or cut the line
//! ([`Link`]), and everything that passed is recorded. HTTP/1.1 on both sides; a watch flows, other replies are read whole
//! before they are passed on.
//!
//! **Who is who.** A certificate proves its holder in one TLS session only, so the proxy goes on with the key of its client:
//! it serves those whose kubeconfig it has written itself ([`Proxy::kubeconfig`], [`Proxy::user_kubeconfig`]) and connects
//! to the API server with the same certificate. A bearer token passes as it is, on a connection without a certificate, and
//! so do `Impersonate-*` headers: the API server decides about them as if there were no proxy. A certificate that the proxy has
//! not written counts for nothing; who has nothing else is answered with 401.
//!
//! ```no_run
//! # async fn example(plane: &pivot_testbed::plane::Plane) -> pivot_testbed::Result<()> {
//! use pivot_testbed::{
//!     proxy::{Proxy, Stage},
//!     traffic::{Action, Fault, Target, Verb},
//! };
//!
//! let proxy = Proxy::start(plane).await?;
//! // The reply to the third Secret that is created gets lost.
//! proxy.inject(Fault::new(Target::new(Verb::Create, "Secret"), Action::DropAfter).nth(3));
//! // The seventh write stops when it is done and before its client knows.
//! let gate = proxy.halt(Stage::Applied, Target::writes(), 7);
//! // ... start a program with `proxy.kubeconfig()` ...
//! if let Some(halt) = gate.reached().await {
//!     // ... kill it; then nothing of it passes any more:
//!     drop(halt);
//! }
//! # Ok(())
//! # }
//! ```

mod exchange;
mod gate;
mod link;
mod serve;
mod upstream;

use std::{
    collections::HashMap,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use tokio::{runtime, sync::oneshot};

use self::{
    gate::Gates,
    link::Line,
    upstream::{Kinds, Known, Upstream},
};
pub use self::{
    gate::{Gate, Halt, Stage},
    link::Link,
};
use crate::{
    Error, Result,
    plane::Plane,
    tls,
    traffic::{Entry, Fault, FaultId, Faults, History, Target, lock},
};

/// A running proxy. Dropped, it breaks all connections and ends.
///
/// It runs on a thread of its own and belongs to no async runtime: a test may block while it works.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    address: String,
    kubeconfig: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    /// The API server's address.
    server: String,
    history: History,
    faults: Mutex<Faults>,
    gates: Arc<Gates>,
    line: Arc<Line>,
    kinds: Kinds,
    /// By their certificates, DER.
    clients: Mutex<HashMap<Vec<u8>, Known>>,
    /// For those who show a token.
    nameless: Upstream,
}

impl Shared {
    fn known(&self, certificate: &[u8]) -> Option<Known> {
        lock(&self.clients).get(certificate).cloned()
    }
}

/// Making one and reaching it.
impl Proxy {
    /// Starts a proxy in front of a plane's API server, on a free port of the loopback interface.
    pub async fn start(plane: &Plane) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::proxy("a port to listen on"))?;
        listener.set_nonblocking(true).map_err(Error::proxy("a port to listen on"))?;
        let port = listener.local_addr().map_err(Error::proxy("a port to listen on"))?.port();
        let address = format!("https://{}:{port}", Ipv4Addr::LOCALHOST);
        let tls = tls::acceptor(plane.authority())?;

        let kubeconfig = plane.kubeconfig_through(&address)?;
        let (certificate, admin, nameless) = upstream::read(&kubeconfig, &plane.server()).await?;
        let line = Arc::<Line>::default();
        let shared = Arc::new(Shared {
            server: plane.server(),
            history: History::default(),
            faults: Mutex::default(),
            gates: Arc::new(Gates::new(Arc::clone(&line))),
            line,
            kinds: Kinds::new(admin.upstream.clone()),
            clients: Mutex::new(HashMap::from([(certificate.to_vec(), admin)])),
            nameless,
        });

        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().map_err(Error::proxy("a runtime"))?;
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let run = move || {
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener)
                    .expect("BUG: a bound listener that does not block can be registered");
                serve::serve(listener, tls, serving, stopped).await;
            });
        };
        let thread = thread::Builder::new()
            .name(format!("proxy of {}", plane.name()))
            .spawn(run)
            .map_err(Error::proxy("a thread"))?;
        Ok(Self { shared, address, kubeconfig, stop: Some(stop), thread: Some(thread) })
    }

    /// The proxy's address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The administrator's kubeconfig through the proxy, mode 0600; it lies in the plane's folder.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Writes a kubeconfig through the proxy for a user who may do only what is granted by RBAC, mode 0600. `plane` is the
    /// one it was started for.
    pub async fn user_kubeconfig(&self, plane: &Plane, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let kubeconfig = plane.user_kubeconfig_through(&self.address, user, group)?;
        let (certificate, known, _) = upstream::read(&kubeconfig, &self.shared.server).await?;
        lock(&self.shared.clients).insert(certificate.to_vec(), known);
        Ok(kubeconfig)
    }
}

/// Breaking things.
impl Proxy {
    /// Adds a fault. Where several meet one request their delays add up, and of the rest the first added counts.
    pub fn inject(&self, fault: Fault) -> FaultId {
        lock(&self.shared.faults).inject(fault)
    }

    /// Takes a fault away.
    pub fn lift(&self, id: FaultId) {
        lock(&self.shared.faults).lift(id);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Stops the nth request from now, counted from 1, that the target names, when it comes to the stage.
    pub fn halt(&self, stage: Stage, target: Target, nth: usize) -> Gate {
        self.shared.gates.close(stage, target, nth)
    }

    /// Cuts the line to the clients, or mends it.
    pub fn set_link(&self, link: Link) {
        self.shared.line.set(link);
    }

    /// Breaks every connection there is. New ones are welcome.
    pub fn drop_connections(&self) {
        self.shared.line.cut();
    }
}

/// Looking at what was asked.
impl Proxy {
    /// Every request so far, in the order in which they arrived.
    pub fn history(&self) -> Vec<Entry> {
        self.shared.history.entries()
    }

    /// The requests so far that would change the world.
    pub fn writes(&self) -> Vec<Entry> {
        self.history().into_iter().filter(|entry| entry.call.verb.is_write()).collect()
    }

    /// How many requests so far the target names.
    pub fn count(&self, target: &Target) -> usize {
        self.shared.history.count(target)
    }

    /// Forgets the history. Requests go on being numbered.
    pub fn clear_history(&self) {
        self.shared.history.clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.line.cut();
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It serves strangers; were it to panic the test would have seen broken connections.
            thread.join().ok();
        }
    }
}
