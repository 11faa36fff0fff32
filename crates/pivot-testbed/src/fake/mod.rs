//! An API server in memory, for tests of an engine with tokio's clock paused.
//!
//! [`FakeServer`] is a `tower` service that stands where the HTTP client would; no sockets, no threads, the same run each
//! time. It does what kube-apiserver 1.34 does wherever a pivot depends on it: uids and resource versions, generations,
//! status subresources, finalizers, preconditions, strict field validation, paged lists of one snapshot, watches with
//! bookmarks, field managers, namespaces that end, quotas that count. `tests/fake_parity.rs` holds it against the real one.
//!
//! Around that, a test can break requests ([`Fault`]), change the world between them ([`FakeServer::on_request`]), refuse
//! them ([`FakeServer::admit`], [`FakeServer::deny_access`]) and look at everything that was asked and is stored.
//!
//! What it does not do: convert between versions (only `apiVersion` changes), evaluate CEL, call webhooks, run anything by
//! itself. Garbage is collected when a test says so.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use pivot_testbed::fake::{Action, CrdSpec, FakeServer, Fault, Target, Verb};
//! use serde_json::json;
//!
//! let server = FakeServer::new("source");
//! server.register(&CrdSpec::new("metal3.io", "BareMetalHost", "v1alpha1"));
//! server.load([json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
//!     "metadata": {"name": "node-0", "namespace": "metal3"}, "status": {"poweredOn": true}})]);
//! // The reply of the third Secret to be created is lost.
//! server.inject(Fault::new(Target::new(Verb::Create, "Secret"), Action::DropAfter).nth(3));
//! let client = server.client();
//! assert_eq!(client.apiserver_version().await.unwrap().minor, "34");
//! assert_eq!(server.history().len(), 1);
//! # }
//! ```

mod admission;
mod answer;
mod crd;
mod delete;
mod discovery;
mod failure;
mod gc;
mod handle;
mod managed;
mod read;
mod resource;
mod schema;
mod selector;
mod service;
mod store;
mod validate;
mod watch;
mod write;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::watch::Sender, task::AbortHandle, time::sleep};

use self::store::World;
pub use self::{
    admission::Review,
    crd::{CrdSpec, Scope},
};
pub use crate::traffic::{Action, Call, Entry, Fault, FaultId, Outcome, ReplyBody, Target, Verb};
use crate::{
    dump::Key,
    traffic::{Faults, History, lock},
};

type Hook = Arc<Mutex<dyn FnMut(&FakeServer, &Call) + Send>>;

/// An API server in memory. Clones are the same server.
#[derive(Clone)]
pub struct FakeServer {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    world: Mutex<World>,
    faults: Mutex<Faults>,
    history: History,
    before: Mutex<Vec<Hook>>,
    after: Mutex<Vec<Hook>>,
    down: AtomicBool,
    /// The revision of the world, told to watches.
    revisions: Sender<u64>,
    /// Counts how often all watches were dropped.
    drops: Sender<u64>,
}

impl fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeServer").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

/// Making and filling a cluster.
impl FakeServer {
    /// A cluster with the namespaces `default` and `kube-system` and no custom kinds. Uids and resource versions depend on
    /// the name, so that those of two clusters differ.
    pub fn new(name: &str) -> Self {
        let world = World::new(name);
        let shared = Shared {
            name: name.to_owned(),
            revisions: Sender::new(world.revision),
            world: Mutex::new(world),
            faults: Mutex::default(),
            history: History::default(),
            before: Mutex::default(),
            after: Mutex::default(),
            down: AtomicBool::new(false),
            drops: Sender::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The name it was made with.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// A client of this server. It retries nothing. Needs a tokio runtime.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.clone(), "default")
    }

    /// Declares a custom kind.
    pub fn register(&self, spec: &CrdSpec) {
        self.load([spec.manifest()]);
    }

    /// Stores objects as they are, as if they had been there: with their uids, status, owners and timestamps. What they lack
    /// of uid, creation time and generation is filled in; the resource version is always the server's own; a missing
    /// namespace is made. CustomResourceDefinitions declare their kinds, and must come before objects of those kinds.
    ///
    /// # Panics
    /// If the kind of an object is not served.
    pub fn load(&self, objects: impl IntoIterator<Item = Value>) {
        self.shared.change(|world| {
            for object in objects {
                let kind = format!("{} {}", object["apiVersion"], object["kind"]);
                assert!(world.place(object), "the fake server does not serve {kind}");
            }
        });
    }

    /// Changes an object as somebody else would, under a new resource version; generation and managers stay as they are.
    /// False if there is no such object.
    pub fn edit(&self, key: &Key, change: impl FnOnce(&mut Value)) -> bool {
        self.shared.change(|world| {
            let Some((slot, live)) = world.slot(key).and_then(|slot| Some((slot.clone(), world.get(&slot)?)))
            else {
                return false;
            };
            let mut object = (*live).clone();
            change(&mut object);
            world.put(&slot, object);
            true
        })
    }

    /// Removes an object at once, whatever its finalizers. False if there is no such object.
    pub fn remove(&self, key: &Key) -> bool {
        self.shared.change(|world| world.slot(key).is_some_and(|slot| world.remove(&slot).is_some()))
    }

    /// One object, in its storage version.
    pub fn get(&self, key: &Key) -> Option<Value> {
        self.shared.look(|world| world.get(&world.slot(key)?).map(|object| (*object).clone()))
    }

    /// Every object, in its storage version.
    pub fn dump(&self) -> BTreeMap<Key, Value> {
        self.shared.look(World::dump)
    }

    /// Sets the world back to what a dump holds, under new resource versions: the restore of a backup. Watches are dropped.
    pub fn restore(&self, dump: BTreeMap<Key, Value>) {
        self.shared.change(|world| {
            let lost: Vec<_> = world.dump().into_keys().filter(|key| !dump.contains_key(key)).collect();
            for slot in lost.iter().filter_map(|key| world.slot(key)).collect::<Vec<_>>() {
                world.remove(&slot);
            }
            let (definitions, rest): (Vec<_>, Vec<_>) =
                dump.into_values().partition(|object| object["kind"] == "CustomResourceDefinition");
            for object in definitions.into_iter().chain(rest) {
                world.place(object);
            }
            world.compact();
        });
        self.drop_watches();
    }

    /// The resource version of the last change.
    pub fn revision(&self) -> u64 {
        self.shared.look(|world| world.revision)
    }

    /// How long the cluster has existed, by its own clock.
    pub fn uptime(&self) -> Duration {
        self.shared.look(World::uptime)
    }

    /// Runs the garbage collector, the namespace controller and the quota controller until nothing is left to do. Returns
    /// the objects that went.
    pub fn gc(&self) -> Vec<Key> {
        self.shared.change(World::collect_garbage)
    }

    /// Runs [`gc`](Self::gc) by itself this long after every change, until the handle is dropped.
    pub fn spawn_gc(&self, delay: Duration) -> GcHandle {
        let server = self.clone();
        let mut revisions = self.shared.revisions.subscribe();
        let task = tokio::spawn(async move {
            while revisions.changed().await.is_ok() {
                sleep(delay).await;
                revisions.mark_unchanged();
                server.gc();
            }
        });
        GcHandle(task.abort_handle())
    }
}

/// Breaking things.
impl FakeServer {
    /// Adds a fault. Where several meet one request their delays add up, and of the rest the first added counts.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.shared.faults().inject(fault)
    }

