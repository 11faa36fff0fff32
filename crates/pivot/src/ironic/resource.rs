//! The `Ironic` resources of a cluster, and what the Ironic Standalone Operator makes for them.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use pivot_core::ironic::{IronicDeployment, IronicPart, IronicResource};
use pivot_core::kind::{GroupKind, KindInfo};
use pivot_core::object::Manifest;
use tokio::time::{Instant, sleep};

use super::cluster::{ClusterIronic, ClusterIronicError, LOOK};
use crate::cluster::discovery::core_kind;

/// The version that there is.
const VERSION: &str = "v1alpha1";

static KIND: LazyLock<KindInfo> = LazyLock::new(|| KindInfo {
    kind: GroupKind::new("ironic.metal3.io", "Ironic"),
    storage_version: VERSION.to_owned(),
    served: BTreeSet::from([VERSION.to_owned()]),
    ..core_kind("Ironic", "ironics")
});

/// An `Ironic` resource that cannot be handed over, or that does not run.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// There is no operator for it.
    #[error("{cluster}: there is Ironic {resource}, and no operator that would act on it")]
    NobodyActs {
        /// How messages call the cluster.
        cluster: String,
        /// The resource.
        resource: String,
    },
    /// It is a DaemonSet.
    #[error(
        "{cluster}: Ironic {resource} is highly available: its operator makes a DaemonSet for it, which is not handed over"
    )]
    HighlyAvailable {
        /// How messages call the cluster.
        cluster: String,
        /// The resource.
        resource: String,
    },
    /// Its operator was started and is not there any more.
    #[error("{cluster}: Deployment {operator} was started, and is gone, or keeps no Ironic any more")]
    OperatorGone {
        /// How messages call the cluster.
        cluster: String,
        /// The operator's Deployment.
        operator: String,
    },
    /// Its operator was started, and it does not run.
    #[error("{cluster}: the operator of Ironic {resource} was started, and after {} s {lacks}", waited.as_secs())]
    NotReady {
        /// How messages call the cluster.
        cluster: String,
        /// The resource.
        resource: String,
        /// What is not as it has to be.
        lacks: String,
        /// How long was waited.
        waited: Duration,
    },
}

impl ResourceError {
    /// What is to be done where nothing was changed.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NobodyActs { resource, .. } => Some(format!(
                "install the Ironic Standalone Operator with its Deployment at zero replicas, or delete Ironic {resource}"
            )),
            Self::HighlyAvailable { resource, .. } => {
                Some(format!("turn spec.highAvailability of Ironic {resource} off"))
            }
            Self::OperatorGone { .. } | Self::NotReady { .. } => None,
        }
    }
}

/// Namespaces of what serves DHCP, or will once its operator runs.
pub(super) fn lease_namespaces(found: &[IronicDeployment]) -> BTreeSet<String> {
    let serves = |found: &&IronicDeployment| matches!(&found.part, IronicPart::Ironic { dhcp: Some(_), .. });
    let deployments = found.iter().filter(serves).map(|found| &found.key);
    let resources =
        found.iter().flat_map(|found| &found.keeps).filter(|kept| kept.dhcp).map(|kept| &kept.key);
    deployments.chain(resources).filter_map(|key| key.namespace.clone()).collect()
}

impl ClusterIronic<'_> {
    /// The resources, but for those that are being deleted; none where the cluster does not know their kind.
    pub(super) async fn resources(&self) -> Result<Vec<IronicResource>, ClusterIronicError> {
        let what = "Ironic resources";
        // Who may not list them is refused, and not told that there is no such kind.
        let serves = self.cluster.serves(&KIND).await.map_err(|error| self.read_error(what, error))?;
        if !serves {
            return Ok(Vec::new());
        }
        let all = match self.cluster.list(&KIND, VERSION, self.namespace).await {
            Ok(listed) => listed.items,
            // It went away in between.
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(self.read_error(what, error)),
        };
        let stays = |one: &&Manifest| !one.is_terminating();
        Ok(all.iter().filter(stays).map(IronicResource::read).collect())
    }

    /// Refuses an operator that would make something which cannot be stopped and started here.
    pub(super) fn may_act(&self, operator: &IronicDeployment) -> Result<(), ClusterIronicError> {
        let refused = operator.keeps.iter().find(|resource| resource.highly_available);
        refused.map_or(Ok(()), |resource| {
            let (cluster, resource) = (self.cluster.name().to_owned(), resource.key.path());
            Err(ResourceError::HighlyAvailable { cluster, resource }.into())
        })
    }

    /// Waits until what an operator makes for these of its resources is there and runs, and returns the names of it.
    pub(super) async fn made(&self, operator: &IronicDeployment) -> Result<Vec<String>, ClusterIronicError> {
        if operator.keeps.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + self.wait;
        let is_asked =
            |resource: &&IronicResource| operator.keeps.iter().any(|kept| kept.key == resource.key);
        loop {
            let found = self.find().await?;
            let Some(now) = found.iter().find(|now| now.uid == operator.uid) else {
                let (cluster, operator) = (self.cluster.name().to_owned(), operator.key.path());
                return Err(ResourceError::OperatorGone { cluster, operator }.into());
            };
            let lacks = |resource: &IronicResource| Some((resource.key.path(), resource.lacks(&found)?));
            let Some((resource, lacks)) = now.keeps.iter().filter(is_asked).find_map(lacks) else {
                let asked = now.keeps.iter().filter(is_asked);
                return Ok(asked.map(|resource| resource.deployment().path()).collect());
            };
            if Instant::now() >= deadline {
                let (cluster, waited) = (self.cluster.name().to_owned(), self.wait);
                return Err(ResourceError::NotReady { cluster, resource, lacks, waited }.into());
            }
            sleep(LOOK).await;
        }
    }
}
