//! What both clusters remember of pivots, read for whoever only looks: nothing is written, and a side that does not answer is
//! no error.

use std::time::Duration;

use pivot_core::fence;
use pivot_core::kind::GroupKind;
use pivot_core::machine::Side;
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::plan::ClusterIdentity;
use pivot_core::record::outlook::{self, Acting, Next, View};
use pivot_core::record::{NAMESPACE, Ownership, PivotRecord};

use crate::cluster::{Cluster, Failure, well_known};
use crate::coordinator::{Identity, LEASE};
use crate::records::{Records, RecordsError, records_within};

/// What there is to know of one side.
#[derive(Debug)]
pub enum Recall {
    /// No kubeconfig was named for it.
    NotNamed,
    /// It does not answer, or does not let us read.
    Silent {
        /// Its name.
        name: String,
        /// Why.
        error: RecordsError,
    },
    /// It answered.
    Read(Box<Recollection>),
}

/// What one cluster remembers.
#[derive(Debug)]
pub struct Recollection {
    /// Which cluster it is.
    pub cluster: ClusterIdentity,
    /// Its records.
    pub records: Records,
    /// Whoever sits in the coordinator's seat, or left without giving it back.
    pub seated: Option<Seated>,
}

/// A coordinator, as its Lease names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seated {
    /// As it stands in the Lease.
    pub holder: String,
    /// The pivot it drives, where the Lease says so.
    pub pivot: Option<String>,
    /// When it sat down, by its own clock: for people, nothing is decided by it.
    pub since: Option<String>,
    /// Its last sign of life, by its own clock: for people, nothing is decided by it.
    pub renewed: Option<String>,
}

impl Seated {
    /// In words.
    pub fn in_words(&self) -> String {
        match self.holder.parse::<Identity>() {
            Ok(Identity { host, pid, .. }) => format!("process {pid} on {host}"),
            Err(_) => format!("`{}`", self.holder),
        }
    }

    fn read(lease: &Manifest) -> Option<Self> {
        let text = |pointer| lease.pointer(pointer)?.as_str().map(str::to_owned);
        let holder = text("/spec/holderIdentity").filter(|holder| !holder.is_empty())?;
        Some(Self {
            holder,
            pivot: lease.annotation(pivot_core::marks::PIVOT_ID).map(str::to_owned),
            since: text("/spec/acquireTime"),
            renewed: text("/spec/renewTime"),
        })
    }
}

impl Recall {
    /// What it remembers, where it answered.
    pub fn read(&self) -> Option<&Recollection> {
        match self {
            Self::Read(recollection) => Some(recollection),
            Self::NotNamed | Self::Silent { .. } => None,
        }
    }

    /// What it says that it is.
    pub fn ownership(&self) -> Option<&Ownership> {
        self.read()?.records.ownership.as_ref().map(|(ownership, _)| ownership)
    }
}

/// What both clusters remember.
#[derive(Debug)]
pub struct Memory {
    /// The source, as it was named.
    pub source: Recall,
    /// The target, as it was named.
    pub target: Recall,
}

/// The pivot that is open, or else the last one.
#[derive(Clone, Debug)]
pub struct LastPivot {
    /// Its record on the side that was named the source.
    pub source: Option<PivotRecord>,
    /// Its record on the side that was named the target.
    pub target: Option<PivotRecord>,
    /// True where it led, or leads, from the named target to the named source.
    pub backwards: bool,
    /// Which of the named sides acts, by the records alone.
    pub acting: Acting,
    /// What is to be done with it.
    pub next: Option<Next>,
}

impl LastPivot {
    /// What any of its records says.
    pub fn record(&self) -> &PivotRecord {
        self.target.as_ref().or(self.source.as_ref()).expect("BUG: a pivot without a record")
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.record().id
    }

    /// What the record of the cluster that it leads from, or to, says.
    pub fn record_of(&self, side: Side) -> Option<&PivotRecord> {
        [&self.source, &self.target].into_iter().flatten().find(|record| record.side == side)
    }

