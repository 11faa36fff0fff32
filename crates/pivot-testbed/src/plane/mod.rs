//! A *plane*: one real Kubernetes control plane, as processes on the loopback interface.
//!
//! With [`PlaneOptions::with_pods`] pods can run on it (see [`kubelet`](crate::kubelet)): its API server then stands on a bridge of its own, which every pod is
//! linked to. Nothing routes the addresses of Services.

mod arguments;
mod certs;
mod kubeconfig;
mod network;
mod pair;
mod port;
mod process;

use std::{
    fmt, fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kube::config::{KubeConfigOptions, Kubeconfig};
use rustix::process::Signal;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use self::port::Port;
pub use self::{
    certs::{Authority, Identity},
    network::pods_can_run,
    pair::Pair,
};
pub(crate) use self::{
    network::{PodLink, PodNetwork},
    process::{Folder, Janitor, Process, read_tail, spawn, stands_still},
};
use crate::{
    Error, Result,
    assets::{Assets, Program},
    client::PlaneClient,
};

/// How long a component may take to become ready. Ready takes about 3 s on an idle machine with two cores.
const READY_DEADLINE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(25);

/// A process of a plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers of Kubernetes itself, the garbage collector among them.
    ControllerManager,
    /// What finds a node for every pod.
    Scheduler,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        })
    }
}

/// What a plane runs and how.
#[derive(Debug, Clone)]
pub struct PlaneOptions {
    /// Whether etcd waits for the disk. Off by default: a test's data need not survive a power cut.
    pub fsync: bool,
    /// Whether the controller manager runs. On by default: without it nothing is garbage-collected and no namespace ends.
    pub controller_manager: bool,
    /// The controllers of the controller manager, by the names of its `--controllers` flag.
    pub controllers: Vec<String>,
    /// Whether pods can run: a network for them, the scheduler, and an API server that calls webhooks in pods. Needs what
    /// [`pods_or_skip!`](crate::pods_or_skip) looks for.
    pub pods: bool,
    /// More arguments for the API server.
    pub api_server_args: Vec<String>,
    /// More arguments for etcd.
    pub etcd_args: Vec<String>,
}

impl Default for PlaneOptions {
    fn default() -> Self {
        let controllers = [
            "garbage-collector-controller",
            "namespace-controller",
            "resourcequota-controller",
            "root-ca-certificate-publisher-controller",
            "serviceaccount-controller",
            "serviceaccount-token-controller",
            "validatingadmissionpolicy-status-controller",
        ];
        Self {
            fsync: false,
            controller_manager: true,
            controllers: controllers.map(str::to_owned).to_vec(),
            pods: false,
            api_server_args: Vec::new(),
            etcd_args: Vec::new(),
        }
    }
}

impl PlaneOptions {
    /// etcd and API server alone.
    pub fn bare() -> Self {
        Self { controller_manager: false, ..Self::default() }
    }

    /// A plane on which Deployments become pods.
    pub fn with_pods() -> Self {
        let more = [
            "clusterrole-aggregation-controller",
            "deployment-controller",
            "endpoints-controller",
            "endpointslice-controller",
            "replicaset-controller",
        ];
        let mut options = Self { pods: true, ..Self::default() };
        options.controllers.extend(more.map(str::to_owned));
        options
    }
}

/// A running control plane. Its processes end and its folder goes when it is dropped, and also when the test process is
/// killed.
///
/// It belongs to no async runtime: tests on different runtimes may share one, each with a client of its own.
#[derive(Debug)]
pub struct Plane {
    name: String,
    // Fields are dropped in this order: users of a component before the component, the folder last.
    scheduler: Option<Process>,
    controller_manager: Option<Process>,
    api_server: Process,
    etcd: Process,
    network: Option<Arc<PodNetwork>>,
    address: SocketAddrV4,
    authority: Authority,
    admin: PathBuf,
    _api_port: Port,
    etcd_port: Port,
    folder: Folder,
}

impl Plane {
    /// Starts a plane and waits until it is ready. `name` stands in its kubeconfig and in errors.
    pub async fn start(assets: &Assets, name: &str, options: &PlaneOptions) -> Result<Self> {
        let plane = Self::start_without_controllers(assets, name, options).await?;
        plane.start_controllers()?;
        Ok(plane)
    }

    /// As [`start`](Self::start), but controller manager and scheduler wait for
    /// [`start_controllers`](Self::start_controllers).
    pub async fn start_without_controllers(
        assets: &Assets,
        name: &str,
        options: &PlaneOptions,
    ) -> Result<Self> {
        let plane = Self::prepare(assets, name, options).await?;
        plane.etcd.start()?;
        plane.await_etcd().await?;
        plane.api_server.start()?;
        plane.await_api_server().await?;
        Ok(plane)
    }

