//! What the clusters remember of pivots: reading the records (DESIGN section 2). They are written by the engine alone.

use std::time::Duration;

use pivot_core::fence;
use pivot_core::ironic::Stack;
use pivot_core::machine::{PastSide, Side};
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::record::{
    Document as _, DocumentError, NAMESPACE, Ownership, PivotRecord, RECORD_LABEL, State, chunk_key,
    ownership_key,
};
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Failure, well_known};

/// What one cluster remembers.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Which cluster is active, with the ConfigMap that says so.
    pub ownership: Option<(Ownership, Manifest)>,
    /// Records of pivots, oldest id first.
    pub pivots: Vec<(PivotRecord, Manifest)>,
    /// Records that cannot be read.
    pub unreadable: Vec<DocumentError>,
}

impl Records {
    /// True for a cluster that was never part of a pivot, or has forgotten it.
    pub fn is_empty(&self) -> bool {
        self.ownership.is_none() && self.pivots.is_empty() && self.unreadable.is_empty()
    }

    /// True where no pivot is open, and none may be behind a record that cannot be read.
    pub fn is_at_rest(&self) -> bool {
        self.unreadable.is_empty() && self.open().next().is_none()
    }

    /// The record of a pivot.
    pub fn pivot(&self, id: &str) -> Option<&PivotRecord> {
        self.pivots.iter().map(|(record, _)| record).find(|record| record.id == id)
    }

    /// Pivots that have not come to an end here.
    pub fn open(&self) -> impl Iterator<Item = &PivotRecord> {
        self.pivots.iter().map(|(record, _)| record).filter(|record| !record.state.is_closed())
    }
}

/// Records cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The cluster does not let us, or does not answer.
    #[error("the records cannot be read: {0}")]
    Cluster(#[from] Failure),
    /// What is there cannot be understood.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

impl RecordsError {
    /// True where the cluster did not answer, so that nothing is known.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Cluster(failure) => failure.leaves_write_unknown() || failure.refusal().is_none(),
            Self::Document(_) => false,
        }
    }
}

/// Reads what a cluster remembers; a cluster that was never part of a pivot remembers nothing.
pub async fn records(cluster: &Cluster) -> Result<Records, Failure> {
    let key = ownership_key();
    let kind = well_known(&key.kind).expect("BUG: ConfigMaps are unknown");
    let listed = cluster.list(kind, &kind.storage_version, Some(NAMESPACE)).await?.items;
    let mut records = Records::default();
    for object in listed {
        if object.name() == key.name {
            match Ownership::from_object(&object) {
                Ok(ownership) => records.ownership = Some((ownership, object)),
                Err(error) => records.unreadable.push(error),
            }
        } else if object.label(RECORD_LABEL).is_some() {
            match PivotRecord::from_object(&object) {
                Ok(record) => records.pivots.push((record, object)),
                Err(error) => records.unreadable.push(error),
            }
        }
    }
    records.pivots.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    Ok(records)
}

/// The same, asked again and again until the cluster answers or `patience` is over.
pub async fn records_within(cluster: &Cluster, patience: Duration) -> Result<Records, RecordsError> {
    let end = Instant::now() + patience;
    loop {
        match records(cluster).await.map_err(RecordsError::from) {
            Err(error) if error.is_silence() && Instant::now() < end => {
                sleep(Duration::from_millis(500)).await;
            }
            answer => return answer,
        }
    }
}

/// Everything that an earlier run of a pivot left in a cluster.
pub(crate) async fn past(cluster: &Cluster, records: &Records, id: &str) -> Result<PastSide, Failure> {
    let record = records.pivots.iter().find(|(record, _)| record.id == id).cloned();
    let policy = get(cluster, &fence::policy_key(id)).await?;
    let binding = get(cluster, &fence::binding_key(id)).await?;
    let count =
        record.as_ref().and_then(|(record, _)| record.snapshot.as_ref()).map_or(0, |mark| mark.chunks);
    let mut chunks = Vec::new();
    // One more may be there than the record knows: it is written afterwards.
    for number in 0.. {
        match get(cluster, &chunk_key(id, number)).await? {
            Some(chunk) => chunks.push(chunk),
            None if number >= count => break,
            None => break,
        }
    }
    let ironic = stopped_ironic(records);
    Ok(PastSide { ownership: records.ownership.clone(), record, policy, binding, chunks, ironic })
}

/// The Ironic of a cluster as the last pivot found it that took it away from there.
pub(crate) fn stopped_ironic(records: &Records) -> Option<Stack> {
    let finished = records.pivots.iter().map(|(record, _)| record);
    let last = finished.filter(|record| record.state == State::Finished).max_by_key(|record| record.epoch)?;
    last.ironic.clone().filter(|_| last.side == Side::Source)
}

/// Reads one of our documents. A server too old for the kind has none.
async fn get(cluster: &Cluster, key: &ObjectKey) -> Result<Option<Manifest>, Failure> {
    let kind = well_known(&key.kind).expect("BUG: one of our documents is of an unknown kind");
    match cluster.get(kind, &kind.storage_version, key.namespace.as_deref(), &key.name).await {
        Err(failure) if failure.is_not_found() || failure.is_forbidden() => Ok(None),
        found => found,
    }
}
