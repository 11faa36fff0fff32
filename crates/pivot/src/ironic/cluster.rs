//! Ironic as a Deployment of a cluster, with the operator that keeps it.

use std::time::Duration;

use pivot_core::ironic::{IronicDeployment, IronicPart, ironic_deployments};
use pivot_core::kind::{GroupKind, KindInfo};
use pivot_core::lease::CONFIG_MAP;
use pivot_core::machine::{Op, Outcome, RefusalClass};
use pivot_core::object::ObjectKey;
use pivot_core::pods::pods_of;
use pivot_core::rewrite::OWN_MANAGER;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::pod_leases::FoundLeases;
use super::resource::ResourceError;
use crate::cluster::{Cluster, Failure, well_known};
use crate::leases::LeasesError;

/// Between two looks at pods.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// How often a write is tried again that met a newer revision, or of which nobody knows whether it was done.
const TRIES: u32 = 5;

/// Ironic of a cluster could not be stopped or started. What is stopped stays stopped, and what runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum ClusterIronicError {
    /// A request to read.
    #[error("{cluster}: cannot read {what}: {error}")]
    Read {
        /// How messages call the cluster.
        cluster: String,
        /// What was to be read.
        what: &'static str,
        /// Why.
        #[source]
        error: Failure,
    },
    /// A request to write.
    #[error("{cluster}: cannot scale Deployment {name}: {message}")]
    Write {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// What the server said, or that it said nothing.
        message: String,
    },
    /// Somebody would start it again.
    #[error("{cluster}: {keeper} would start Deployment {name} again")]
    Kept {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// Who keeps it.
        keeper: String,
        /// What makes it stop.
        remedy: String,
    },
    /// The operator of an `Ironic` resource is not in the cluster.
    #[error("{cluster}: Deployment {name} is kept for Ironic {resource} by an operator that is not found")]
    NoOperator {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// The resource.
        resource: String,
    },
    /// The ConfigMaps with leases.
    #[error(transparent)]
    Leases(#[from] LeasesError),
    /// An `Ironic` resource.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// Leases that would die with a pod.
    #[error(
        "{cluster}: the leases of Deployment {name} are in no ConfigMap {CONFIG_MAP} of its namespace, and die with its pod; {why}"
    )]
    Unsaved {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// Why they could not be read.
        why: String,
        /// What saves them.
        command: String,
    },
    /// Pods that are still there.
    #[error("{cluster}: Deployment {name} was scaled to zero, and after {} s there is still {}", waited.as_secs(), pods.join(", "))]
    Pods {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// The pods.
        pods: Vec<String>,
        /// How long was waited.
        waited: Duration,
    },
    /// It runs again although it was stopped.
    #[error("{cluster}: Deployment {name} was scaled to zero, and somebody scaled it to {replicas}")]
    Rescaled {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// What it is scaled to.
        replicas: i64,
    },
    /// A Deployment that was made while Ironic was stopped.
    #[error("{cluster}: Deployment {name} was made while Ironic was stopped, and is scaled to {replicas}")]
    Made {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// What it is scaled to.
        replicas: i64,
    },
    /// It was started and is not ready.
    #[error("{cluster}: Deployment {name} was started, and is not ready after {} s", waited.as_secs())]
    NotReady {
        /// How messages call the cluster.
        cluster: String,
        /// Namespace and name.
        name: String,
        /// How long was waited.
        waited: Duration,
    },
}

impl ClusterIronicError {
    /// True where nothing was changed: it was found before that it would not do.
    pub fn is_refusal(&self) -> bool {
        self.remedy().is_some()
    }

    /// What is to be done before a stop that was refused.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Kept { remedy, .. } => Some(remedy.clone()),
            Self::NoOperator { resource, .. } => Some(format!(
                "stop the operator that keeps Ironic {resource}, or let it be seen: it starts the Deployment again"
            )),
            Self::Resource(error) => error.remedy(),
            Self::Unsaved { command, .. } => Some(format!("mend that, or save them first: {command}")),
            Self::Read { .. }
            | Self::Leases(_)
            | Self::Write { .. }
            | Self::Pods { .. }
            | Self::Rescaled { .. }
            | Self::Made { .. }
            | Self::NotReady { .. } => None,
        }
    }
}

