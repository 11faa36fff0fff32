//! Two management clusters behind fault proxies, and a small Metal3 cluster that is moved to and fro between them.

use std::{collections::BTreeSet, path::Path, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::process::Command;

use super::role::Role;
use crate::{
    Result,
    assets::Assets,
    client::{CONCURRENCY, Patch, PlaneClient, Progress, wait_until},
    dump::{Dump, Key, dump},
    fixture::{self, Fixture, FixtureOptions, bystanders},
    kind::Gvk,
    plane::{Plane, PlaneOptions},
    providers,
    proxy::{Link, Proxy},
    tool::Tools,
    unique_name,
};

/// Namespace of the records of a pivot.
pub(super) const SYSTEM: &str = "pivotctl-system";

/// How long Kubernetes may take for something that it does by itself.
const DEADLINE: Duration = Duration::from_secs(120);

/// Kinds of the small fixture that say nothing new about faults: every case would only take longer.
const LEFT_OUT: [&str; 8] = [
    "ClusterResourceSet",
    "DataImage",
    "HostFirmwareComponents",
    "HostUpdatePolicy",
    "KubeadmConfigTemplate",
    "MachineDeployment",
    "MachineHealthCheck",
    "Metal3RemediationTemplate",
];

/// One of the two clusters.
#[derive(Debug)]
pub(super) struct Bank {
    /// Between the tool and the plane.
    pub proxy: Proxy,
    /// The plane.
    pub plane: Plane,
    /// Past the proxy.
    pub client: PlaneClient,
}

/// Both clusters. What moves is in one of them, the source of the next pivot.
#[derive(Debug)]
pub(super) struct Ground {
    banks: [Bank; 2],
    home: usize,
    namespace: String,
    moved: BTreeSet<Key>,
}

/// Everything in both clusters, the Leases of coordinators included.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    /// Where the objects were before the case.
    pub source: Dump,
    /// Where they were to go.
    pub target: Dump,
}

impl Look {
    /// One side.
    pub(super) fn of(&self, role: Role) -> &Dump {
        match role {
            Role::Source => &self.source,
            Role::Target => &self.target,
        }
    }
}

impl Bank {
    async fn start(assets: &Assets, name: &str) -> Result<Self> {
        let plane = providers::start_management_plane(assets, name, &PlaneOptions::default()).await?;
        Ok(Self { proxy: Proxy::start(&plane).await?, client: plane.client().await?, plane })
    }

    /// Everything in it, once nothing is on its way out.
    async fn dump(&self) -> Result<Dump> {
        wait_until("namespaces to end", DEADLINE, async || {
            let namespaces = self.client.list(Gvk::NAMESPACE, None).await?;
            let ending = namespaces.iter().find(|namespace| namespace["status"]["phase"] == "Terminating");
            Ok(ending
                .map_or(Progress::Done(()), |one| Progress::Pending(one["metadata"]["name"].to_string())))
        })
        .await?;
        let all = dump(&self.client).await?;
        let leases = self.client.list(Gvk::LEASE, Some(SYSTEM)).await?;
        Ok(all.iter().map(|(_, object)| object.clone()).chain(leases).collect())
    }

    /// Removes the objects, their finalizers first, and then the namespaces.
    async fn clear(&self, objects: &BTreeSet<Key>, namespaces: &[&str]) -> Result<()> {
        let kinds = self.client.kinds().await?;
        let present =
            kinds.iter().filter(|kind| kind.listable && objects.iter().any(|key| key.is_of(&kind.gvk)));
        for served in present {
            let found = self.client.list(&served.gvk, None).await?;
            let keys = found.iter().filter_map(Key::of).filter(|key| objects.contains(key));
            stream::iter(keys)
                .map(Ok)
                .try_for_each_concurrent(CONCURRENCY, async |key: Key| self.remove(&served.gvk, &key).await)
                .await?;
        }
        let namespaces = namespaces.iter().map(|namespace| Key::new(Gvk::NAMESPACE, "", namespace));
        stream::iter(namespaces)
            .map(Ok)
            .try_for_each_concurrent(None, async |key: Key| self.remove(Gvk::NAMESPACE, &key).await)
            .await
    }

