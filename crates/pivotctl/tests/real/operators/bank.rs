//! Two clusters in which the real baremetal-operator acts, and the program between them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use pivot_testbed::assets::Assets;
use pivot_testbed::audit::{AuditLog, Detail, Watched};
use pivot_testbed::client::{Patch, PlaneClient, Progress, wait_until};
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use pivot_testbed::kubelet::Kubelet;
use pivot_testbed::operators::{self, Operator, standin_capm3};
use pivot_testbed::plane::{Plane, PlaneOptions};
use pivot_testbed::providers;
use pivot_testbed::proxy::Proxy;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::scene::NAMESPACE;

pub(super) const DEADLINE: Duration = Duration::from_secs(300);
/// The operator of hosts.
pub(super) const OPERATOR: Operator = Operator::Baremetal;
/// The host that nobody claimed.
pub(super) const FREE: &str = "test1-free-0";
/// How long hosts must stand still to count as settled.
const STILL: Duration = Duration::from_secs(3);

/// A cluster with a node on which the operator runs.
pub(super) struct Bank {
    pub(super) name: &'static str,
    pub(super) client: PlaneClient,
    pub(super) kubelet: Kubelet,
    /// Every write, as the API server saw it.
    pub(super) audit: AuditLog,
    /// The program comes through it.
    pub(super) proxy: Proxy,
    _plane: Plane,
}

/// Both clusters, and what the program needs.
pub(super) struct River {
    pub(super) east: Bank,
    pub(super) west: Bank,
    /// The hosts as they were before the first pivot.
    pub(super) before: BTreeMap<String, Value>,
    folder: TempDir,
}

impl Bank {
    async fn start(assets: &Assets, name: &'static str, folder: &Path) -> Self {
        let audit = AuditLog::new(folder, name, Watched::Writers, Detail::Requests).unwrap();
        let options = PlaneOptions { api_server_args: audit.api_server_args(), ..PlaneOptions::with_pods() };
        let plane = providers::start_management_plane(assets, name, &options).await.unwrap();
        let client = plane.client().await.unwrap();
        let images = standin_capm3::with_image(operators::images(assets).unwrap()).unwrap();
        let kubelet = Kubelet::start(&plane, "node", images).await.unwrap();
        let proxy = Proxy::start(&plane).await.unwrap();
        Self { name, client, kubelet, audit, proxy, _plane: plane }
    }

    async fn install(&self, assets: &Assets, staff: Staff) {
        let operators: &[Operator] = match staff {
            Staff::Hosts => &[OPERATOR],
            Staff::Machines => &[Operator::Core, OPERATOR],
        };
        operators::install(&self.client, assets, &self.kubelet, operators).await.unwrap();
        if staff == Staff::Machines {
            standin_capm3::install(&self.client, "operators::standin_capm3").await.unwrap();
        }
    }

    pub(super) async fn hosts(&self) -> BTreeMap<String, Value> {
        hosts(&self.client).await
    }

    /// How many pods the operator is to have, and how many a pivot noted.
    async fn replicas(&self) -> (Value, Value) {
        let (namespace, name) = (OPERATOR.namespace(), OPERATOR.deployment());
        let deployment = self.client.get(Gvk::DEPLOYMENT, Some(namespace), name).await.unwrap().unwrap();
        let before = &deployment["metadata"]["annotations"]["pivot.metal3.io/replicas"];
        (deployment["spec"]["replicas"].clone(), before.clone())
    }

    /// Asserts that the operator acts here.
    pub(super) async fn is_active(&self) {
        assert_eq!(self.replicas().await, (1.into(), Value::Null), "{}", self.name);
        operators::await_leader(&self.client, &self.kubelet, OPERATOR).await.unwrap();
        assert_eq!(self.kubelet.pods().len(), 1, "{}", self.name);
    }

    /// Asserts that no pod of the operator is left.
    pub(super) async fn is_asleep(&self) {
        assert_eq!(self.replicas().await, (0.into(), "1".into()), "{}", self.name);
        assert_eq!(self.kubelet.pods().len(), 0, "a pod of the operator is left in {}", self.name);
    }
}

/// Which controllers act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Staff {
    /// The operator of hosts.
    Hosts,
    /// That of Cluster API's own kinds as well, and the stand-in for the one between them.
    Machines,
}

impl River {
    /// With the fixture and a host of every standing in the east, which the operator found as another one left them.
    pub(super) async fn new(assets: &Assets) -> Self {
        Self::with(assets, Staff::Hosts, &[]).await
    }

    /// The same with other controllers, and with more objects.
    pub(super) async fn with(assets: &Assets, staff: Staff, more: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = |name| Box::pin(Bank::start(assets, name, folder.path()));
        let (east, west) = tokio::join!(start("east"), start("west"));
        east.client.ensure_namespace(NAMESPACE).await.unwrap();
        let options = FixtureOptions::small().with_all_hosts().in_namespace(NAMESPACE);
        fixture::load(&east.client, &Fixture::new(options)).await.unwrap();
        // The operator without Ironic knows one power switch for all hosts: none may be off while others are on. And it knows no
        // firmware: it would not touch a free host with the fixture's wish.
        for (gvk, spec) in [
            (Gvk::BARE_METAL_HOST, json!({"online": true})),
            (Gvk::HOST_FIRMWARE_SETTINGS, json!({"settings": {"ProcVirtualization": null}})),
        ] {
            let (namespace, patch) = (Some(NAMESPACE), json!({"spec": spec}));
            east.client.patch(gvk, namespace, FREE, Patch::Merge, &patch, "kubectl").await.unwrap();
        }
        east.client.apply_all(more, "kubectl").await.unwrap();
        tokio::join!(Box::pin(east.install(assets, staff)), Box::pin(west.install(assets, staff)));
        let before = settled(&east.client).await;
        Self { east, west, before, folder }
    }

