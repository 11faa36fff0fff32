//! A small kubelet: pods that are processes.
//!
//! It registers a node and runs, for each pod that the scheduler binds to it, the real program that stands for the image of each
//! container ([`Images`]), in a network namespace with an address of its own, with its arguments, environment and volumes. Probes
//! are real, commands can be run in its containers (`exec`), a container that ends or does not answer is started again, and a pod that is deleted ends as it should: SIGTERM, its
//! grace period, SIGKILL, and only then its object goes.
//!
//! What it is not: images are programs of this machine that run as root over the machine's own files (what they write below a
//! folder that a mount point was made in is theirs alone), resources are not limited, `securityContext` and `hostNetwork` are not
//! looked at, a volume is filled once, and a token is not renewed. Services have no address that leads anywhere: pods find the API
//! server by `KUBERNETES_SERVICE_HOST`, and the API server finds webhooks by the addresses of their pods.

mod board;
mod container;
mod environment;
mod exec;
mod feed;
mod image;
mod mount;
mod node;
mod part;
mod pod;
mod probe;
mod process;
mod setback;
mod source;
mod volume;

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    net::{Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    select,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_util::task::AbortOnDropHandle;

pub use self::image::Images;
use self::{
    feed::{Event, Feed},
    part::Part,
    pod::Notice,
    setback::Setback,
};
use crate::{
    Error, Result,
    client::{Progress, wait_until},
    plane::{Folder, Plane, PodNetwork, stands_still},
    tls,
};

/// How long a signal may take to reach every thread.
const STILL: Duration = Duration::from_secs(10);

/// What all pods of a node share.
struct Shared {
    client: kube::Client,
    network: Arc<PodNetwork>,
    images: Images,
    server: SocketAddrV4,
    folder: Folder,
    parts: Mutex<BTreeMap<String, Arc<Part>>>,
}

impl Shared {
    fn parts(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Part>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pod with processes on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningPod {
    /// The uid of its object.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its address, which the machine reaches.
    pub address: Ipv4Addr,
    /// The processes of its containers.
    pub pids: Vec<u32>,
}

/// A node of a plane and the pods on it. Dropping it ends their processes; their objects stay as they are.
pub struct Kubelet {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    _serving: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubelet").field("pods", &self.pods()).finish_non_exhaustive()
    }
}

impl Kubelet {
    /// Registers the node `node` on a plane that has [pods](crate::plane::PlaneOptions::with_pods), and runs what is bound to it.
    ///
    /// It works on the current async runtime and ends with it.
    pub async fn start(plane: &Plane, node: &str, images: Images) -> Result<Self> {
        let network = Arc::clone(plane.network()?);
        let user = plane.user_kubeconfig(&format!("system:node:{node}"), Some("system:masters"))?;
        let client = plane.client_with(&user).await?;
        let tls = tls::acceptor(plane.authority())?;
        let (listener, port) = exec::listen(network.gateway()).await?;
        node::register(&client, node, network.gateway(), port).await?;
        let shared = Arc::new(Shared {
            client: client.kube().clone(),
            network,
            images,
            server: plane.address(),
            folder: Folder::new(&format!("{}-{node}", plane.name()))?,
            parts: Mutex::default(),
        });
        let feed = Feed::new(shared.client.clone(), node);
        let serving = AbortOnDropHandle::new(tokio::spawn(exec::serve(listener, tls, Arc::clone(&shared))));
        let task = tokio::spawn(tend(Arc::clone(&shared), feed));
        Ok(Self { shared, task, _serving: serving })
    }

    /// The pods that have processes, by uid.
    pub fn pods(&self) -> Vec<RunningPod> {
        let parts = self.shared.parts();
        let pods = parts.iter().map(|(uid, part)| RunningPod {
            uid: uid.clone(),
            namespace: part.namespace.clone(),
            name: part.name.clone(),
            address: part.address,
            pids: part.processes().iter().map(|process| process.pid()).collect(),
        });
        pods.collect()
    }

    /// Kills the processes of a pod (SIGKILL). They are started again as the pod asks for.
    pub fn kill(&self, uid: &str) -> Result<()> {
        self.signal(uid, Signal::KILL)
    }

    /// Stops the processes of a pod without ending them (SIGSTOP), and waits until they stand still.
    pub async fn freeze(&self, uid: &str) -> Result<()> {
        self.signal(uid, Signal::STOP)?;
        let processes = self.part(uid)?.processes();
        wait_until("a frozen pod to stand still", STILL, async || {
            let moving: Vec<u32> =
                processes.iter().map(|process| process.pid()).filter(|pid| !stands_still(*pid)).collect();
            Ok(if moving.is_empty() { Progress::Done(()) } else { Progress::Pending(format!("{moving:?}")) })
        })
        .await
    }

    /// Lets the processes of a frozen pod go on (SIGCONT).
    pub fn thaw(&self, uid: &str) -> Result<()> {
        self.signal(uid, Signal::CONT)
    }

    /// The end of what a container printed in its last run.
    pub fn log(&self, uid: &str, container: &str) -> Result<String> {
        let path = self.part(uid)?.last_log(container);
        process::log_tail(&path.ok_or_else(|| no_pod(&format!("{uid} container {container}")))?)
    }

    /// All that the containers of a namespace's pods printed, also of those that are gone: one text a run.
    pub fn logs(&self, namespace: &str) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        let logs = self.shared.folder.path().join("logs");
        for pod in entries(&logs)? {
            let name = pod.file_name().unwrap_or_default().to_string_lossy();
            if name.split_once('_').is_some_and(|(of, _)| of == namespace) {
                for log in entries(&pod)? {
                    texts.push(fs::read_to_string(&log).map_err(Error::file(&log))?);
                }
            }
        }
        Ok(texts)
    }

    fn signal(&self, uid: &str, signal: Signal) -> Result<()> {
        self.part(uid)?.processes().iter().try_for_each(|process| process.signal(signal))
    }

    fn part(&self, uid: &str) -> Result<Arc<Part>> {
        self.shared.parts().get(uid).cloned().ok_or_else(|| no_pod(uid))
    }
}

/// What is in a folder; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let fails = |error| Error::file(folder)(error);
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found.map_err(fails)?.map(|entry| Ok(entry.map_err(fails)?.path())).collect(),
    }
}