    /// Which side acts, with the target being the cluster that it leads to.
    pub fn acting_along(&self) -> Acting {
        if self.backwards { self.acting.swapped() } else { self.acting }
    }
}

/// Reads what both sides remember, each for at most `patience` where it does not answer.
pub async fn remember(source: Option<&Cluster>, target: Option<&Cluster>, patience: Duration) -> Memory {
    let (source, target) = futures::join!(recall(source, patience), recall(target, patience));
    Memory { source, target }
}

/// Reads what one side remembers.
pub async fn recall(cluster: Option<&Cluster>, patience: Duration) -> Recall {
    let Some(cluster) = cluster else { return Recall::NotNamed };
    let name = cluster.name().to_owned();
    let read = async {
        let records = records_within(cluster, patience).await?;
        let (id, seated) = futures::try_join!(cluster.cluster_id(), seated(cluster))?;
        Ok(Recollection { cluster: ClusterIdentity { name: name.clone(), id }, records, seated })
    };
    match read.await {
        Ok(recollection) => Recall::Read(Box::new(recollection)),
        Err(error) => Recall::Silent { name, error },
    }
}

/// Who drives a pivot here.
pub async fn seated(cluster: &Cluster) -> Result<Option<Seated>, Failure> {
    let key = ObjectKey::new(GroupKind::new("coordination.k8s.io", "Lease"), Some(NAMESPACE), LEASE);
    let lease = document(cluster, &key).await?;
    Ok(lease.as_ref().and_then(Seated::read))
}

/// Whether the policy of this pivot stands in a cluster; `None` where that cannot be read.
pub async fn is_fenced(cluster: &Cluster, pivot: &str) -> Option<bool> {
    document(cluster, &fence::policy_key(pivot)).await.ok().map(|policy| policy.is_some())
}

async fn document(cluster: &Cluster, key: &ObjectKey) -> Result<Option<Manifest>, Failure> {
    let kind = well_known(&key.kind).expect("BUG: one of our documents is of an unknown kind");
    cluster.get(kind, &kind.storage_version, key.namespace.as_deref(), &key.name).await
}

impl Memory {
    /// A side.
    pub fn side(&self, side: Side) -> &Recall {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// The pivot that is open, or else the last one of these two clusters. One with a third cluster counts where it is open, or where
    /// only one side answered.
    pub fn last_pivot(&self) -> Option<LastPivot> {
        let ids = [&self.source, &self.target].into_iter().filter_map(Recall::read).flat_map(|read| {
            read.records.pivots.iter().map(|(record, _)| (!record.state.is_closed(), record.id.as_str()))
        });
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().rev().find_map(|(open, id)| {
            let pivot = self.pivot(id)?;
            (open || self.is_between(pivot.record())).then_some(pivot)
        })
    }

    /// A pivot by its id.
    pub fn pivot(&self, id: &str) -> Option<LastPivot> {
        let found = |recall: &Recall| recall.read().and_then(|read| read.records.pivot(id)).cloned();
        let (source, target) = (found(&self.source), found(&self.target));
        let backwards = source.as_ref().is_some_and(|record| record.side == Side::Target)
            || target.as_ref().is_some_and(|record| record.side == Side::Source);
        if source.is_none() && target.is_none() {
            return None;
        }
        let here = View { ownership: self.source.ownership(), record: source.as_ref() };
        let there = View { ownership: self.target.ownership(), record: target.as_ref() };
        let (from, to) = if backwards { (there, here) } else { (here, there) };
        let acting = outlook::acting(id, &from, &to);
        let acting = if backwards { acting.swapped() } else { acting };
        let next = outlook::next(&from, &to);
        Some(LastPivot { source, target, backwards, acting, next })
    }

    /// True where no side that answered is a third cluster to this pivot.
    fn is_between(&self, record: &PivotRecord) -> bool {
        [&self.source, &self.target]
            .into_iter()
            .filter_map(Recall::read)
            .all(|read| [&record.source.id, &record.target.id].contains(&&read.cluster.id))
    }
}
