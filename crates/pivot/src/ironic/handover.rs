//! The jobs of a pivot with a side's Ironic: looking, stopping, starting, wherever it is.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use pivot_core::ironic::{
    IronicDeployment, IronicDone, IronicJob, IronicPlace, LeasesDamaged, Machine, PACKED_LIMIT, PackedLeases,
    Role, SavedAddress, SavedIronic, Stack, deployments_to_start,
};
use pivot_core::lease::{CONFIG_MAP, LeaseFile, merge};
use pivot_core::object::ObjectKey;

use super::cluster::{ClusterIronic, ClusterIronicError};
use super::containers::{Found, find, stop};
use super::error::IronicError;
use super::pod_leases::UnreadPod;
use super::resource::lease_namespaces;
use super::start::{Order, start};
use crate::cluster::{Cluster, Failure};
use crate::host::{Host, HostError, NetworkError, Ssh};
use crate::leases::{LeasesError, Place};

/// A job that was not done.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// On a machine.
    #[error(transparent)]
    Machine(#[from] IronicError),
    /// In a cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterIronicError),
    /// Its leases.
    #[error(transparent)]
    Leases(#[from] LeasesError),
    /// Those in the record.
    #[error(transparent)]
    Damaged(#[from] LeasesDamaged),
    /// Nothing of Ironic is there.
    #[error("there is no Ironic in {place}")]
    Nothing {
        /// Where was looked.
        place: String,
    },
    /// The cluster is not there to be asked.
    #[error("the cluster of {place} is not there to be asked")]
    NoCluster {
        /// Where Ironic is.
        place: String,
    },
    /// More leases than a record holds.
    #[error(
        "the leases of {place} are too many for a record ({size} bytes packed, {PACKED_LIMIT} fit): shorten their time, or let old ones end"
    )]
    TooMany {
        /// Where they are.
        place: String,
        /// How much they are.
        size: usize,
    },
}

impl HandOverError {
    /// True where the same may succeed later: a machine or a cluster that does not answer for now. Each job may be done again.
    pub fn is_passing(&self) -> bool {
        let host =
            |error: &HostError| matches!(error, HostError::Unreachable { .. } | HostError::Silent { .. });
        let failure = |error: &Failure| error.leaves_write_unknown();
        match self {
            Self::Machine(error) => {
                let begun = match error {
                    IronicError::NotBegun(error) => error,
                    error => error,
                };
                matches!(begun, IronicError::Host(error) | IronicError::Network(NetworkError::Host(error)) if host(error))
            }
            Self::Cluster(
                ClusterIronicError::Read { error, .. }
                | ClusterIronicError::Leases(LeasesError::Read { error, .. }),
            )
            | Self::Leases(LeasesError::Read { error, .. }) => failure(error),
            Self::Leases(LeasesError::Changed { .. }) => true,
            Self::Cluster(_)
            | Self::Leases(_)
            | Self::Damaged(_)
            | Self::Nothing { .. }
            | Self::NoCluster { .. }
            | Self::TooMany { .. } => false,
        }
    }
}

/// A side's Ironic.
#[derive(Clone, Copy, Debug)]
pub struct Station<'a> {
    /// Where it is.
    pub place: &'a IronicPlace,
    /// The cluster of the side, where there is one.
    pub cluster: Option<&'a Cluster>,
    /// The endpoint address, where one was told.
    pub endpoint: Option<IpAddr>,
    /// How long pods may take to go or to come.
    pub wait: Duration,
}

/// The machine that a place names.
pub fn host_of(machine: &Machine) -> Host {
    let config = machine.ssh_config.as_ref().map(PathBuf::from);
    let ssh = machine.ssh.clone().map(|destination| Ssh { destination, config });
    Host {
        ssh,
        namespace: machine.netns.clone(),
        sudo: machine.sudo,
        dhcp_wait: machine.dhcp_wait(),
        ..Host::default()
    }
}