    pub(super) fn clients(&self) -> [&PlaneClient; 2] {
        [&self.east.client, &self.west.client]
    }

    /// A verb from one cluster to the other.
    pub(super) fn command(&self, args: &[&str], from: &Bank, to: &Bank) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pivotctl"));
        let home = self.folder.path();
        command.env_clear().env("HOME", home).current_dir(home).args(args);
        command.arg("--kubeconfig").arg(from.proxy.kubeconfig());
        command.arg("--to-kubeconfig").arg(to.proxy.kubeconfig());
        command
    }

    /// Runs a verb to its good end.
    pub(super) fn run(&self, args: &[&str], from: &Bank, to: &Bank) {
        let Output { status, stderr, .. } =
            tokio::task::block_in_place(|| self.command(args, from, to).output().unwrap());
        assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&stderr));
    }

    /// Asserts that the hosts are in one cluster, as they were, and nowhere else.
    pub(super) async fn hosts_are_in(&self, there: &Bank, not: &Bank) {
        // The power switch that stands for all machines belongs to the operator's process: one that has just started finds it off, until it has
        // seen the first host that wants to be on.
        let now = wait_until("the power to be on", DEADLINE, async || {
            let hosts = there.hosts().await;
            let off: Vec<_> = hosts.iter().filter(|(_, host)| host["status"]["poweredOn"] != true).collect();
            Ok(if off.is_empty() {
                Progress::Done(hosts)
            } else {
                Progress::Pending(off.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "))
            })
        })
        .await
        .unwrap();
        assert_eq!(now.keys().collect::<Vec<_>>(), self.before.keys().collect::<Vec<_>>());
        for (name, host) in &now {
            assert_eq!(machine(host), machine(&self.before[name]), "{name}");
            assert_eq!(
                host["metadata"]["annotations"]["baremetalhost.metal3.io/paused"],
                Value::Null,
                "{name}"
            );
        }
        assert_eq!(not.hosts().await.len(), 0, "hosts in {}", not.name);
    }
}

/// The hosts of a cluster.
pub(crate) async fn hosts(client: &PlaneClient) -> BTreeMap<String, Value> {
    let found = client.list(Gvk::BARE_METAL_HOST, Some(NAMESPACE)).await.unwrap_or_default();
    found.into_iter().map(|host| (host["metadata"]["name"].as_str().unwrap().to_owned(), host)).collect()
}

/// The hosts, once the operator has seen each and leaves them as they are.
async fn settled(client: &PlaneClient) -> BTreeMap<String, Value> {
    wait_until("the hosts to settle", DEADLINE, async || {
        let first = hosts(client).await;
        sleep(STILL).await;
        let second = hosts(client).await;
        let view = |hosts: &BTreeMap<String, Value>| hosts.values().map(machine).collect::<Vec<_>>();
        let is_on = second.values().all(|host| host["status"]["poweredOn"] == true);
        Ok(if is_on && view(&first) == view(&second) {
            Progress::Done(second)
        } else {
            Progress::Pending(format!("{:?}", view(&second)))
        })
    })
    .await
    .unwrap()
}

/// What of a host tells that somebody did something to the machine. Whoever meets its credentials for the first time registers it:
/// that alone is expected.
pub(super) fn machine(host: &Value) -> [Value; 6] {
    let status = &host["status"];
    let history = &status["operationHistory"];
    [
        &status["provisioning"],
        &status["poweredOn"],
        &status["operationalStatus"],
        &history["inspect"],
        &history["provision"],
        &history["deprovision"],
    ]
    .map(Value::clone)
}

/// The state that a host is in.
pub(crate) fn state(host: &Value) -> &str {
    host["status"]["provisioning"]["state"].as_str().unwrap_or_default()
}

/// A host as `kubectl delete` and the incumbent leave it behind their first two requests: without annotations, and deleted.
pub(super) async fn wipe_and_delete(bank: &Bank, name: &str) {
    let mark = "clusterctl.cluster.x-k8s.io/delete-for-move";
    let host = bank.hosts().await.remove(name).unwrap();
    let mut annotations = host["metadata"]["annotations"].clone();
    for (_, value) in annotations.as_object_mut().into_iter().flatten() {
        *value = Value::Null;
    }
    annotations[mark] = json!("");
    let wipe = json!({"metadata": {"annotations": annotations}});
    let namespace = Some(NAMESPACE);
    bank.client
        .patch(Gvk::BARE_METAL_HOST, namespace, name, Patch::Merge, &wipe, "clusterctl")
        .await
        .unwrap();
    bank.client.delete(Gvk::BARE_METAL_HOST, namespace, name).await.unwrap();
}