    /// Starts the controller manager and the scheduler, those of them that the plane has.
    pub fn start_controllers(&self) -> Result<()> {
        [&self.controller_manager, &self.scheduler].into_iter().flatten().try_for_each(Process::start)
    }

    /// Writes the plane's files and, where it has pods, makes their network; starts nothing.
    async fn prepare(assets: &Assets, name: &str, options: &PlaneOptions) -> Result<Self> {
        let folder = Folder::new(name)?;
        let dir = folder.path();
        let network = if options.pods { Some(Arc::new(PodNetwork::new().await?)) } else { None };
        let (api_port, etcd_port) = (Port::reserve()?, Port::reserve()?);
        let host = network.as_ref().map_or(Ipv4Addr::LOCALHOST, |network| network.gateway());
        let address = SocketAddrV4::new(host, api_port.number());
        let authority = Authority::new(&format!("{name}-ca"))?;
        let server = format!("https://{address}");
        let user = |file: &str, user: &str, group: Option<&str>| -> Result<PathBuf> {
            let identity = authority.client(user, group)?;
            let text = kubeconfig::render(name, &server, authority.certificate(), user, &identity);
            certs::write_private(dir, file, &text)
        };
        let admin = user("admin.kubeconfig", "kubernetes-admin", Some("system:masters"))?;

        let etcd = Process::new(
            "etcd",
            assets.program(Program::Etcd)?,
            arguments::etcd(dir, etcd_port.number(), options),
            dir.join("etcd.log"),
        );
        let files = arguments::ApiServerFiles::write(dir, &authority, host)?;
        let api_server = Process::new(
            "kube-apiserver",
            assets.program(Program::KubeApiserver)?,
            arguments::api_server(dir, &files, address, etcd_port.number(), options),
            dir.join("kube-apiserver.log"),
        );
        let controller_manager = if options.controller_manager {
            let kubeconfig = user("controller-manager.kubeconfig", "system:kube-controller-manager", None)?;
            Some(Process::new(
                "kube-controller-manager",
                assets.program(Program::KubeControllerManager)?,
                arguments::controller_manager(&kubeconfig, &files, options),
                dir.join("kube-controller-manager.log"),
            ))
        } else {
            None
        };
        let scheduler = if options.pods {
            let kubeconfig = user("scheduler.kubeconfig", "system:kube-scheduler", None)?;
            Some(Process::new(
                "kube-scheduler",
                assets.program(Program::KubeScheduler)?,
                arguments::scheduler(&kubeconfig),
                dir.join("kube-scheduler.log"),
            ))
        } else {
            None
        };
        Ok(Self {
            name: name.to_owned(),
            scheduler,
            controller_manager,
            api_server,
            etcd,
            network,
            address,
            authority,
            admin,
            _api_port: api_port,
            etcd_port,
            folder,
        })
    }