impl Station<'_> {
    /// Does a job.
    pub async fn perform(&self, job: IronicJob) -> Result<IronicDone, HandOverError> {
        match self.place {
            IronicPlace::Machine(machine) => {
                let host = host_of(machine).connected().await;
                match job {
                    IronicJob::Look => self.look_at_machine(&host).await,
                    IronicJob::Stop(stack) => self.stop_on_machine(&host, *stack).await,
                    IronicJob::Start { before, leases } => {
                        self.start_on_machine(&host, before.map(|before| *before), leases).await
                    }
                }
            }
            IronicPlace::Cluster { namespace } => {
                let cluster =
                    self.cluster.ok_or_else(|| HandOverError::NoCluster { place: self.place.to_string() })?;
                let ironic = ClusterIronic { cluster, namespace: namespace.as_deref(), wait: self.wait };
                match job {
                    IronicJob::Look => self.look_at_cluster(ironic).await,
                    IronicJob::Stop(_) => self.stop_in_cluster(ironic).await,
                    IronicJob::Start { before, leases } => {
                        let before = before.map(|before| before.deployments).unwrap_or_default();
                        self.start_in_cluster(ironic, &before, leases).await
                    }
                }
            }
        }
    }

    fn nothing(&self) -> HandOverError {
        HandOverError::Nothing { place: self.place.to_string() }
    }

    fn packed(&self, text: &str) -> Result<Option<PackedLeases>, HandOverError> {
        let leases = PackedLeases::pack(text);
        match leases.as_ref().map(PackedLeases::size).filter(|size| *size > PACKED_LIMIT) {
            Some(size) => Err(HandOverError::TooMany { place: self.place.to_string(), size }),
            None => Ok(leases),
        }
    }

    async fn look_at_machine(&self, host: &Host) -> Result<IronicDone, HandOverError> {
        let found = find(host, None).await?;
        if found.containers.is_empty() {
            return Err(self.nothing());
        }
        let endpoint = self.endpoint.or(found.endpoint);
        let mut saved = found.saved(host);
        let file = LeaseFile::parse(saved.leases.take().unwrap_or_default().as_bytes());
        saved.endpoint = standing_address(host, &saved, endpoint).await?;
        let evidence = vec![format!("{}: {}, {}", self.place, names(&found), leases_in_words(&file))];
        let leases = self.packed(&file.text())?;
        let stack = Stack { machine: Some(saved), deployments: Vec::new(), endpoint, leases };
        Ok(IronicDone { stack, evidence })
    }

    async fn stop_on_machine(&self, host: &Host, stack: Stack) -> Result<IronicDone, HandOverError> {
        let found = find(host, None).await?;
        let endpoint = stack.endpoint.or(found.endpoint);
        let mut saved = stack.machine.clone().unwrap_or_else(|| found.saved(host));
        let still = stop(host, &found, endpoint, &mut saved).await?;
        let evidence = still.evidence(endpoint);
        Ok(IronicDone { stack: Stack { machine: Some(saved), endpoint, ..stack }, evidence })
    }

    async fn start_on_machine(
        &self,
        host: &Host,
        before: Option<Stack>,
        leases: Option<PackedLeases>,
    ) -> Result<IronicDone, HandOverError> {
        let found = find(host, None).await?;
        if found.containers.is_empty() {
            return Err(self.nothing());
        }
        let before = before.and_then(|stack| stack.machine);
        let saved = to_start(host, &found, before)?;
        let leases = leases.map(|leases| leases.text()).transpose()?;
        let serves = saved.containers.iter().any(|one| one.role == Role::Dnsmasq && one.running);
        let leases = leases.map(|text| LeaseFile::parse(text.as_bytes()));
        let order =
            Order { endpoint: self.endpoint, wait: self.wait, leases: leases.as_ref().filter(|_| serves) };
        let started = start(host, &saved, order).await?;
        let mut evidence = vec![format!("running: {}", started.names.join(", "))];
        if let Some(leases) = leases.filter(|_| !serves) {
            evidence
                .push(format!("not carried: {}, since nothing there serves DHCP", leases_in_words(&leases)));
        }
        evidence.extend(started.evidence());
        Ok(IronicDone { stack: Stack::default(), evidence })
    }

    async fn look_at_cluster(&self, ironic: ClusterIronic<'_>) -> Result<IronicDone, HandOverError> {
        let found = ironic.find().await?;
        if found.is_empty() {
            return Err(self.nothing());
        }
        let known = ironic.leases(&found).await?;
        if let Some(refusal) = ironic.refusals(&found, Some(&known)).into_iter().next() {
            return Err(refusal.into());
        }
        let file = known.file();
        let ran = |found: &&IronicDeployment| found.runs() || found.stopped.is_some();
        let deployments: Vec<ObjectKey> =
            found.iter().filter(ran).map(|deployment| deployment.key.clone()).collect();
        let shown: Vec<String> = deployments.iter().map(ToString::to_string).collect();
        let leases = self.packed(&file.text())?;
        let mut evidence = vec![format!("{}, {}", shown.join(", "), leases_in_words(&file))];
        evidence.extend(known.saved_before().map(UnreadPod::told));
        Ok(IronicDone {
            stack: Stack { machine: None, deployments, endpoint: self.endpoint, leases },
            evidence,
        })
    }

    async fn stop_in_cluster(&self, ironic: ClusterIronic<'_>) -> Result<IronicDone, HandOverError> {
        let found = ironic.find().await?;
        // Both records know the leases: they were looked at first.
        let stopped = ironic.stop(&found, None).await?;
        let evidence = vec![format!("stopped, and every pod gone: {}", stopped.join(", "))];
        Ok(IronicDone { stack: Stack::default(), evidence })
    }

    async fn start_in_cluster(
        &self,
        ironic: ClusterIronic<'_>,
        before: &[ObjectKey],
        leases: Option<PackedLeases>,
    ) -> Result<IronicDone, HandOverError> {
        let found = deployments_to_start(ironic.find().await?, before);
        if found.is_empty() {
            return Err(self.nothing());
        }
        let mut evidence = Vec::new();
        let file = match leases {
            Some(leases) => LeaseFile::parse(leases.text()?.as_bytes()),
            None => LeaseFile::default(),
        };
        for namespace in lease_namespaces(&found) {
            let place = Place { cluster: ironic.cluster, namespace: &namespace, name: CONFIG_MAP };
            let before = place.read().await?;
            let there = match &before {
                Some(stored) => LeaseFile::parse(stored.text()?.as_bytes()),
                None => LeaseFile::default(),
            };
            let both = merge(&file, &there).file;
            // A pod may wait for it, whether or not there is a lease.
            if before.is_none() || both.text() != there.text() {
                place.write(&both, before.as_ref()).await?;
            }
            let leases = leases_in_words(&both);
            evidence.push(format!("{leases} in ConfigMap {namespace}/{CONFIG_MAP}"));
        }
        let started = ironic.start(&found).await?;
        evidence.push(format!("running: {}", started.join(", ")));
        Ok(IronicDone { stack: Stack::default(), evidence })
    }
}