fn no_pod(which: &str) -> Error {
    Error::NoPod { which: which.to_owned() }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
        for part in self.shared.parts().values() {
            for process in part.processes() {
                // An error means that it has ended already.
                process.signal(Signal::KILL).ok();
            }
        }
    }
}

/// Gives every pod a task of its own and tells it what becomes of its object.
async fn tend(shared: Arc<Shared>, mut feed: Feed) {
    let mut lives: JoinSet<String> = JoinSet::new();
    let mut known: HashMap<String, watch::Sender<Notice>> = HashMap::new();
    loop {
        let event = select! {
            event = feed.next() => event,
            Some(ended) = lives.join_next() => {
                if let Ok(uid) = ended {
                    known.remove(&uid);
                }
                continue;
            }
        };
        let (there, gone) = match event {
            Event::All(pods) => {
                let gone: Vec<String> = known
                    .keys()
                    .filter(|uid| !pods.iter().any(|pod| pod.metadata.uid.as_ref() == Some(uid)))
                    .cloned()
                    .collect();
                (pods, gone)
            }
            Event::Changed(pod) => (vec![*pod], Vec::new()),
            Event::Gone(pod) => (Vec::new(), pod.metadata.uid.into_iter().collect()),
        };
        for uid in gone {
            if let Some(notices) = known.get(&uid) {
                notices.send_replace(None);
            }
        }
        for pod in there {
            let Some(uid) = pod.metadata.uid.clone() else { continue };
            let notice = Some(Arc::new(pod));
            if let Some(notices) = known.get(&uid) {
                notices.send_replace(notice);
            } else {
                let (notices, inbox) = watch::channel(notice);
                known.insert(uid.clone(), notices);
                let shared = Arc::clone(&shared);
                lives.spawn(async move {
                    pod::live(shared, uid.clone(), inbox).await;
                    uid
                });
            }
        }
    }
}