fn kind(group: &str, kind: &str) -> &'static KindInfo {
    well_known(&GroupKind::new(group, kind)).expect("BUG: these kinds are well known")
}

/// Ironic in one cluster, in one namespace or in all.
#[derive(Clone, Copy, Debug)]
pub struct ClusterIronic<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Where to look; everywhere where `None`.
    pub namespace: Option<&'a str>,
    /// How long pods may take to go or to come.
    pub wait: Duration,
}

impl ClusterIronic<'_> {
    /// The Deployments, in the order in which they are stopped. The operator may be in any namespace, and counts also where it has made no
    /// Deployment yet. Nothing but resources on which nobody acts is an error.
    pub async fn find(&self) -> Result<Vec<IronicDeployment>, ClusterIronicError> {
        let resources = self.resources().await?;
        let all = self.cluster.list(kind("apps", "Deployment"), "v1", None).await;
        let all = all.map_err(|error| self.read_error("Deployments", error))?.items;
        let is_asked = |found: &IronicDeployment| {
            found.part == IronicPart::Operator
                || self.namespace.is_none_or(|wanted| found.key.namespace.as_deref() == Some(wanted))
        };
        let mut found = ironic_deployments(&all, &resources);
        found.retain(is_asked);
        if found.iter().all(|found| found.part == IronicPart::Operator && found.keeps.is_empty()) {
            found.clear();
        }
        match resources.first().filter(|_| found.is_empty()) {
            Some(resource) => {
                let (cluster, resource) = self.names(&resource.key);
                Err(ResourceError::NobodyActs { cluster, resource }.into())
            }
            None => Ok(found),
        }
    }

    /// Scales to zero, an operator before what it keeps, and waits until every pod is gone, by its uid.
    ///
    /// Nothing is stopped where somebody would start it again, or where one of these `leases` would die with a pod; who gives none lets them.
    pub async fn stop(
        &self,
        found: &[IronicDeployment],
        leases: Option<&FoundLeases>,
    ) -> Result<Vec<String>, ClusterIronicError> {
        self.refusals(found, leases).into_iter().next().map_or(Ok(()), Err)?;
        for deployment in found {
            self.scale(deployment, IronicDeployment::stop).await?;
            self.pods_go(deployment).await?;
        }
        // Who was not seen to keep it might have started it meanwhile.
        let now = self.find().await?;
        if let Some(runs) = now.iter().find(|now| now.runs()) {
            let replicas = runs.replicas;
            let (cluster, name) = self.names(&runs.key);
            // An operator may have made it just before it was gone.
            return Err(if found.iter().any(|found| found.uid == runs.uid) {
                ClusterIronicError::Rescaled { cluster, name, replicas }
            } else {
                ClusterIronicError::Made { cluster, name, replicas }
            });
        }
        Ok(found.iter().map(|deployment| deployment.key.path()).collect())
    }

    /// What keeps the Deployments from being stopped, and these leases from being carried: refusals, each with a remedy.
    pub fn refusals(
        &self,
        found: &[IronicDeployment],
        leases: Option<&FoundLeases>,
    ) -> Vec<ClusterIronicError> {
        let kept = found.iter().filter_map(|deployment| self.kept(deployment, found));
        kept.chain(leases.into_iter().flat_map(|leases| leases.lost(self.cluster))).collect()
    }

    /// Who would start it again, or what it makes that cannot be stopped here.
    fn kept(&self, deployment: &IronicDeployment, found: &[IronicDeployment]) -> Option<ClusterIronicError> {
        if let Err(refusal) = self.may_act(deployment) {
            return Some(refusal);
        }
        if !deployment.runs() {
            return None;
        }
        let (cluster, name) = self.names(&deployment.key);
        if let Some(keeper) = deployment.kept_by() {
            let (keeper, remedy) = (keeper.to_string(), keeper.remedy());
            return Some(ClusterIronicError::Kept { cluster, name, keeper, remedy });
        }
        let IronicPart::Ironic { resource: Some(resource), .. } = &deployment.part else { return None };
        let has_operator = found.iter().any(|found| found.part == IronicPart::Operator);
        let resource = resource.clone();
        (!has_operator).then_some(ClusterIronicError::NoOperator { cluster, name, resource })
    }

    /// Starts what was stopped, in the other order, and waits until it is ready, with what an operator makes then. What runs already is
    /// waited for as well: a start that was killed may have begun it.
    pub async fn start(&self, found: &[IronicDeployment]) -> Result<Vec<String>, ClusterIronicError> {
        let started: Vec<&IronicDeployment> =
            found.iter().rev().filter(|found| found.stopped.is_some() || found.runs()).collect();
        for deployment in &started {
            self.scale(deployment, IronicDeployment::start).await?;
        }
        let mut names = Vec::new();
        for deployment in &started {
            self.is_ready(deployment).await?;
            names.push(deployment.key.path());
        }
        for operator in started.iter().filter(|started| started.part == IronicPart::Operator) {
            let made = self.made(operator).await?;
            names.extend(made.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
        }
        Ok(names)
    }

    /// Patches by the revision that was seen; where somebody wrote meanwhile, by the new one.
    async fn scale(
        &self,
        deployment: &IronicDeployment,
        patch: impl Fn(&IronicDeployment) -> Option<Value>,
    ) -> Result<(), ClusterIronicError> {
        let mut seen = deployment.clone();
        let mut last = String::new();
        for _ in 0..TRIES {
            let Some(patch) = patch(&seen) else { return Ok(()) };
            let op = Op::Merge { patch, manager: OWN_MANAGER.to_owned() };
            match self.cluster.write(kind("apps", "Deployment"), "v1", &seen.key, &op).await {
                Outcome::Written(_) => return Ok(()),
                Outcome::Refused { class: RefusalClass::Denied, message, .. } => {
                    last = message;
                    break;
                }
                Outcome::Refused { message, .. } | Outcome::Unknown(message) => last = message,
                other => last = format!("an answer of another form: {other:?}"),
            }
            sleep(LOOK).await;
            match self.find().await?.into_iter().find(|now| now.uid == deployment.uid) {
                // One that is to be started without a note of its own has none now either.
                Some(now) => seen = IronicDeployment { stopped: now.stopped.or(seen.stopped), ..now },
                None => return Ok(()),
            }
        }
        let (cluster, name) = self.names(&deployment.key);
        Err(ClusterIronicError::Write { cluster, name, message: last })
    }

    async fn pods_go(&self, deployment: &IronicDeployment) -> Result<(), ClusterIronicError> {
        let deadline = Instant::now() + self.wait;
        loop {
            let pods = self.pods(deployment).await?;
            if pods.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let pods = pods.iter().map(|pod| format!("pod {}", pod.path())).collect();
                let (cluster, name) = self.names(&deployment.key);
                return Err(ClusterIronicError::Pods { cluster, name, pods, waited: self.wait });
            }
            sleep(LOOK).await;
        }
    }

    async fn is_ready(&self, deployment: &IronicDeployment) -> Result<(), ClusterIronicError> {
        let deadline = Instant::now() + self.wait;
        loop {
            let now = self.find().await?.into_iter().find(|now| now.uid == deployment.uid);
            if now.is_some_and(|now| now.ready >= now.replicas && now.runs()) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let (cluster, name) = self.names(&deployment.key);
                return Err(ClusterIronicError::NotReady { cluster, name, waited: self.wait });
            }
            sleep(LOOK).await;
        }
    }

    /// The pods of a Deployment, whatever state they are in.
    pub(super) async fn pods(
        &self,
        deployment: &IronicDeployment,
    ) -> Result<Vec<ObjectKey>, ClusterIronicError> {
        let namespace = deployment.key.namespace.as_deref().unwrap_or_default();
        let seen = self.cluster.glance_at_pods(namespace).await;
        let seen = seen.map_err(|error| self.read_error("pods", error))?;
        Ok(pods_of(&deployment.uid, &seen).map(|pod| pod.key.clone()).collect())
    }

    pub(super) fn read_error(&self, what: &'static str, error: Failure) -> ClusterIronicError {
        ClusterIronicError::Read { cluster: self.cluster.name().to_owned(), what, error }
    }

    /// How messages call the cluster and the Deployment.
    fn names(&self, key: &ObjectKey) -> (String, String) {
        (self.cluster.name().to_owned(), key.path())
    }
}