    /// Takes a fault away.
    pub fn lift(&self, id: FaultId) {
        self.shared.faults().lift(id);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Takes the server down, or up again. While it is down every request fails to connect; going down drops all watches.
    pub fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
        if down {
            self.drop_watches();
        }
    }

    /// Ends all watches, as a restart does.
    pub fn drop_watches(&self) {
        self.shared.drops.send_modify(|drops| *drops += 1);
    }

    /// Forgets past changes: continue tokens are answered with 410, and so are watches from an older resource version.
    pub fn compact(&self) {
        self.shared.change(World::compact);
    }

    /// Denies access: such requests are answered with 403, and a SelfSubjectAccessReview says no.
    pub fn deny_access(&self, target: Target) {
        self.shared.change(|world| world.denied.push(target));
    }

    /// Allows everything again.
    pub fn allow_access(&self) {
        self.shared.change(|world| world.denied.clear());
    }

    /// Has every write, also of the garbage collector, pass this check; an error refuses it with code 422, as a
    /// ValidatingAdmissionPolicy does. The check must not call the server: it is asked in the middle of a request.
    pub fn admit(&self, check: impl Fn(&Review<'_>) -> Result<(), String> + Send + 'static) {
        self.shared.change(|world| world.admission.push(Box::new(check)));
    }

    /// Takes all checks of [`admit`](Self::admit) away.
    pub fn clear_admission(&self) {
        self.shared.change(|world| world.admission.clear());
    }

    /// Calls this before every request is handled, to change the world or take the server down.
    pub fn on_request(&self, hook: impl FnMut(&Self, &Call) + Send + 'static) {
        lock(&self.shared.before).push(Arc::new(Mutex::new(hook)));
    }

    /// Calls this after every request was handled and before the client sees the reply.
    pub fn on_reply(&self, hook: impl FnMut(&Self, &Call) + Send + 'static) {
        lock(&self.shared.after).push(Arc::new(Mutex::new(hook)));
    }

    /// Calls this once, before the nth request from now, counted from 1, that the target names.
    pub fn before_nth(&self, target: Target, nth: usize, hook: impl FnOnce(&Self, &Call) + Send + 'static) {
        self.on_request(once(target, nth, hook));
    }

    /// Calls this once, after the nth request from now, counted from 1, that the target names.
    pub fn after_nth(&self, target: Target, nth: usize, hook: impl FnOnce(&Self, &Call) + Send + 'static) {
        self.on_reply(once(target, nth, hook));
    }

    fn run_hooks(&self, hooks: &Mutex<Vec<Hook>>, call: &Call) {
        let hooks: Vec<_> = lock(hooks).clone();
        for hook in hooks {
            lock(&hook)(self, call);
        }
    }
}

/// Looking at what was asked.
impl FakeServer {
    /// Every request so far.
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

    /// The most requests that were ever handled at the same time.
    pub fn peak_in_flight(&self) -> usize {
        self.shared.history.peak()
    }

    /// Forgets the history. Requests go on being numbered.
    pub fn clear_history(&self) {
        self.shared.history.clear();
    }
}

impl Shared {
    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&lock(&self.world))
    }

    /// Changes the world and tells the watches.
    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.world);
        let result = change(&mut world);
        let revision = world.revision;
        self.revisions.send_if_modified(|told| std::mem::replace(told, revision) != revision);
        result
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    fn is_down(&self) -> bool {
        self.down.load(Ordering::SeqCst)
    }
}

/// Ends the garbage collector when dropped.
#[derive(Debug)]
pub struct GcHandle(AbortHandle);

impl Drop for GcHandle {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn once(
    target: Target,
    nth: usize,
    hook: impl FnOnce(&FakeServer, &Call) + Send + 'static,
) -> impl FnMut(&FakeServer, &Call) + Send + 'static {
    let mut seen = 0;
    let mut hook = Some(hook);
    move |server, call| {
        if target.matches(call) {
            seen += 1;
            if seen == nth
                && let Some(hook) = hook.take()
            {
                hook(server, call);
            }
        }
    }
}
