//! Objects seen by their metadata alone.

use futures::stream::{self, StreamExt, TryStreamExt};
use pivot_core::kind::{GroupKind, KindInfo};
use pivot_core::machine::Seen;
use pivot_core::object::ObjectKey;

use super::{Cluster, Failure, well_known};

/// What pods are told by.
const PODS: [(&str, &str); 2] = [("", "Pod"), ("apps", "ReplicaSet")];

impl Cluster {
    /// Lists kinds, each in a version and in one namespace or in all. A kind that is not served, or cannot be listed, has no objects.
    pub(crate) async fn glance(
        &self,
        lists: Vec<(&KindInfo, &str, Option<&str>)>,
        concurrency: usize,
    ) -> Result<Vec<Seen>, Failure> {
        let seen: Vec<Vec<Seen>> = stream::iter(lists)
            .map(|(kind, version, namespace)| async move {
                let listed = match self.list_metadata(kind, version, namespace).await {
                    Ok(listed) => listed.items,
                    Err(failure) if failure.is_not_found() || failure.status() == Some(405) => Vec::new(),
                    Err(failure) => return Err(failure),
                };
                Ok(listed
                    .into_iter()
                    .map(|item| Seen {
                        key: ObjectKey::new(kind.kind.clone(), item.namespace.as_deref(), &item.name),
                        uid: item.uid,
                        resource_version: item.resource_version,
                        owners: item.owner_references.into_iter().map(|owner| owner.uid).collect(),
                        terminating: item.deletion_timestamp.is_some(),
                    })
                    .collect())
            })
            .buffered(concurrency.clamp(1, 16))
            .try_collect()
            .await?;
        Ok(seen.into_iter().flatten().collect())
    }

    /// The pods of a namespace, and the ReplicaSets that they belong to.
    pub(crate) async fn glance_at_pods(&self, namespace: &str) -> Result<Vec<Seen>, Failure> {
        let lists = PODS.map(|(group, kind)| {
            let info = well_known(&GroupKind::new(group, kind)).expect("BUG: pods are unknown");
            (info, info.storage_version.as_str(), Some(namespace))
        });
        self.glance(lists.into(), PODS.len()).await
    }
}