fn names(found: &Found) -> String {
    let names: Vec<&str> = found.containers.iter().map(|found| found.container.name.as_str()).collect();
    names.join(", ")
}

fn leases_in_words(file: &LeaseFile) -> String {
    match file.len() {
        1 => "1 lease".to_owned(),
        count => format!("{count} leases"),
    }
}

/// The endpoint address where it stands on an interface by itself: keepalived brings back what it put there. Known before the stop, so
/// that it is put back also where the stop was killed.
async fn standing_address(
    host: &Host,
    saved: &SavedIronic,
    endpoint: Option<IpAddr>,
) -> Result<Option<SavedAddress>, IronicError> {
    let is_kept = saved.containers.iter().any(|one| one.role == Role::Keepalived && one.running);
    let Some(endpoint) = endpoint.filter(|_| !is_kept) else { return Ok(None) };
    let all = host.interfaces().await?;
    let carrying = all.iter().find_map(|interface| {
        let assigned = interface.addresses.iter().find(|assigned| assigned.net.address == endpoint)?;
        let address = format!("{}/{}", assigned.net.address, assigned.net.prefix);
        Some(SavedAddress { address, interface: interface.name.clone() })
    });
    Ok(carrying)
}

/// What is to run: what ran before it was stopped; where nothing is known of a container, it was put there for this.
fn to_start(host: &Host, found: &Found, before: Option<SavedIronic>) -> Result<SavedIronic, IronicError> {
    let mut saved = found.saved(host);
    let known = before.iter().flat_map(|before| &before.containers);
    if let Some(gone) =
        known.clone().find(|one| one.running && !saved.containers.iter().any(|now| now.name == one.name))
    {
        return Err(IronicError::Gone { host: host.to_string(), name: gone.name.clone() });
    }
    for now in &mut saved.containers {
        // One that was made anew under its name runs by its own policy.
        let earlier = known.clone().find(|one| one.name == now.name);
        now.running = earlier.is_none_or(|one| one.running);
        if let Some(same) = earlier.filter(|one| one.id == now.id) {
            now.restart = same.restart.clone().or_else(|| now.restart.take());
        }
    }
    saved.endpoint = before.and_then(|before| before.endpoint);
    Ok(saved)
}