    /// Removes an object with its finalizers, and waits until it is gone. A fence that was lowered just now may still stand for a
    /// moment: API servers hear of it late.
    async fn remove(&self, gvk: &Gvk, key: &Key) -> Result<()> {
        let namespace = Some(key.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        let strip = json!({"metadata": {"finalizers": null}});
        wait_until(&format!("{key} to go"), DEADLINE, async || {
            let Some(object) = self.client.get(gvk, namespace, &key.name).await? else {
                return Ok(Progress::Done(()));
            };
            let stripped = if object["metadata"]["finalizers"].is_array() {
                self.client.patch(gvk, namespace, &key.name, Patch::Merge, &strip, "faults").await.map(drop)
            } else {
                Ok(())
            };
            let removed = match (&stripped, &object["metadata"]["deletionTimestamp"]) {
                (Ok(()), Value::Null) => self.client.delete(gvk, namespace, &key.name).await,
                _ => Ok(()),
            };
            match stripped.and(removed) {
                Err(error) if !matches!(error.code(), Some(403 | 404 | 409)) => Err(error),
                Err(error) => Ok(Progress::Pending(error.to_string())),
                Ok(()) => Ok(Progress::Pending(object["status"].to_string())),
            }
        })
        .await
    }
}

impl Ground {
    /// Starts both clusters and loads what moves, among things that stay, into the first.
    pub(super) async fn start(assets: &Assets) -> Result<Self> {
        let (east, west) = tokio::try_join!(Bank::start(assets, "east"), Bank::start(assets, "west"))?;
        let mut ground =
            Self { banks: [east, west], home: 0, namespace: String::new(), moved: BTreeSet::new() };
        ground.load().await?;
        Ok(ground)
    }

    /// Two clusters that never saw a pivot, as after [`start`](Self::start), on the same planes.
    pub(super) async fn renew(&mut self) -> Result<()> {
        let everything = self.moved.iter().cloned().chain(bystanders(&self.namespace).keys()).collect();
        let namespaces = [self.namespace.as_str(), SYSTEM];
        let [east, west] = &self.banks;
        tokio::try_join!(east.clear(&everything, &namespaces), west.clear(&everything, &namespaces))?;
        self.home = 0;
        self.load().await
    }

    async fn load(&mut self) -> Result<()> {
        self.namespace = unique_name("faults");
        let options = FixtureOptions { workers: 0, ..FixtureOptions::small() };
        let fixture = Fixture::new(options.in_namespace(&self.namespace)).without(|key| {
            LEFT_OUT.contains(&key.kind.as_str())
                || key.name.ends_with("-workers")
                || key.name.contains("-cni-")
        });
        self.moved = fixture.keys().collect();
        fixture::load(&self.banks[self.home].client, &fixture.with(bystanders(&self.namespace))).await?;
        Ok(())
    }

    /// The cluster in this role for the next pivot.
    pub(super) fn bank(&self, role: Role) -> &Bank {
        match role {
            Role::Source => &self.banks[self.home],
            Role::Target => &self.banks[1 - self.home],
        }
    }

    /// The namespace of what moves.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What moves.
    pub(super) fn moved(&self) -> &BTreeSet<Key> {
        &self.moved
    }

    /// The objects are where they were to go: source and target change places.
    pub(super) fn swap(&mut self) {
        self.home = 1 - self.home;
    }

    /// Everything in both clusters.
    pub(super) async fn look(&self) -> Result<Look> {
        let (source, target) =
            tokio::try_join!(self.bank(Role::Source).dump(), self.bank(Role::Target).dump())?;
        Ok(Look { source, target })
    }

    /// A command on both clusters through their proxies.
    pub(super) fn command(&self, tools: &Tools, words: &[&str]) -> Command {
        let mut command = tools.pivotctl();
        command.args(words);
        for (flag, role) in [("--kubeconfig", Role::Source), ("--to-kubeconfig", Role::Target)] {
            command.arg(flag).arg(self.kubeconfig(role));
        }
        command
    }

    /// The kubeconfig through the proxy.
    pub(super) fn kubeconfig(&self, role: Role) -> &Path {
        self.bank(role).proxy.kubeconfig()
    }

    /// Makes the proxies pass everything, and forgets what they passed.
    pub(super) fn calm(&self) {
        for bank in &self.banks {
            bank.proxy.clear_faults();
            bank.proxy.set_link(Link::Up);
            bank.proxy.clear_history();
        }
    }
}