    /// The name given at the start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The API server's address.
    pub fn server(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The plane's folder: logs, certificates, data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The administrator's kubeconfig, mode 0600.
    pub fn kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// The authority that signs for this plane; for proxies in front of it.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Writes a kubeconfig for a user who may do only what is granted by RBAC, mode 0600.
    pub fn user_kubeconfig(&self, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let file = format!("user-{}.kubeconfig", user.replace([':', '/'], "-"));
        self.write_kubeconfig(&file, &self.server(), user, group)
    }

    /// Writes an administrator's kubeconfig that reaches the API server through another address, for example a proxy's.
    pub fn kubeconfig_through(&self, server: &str) -> Result<PathBuf> {
        self.user_kubeconfig_through(server, "kubernetes-admin", Some("system:masters"))
    }

    /// As [`user_kubeconfig`](Self::user_kubeconfig), through another address.
    pub(crate) fn user_kubeconfig_through(
        &self,
        server: &str,
        user: &str,
        group: Option<&str>,
    ) -> Result<PathBuf> {
        let file = format!("through-{server}-{user}.kubeconfig").replace([':', '/'], "-");
        self.write_kubeconfig(&file, server, user, group)
    }

    fn write_kubeconfig(&self, file: &str, server: &str, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let identity = self.authority.client(user, group)?;
        let text = kubeconfig::render(&self.name, server, self.authority.certificate(), user, &identity);
        certs::write_private(self.folder.path(), file, &text)
    }

    /// A client for the administrator, bound to the current async runtime.
    pub async fn client(&self) -> Result<PlaneClient> {
        self.client_with(&self.admin).await
    }

    /// A client for the holder of a kubeconfig.
    pub async fn client_with(&self, kubeconfig: &Path) -> Result<PlaneClient> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).map_err(Box::new)?;
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .map_err(Box::new)?;
        // A test shall see what the server answers.
        config.default_retry = false;
        let client = kube::Client::try_from(config)
            .map_err(|source| Error::Api { what: self.server(), source: Box::new(source) })?;
        Ok(PlaneClient::new(client))
    }

    /// Ends a component at once (SIGKILL).
    pub fn kill(&self, component: Component) -> Result<()> {
        self.process(component)?.kill();
        Ok(())
    }

    /// Starts a component that was killed, on its old port with its old data, and waits until it is ready.
    pub async fn restart(&self, component: Component) -> Result<()> {
        let process = self.process(component)?;
        process.kill();
        process.start()?;
        match component {
            Component::Etcd => self.await_etcd().await,
            Component::ApiServer => self.await_api_server().await,
            Component::ControllerManager | Component::Scheduler => Ok(()),
        }
    }

    /// Stops a component without ending it (SIGSTOP): its connections stay open and nothing answers.
    pub fn freeze(&self, component: Component) -> Result<()> {
        self.process(component)?.stop()
    }

    /// Lets a frozen component go on (SIGCONT).
    pub fn thaw(&self, component: Component) -> Result<()> {
        self.process(component)?.signal(Signal::CONT)
    }

    /// Copies what the store has on its disk at this moment into an empty folder.
    pub fn back_up(&self, to: &Path) -> Result<()> {
        self.etcd.stop()?;
        let copied = copy_folder(&self.store(), to);
        self.thaw(Component::Etcd)?;
        copied
    }

    /// Ends every component, puts a backup in the place of what the store has, and starts them again: whatever was written since
    /// the backup is forgotten.
    pub async fn restore(&self, backup: &Path) -> Result<()> {
        for process in self.processes() {
            process.kill();
        }
        let store = self.store();
        fs::remove_dir_all(&store).map_err(Error::file(&store))?;
        copy_folder(backup, &store)?;
        self.restart(Component::Etcd).await?;
        self.restart(Component::ApiServer).await?;
        self.start_controllers()
    }

    /// Where the store has its data.
    fn store(&self) -> PathBuf {
        self.folder.path().join(arguments::STORE)
    }

    /// The process ids of the components that run.
    pub fn pids(&self) -> Vec<u32> {
        self.processes().filter_map(Process::pid).collect()
    }

    /// Users of a component before the component.
    fn processes(&self) -> impl Iterator<Item = &Process> {
        let optional = [&self.scheduler, &self.controller_manager].into_iter().flatten();
        optional.chain([&self.api_server, &self.etcd])
    }

    /// The network of its pods.
    pub(crate) fn network(&self) -> Result<&Arc<PodNetwork>> {
        self.network
            .as_ref()
            .ok_or_else(|| Error::NoComponent { plane: self.name.clone(), component: "network for pods" })
    }

    /// Where the API server listens.
    pub(crate) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    fn process(&self, component: Component) -> Result<&Process> {
        match component {
            Component::Etcd => Ok(&self.etcd),
            Component::ApiServer => Ok(&self.api_server),
            Component::ControllerManager => {
                self.optional(self.controller_manager.as_ref(), "controller manager")
            }
            Component::Scheduler => self.optional(self.scheduler.as_ref(), "scheduler"),
        }
    }

    fn optional<'a>(&self, process: Option<&'a Process>, component: &'static str) -> Result<&'a Process> {
        process.ok_or_else(|| Error::NoComponent { plane: self.name.clone(), component })
    }

    async fn await_etcd(&self) -> Result<()> {
        let address = (Ipv4Addr::LOCALHOST, self.etcd_port.number());
        self.await_ready(&self.etcd, || async move {
            TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    async fn await_api_server(&self) -> Result<()> {
        let client = self.client().await?;
        self.await_ready(&self.api_server, || {
            let client = client.clone();
            async move {
                let answer = timeout(Duration::from_secs(2), client.get_text("/readyz"));
                match answer.await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("no answer within 2 s".to_owned()),
                }
            }
        })
        .await
    }

    async fn await_ready<F, A>(&self, process: &Process, mut probe: F) -> Result<()>
    where
        F: FnMut() -> A,
        A: Future<Output = Result<(), String>>,
    {
        let end = Instant::now() + READY_DEADLINE;
        loop {
            let Err(reason) = probe().await else { return Ok(()) };
            if let Some(status) = process.exited() {
                return Err(Error::Exited {
                    plane: self.name.clone(),
                    program: process.name(),
                    status,
                    log: process.log_tail(),
                });
            }
            if Instant::now() > end {
                return Err(Error::NotReady {
                    plane: self.name.clone(),
                    program: process.name(),
                    seconds: READY_DEADLINE.as_secs(),
                    reason,
                    log: process.log_tail(),
                });
            }
            sleep(POLL).await;
        }
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::file(to))?;
    for entry in fs::read_dir(from).map_err(Error::file(from))? {
        let entry = entry.map_err(Error::file(from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &copy)?;
        } else {
            fs::copy(&path, &copy).map_err(Error::file(&path))?;
        }
    }
    Ok(())
}
