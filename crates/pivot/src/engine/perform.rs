//! Performing one effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use pivot_core::kind::{GroupKind, KindInfo, Scope};
use pivot_core::machine::{Act, Effect, EffectId, Extent, Outcome, Seen, Side};
use pivot_core::object::ObjectKey;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

use super::watches::{Sighting, Watches};
use crate::cluster::discovery::Discovery;
use crate::cluster::inventory::ListPosition;
use crate::cluster::{Cluster, read_failure};
use crate::store::LocalRecords;
use crate::survey::{self, Options, SurveyError, extent_lists, list_extent, namespace_kind};

/// Both clusters and what is known of them.
pub(crate) struct Sides {
    pub(crate) source: Cluster,
    pub(crate) target: Cluster,
    pub(crate) source_discovery: Arc<Discovery>,
    pub(crate) target_discovery: Arc<Discovery>,
    pub(crate) versions: BTreeMap<GroupKind, String>,
    pub(crate) positions: Vec<ListPosition>,
    pub(crate) options: Options,
}

pub(super) struct Performer {
    sides: Sides,
    namespaces: KindInfo,
    watches: Mutex<Watches>,
    records: Mutex<LocalRecords>,
    /// Lists of the latest inventory: where watches begin.
    positions: Mutex<Vec<ListPosition>>,
}

impl Performer {
    pub(super) fn new(mut sides: Sides) -> (Self, mpsc::UnboundedReceiver<Sighting>) {
        let (watches, sightings) = Watches::new();
        let positions = std::mem::take(&mut sides.positions);
        let performer = Self {
            sides,
            namespaces: namespace_kind(),
            watches: Mutex::new(watches),
            records: Mutex::default(),
            positions: Mutex::new(positions),
        };
        (performer, sightings)
    }

    /// Ends what runs beside the loop.
    pub(super) async fn stop(&self) {
        self.watches.lock().await.stop().await;
    }

    pub(super) async fn perform(&self, effect: Effect) -> (EffectId, Outcome) {
        sleep(effect.delay).await;
        (effect.id, self.outcome(effect.act).await)
    }

    async fn outcome(&self, act: Act) -> Outcome {
        match act {
            Act::Write(write) => match self.kind(write.side, &write.key) {
                Some((kind, version)) => {
                    self.cluster(write.side).write(kind, version, &write.key, &write.op).await
                }
                None => unknown_kind(&write.key),
            },
            Act::Read { side, key } => match self.kind(side, &key) {
                Some((kind, version)) => {
                    let found =
                        self.cluster(side).get(kind, version, key.namespace.as_deref(), &key.name).await;
                    found.map_or_else(
                        |failure| read_failure(&failure),
                        |found| Outcome::Read(found.map(Box::new)),
                    )
                }
                None => unknown_kind(&key),
            },
            Act::Inventory => self.inventory().await,
            Act::ListTarget(extent) => {
                let (versions, concurrency) = (&self.sides.versions, self.sides.options.concurrency);
                match list_extent(
                    &self.sides.target,
                    &self.sides.target_discovery,
                    versions,
                    &extent,
                    concurrency,
                )
                .await
                {
                    Ok(inventory) => Outcome::Inventory(Box::new(inventory)),
                    Err(error) => read_failure(&error.source),
                }
            }
            Act::Glance { side, extent } => self.glance(side, &extent).await,
            Act::Occupants(namespace) => self.occupants(&namespace).await,
            Act::Watch(_) => {
                let positions = self.positions.lock().await.clone();
                let started = self
                    .watches
                    .lock()
                    .await
                    .start(&self.sides.source, &self.sides.source_discovery, positions)
                    .await;
                started.map_or_else(|failure| read_failure(&failure), |()| Outcome::Watching)
            }
            Act::Unwatch => {
                self.watches.lock().await.stop().await;
                Outcome::Watching
            }
            Act::Record { side, state } => {
                self.records.lock().await.write(side, state);
                Outcome::Recorded
            }
        }
    }

    async fn inventory(&self) -> Outcome {
        let Sides { source, source_discovery, versions, options, .. } = &self.sides;
        match survey::list_source(source, source_discovery, versions, options).await {
            Ok(listing) => {
                *self.positions.lock().await = listing.positions;
                Outcome::Inventory(Box::new(listing.inventory))
            }
            Err(SurveyError::Inventory { error, .. }) => read_failure(&error.source),
            Err(SurveyError::Discovery { error, .. }) => read_failure(&error.source),
            Err(SurveyError::Read { error, .. }) => read_failure(&error),
        }
    }

    async fn glance(&self, side: Side, extent: &Extent) -> Outcome {
        self.glance_at(side, extent_lists(self.discovery(side), &self.sides.versions, extent)).await
    }

    /// Also kinds that take no part: whoever deletes a namespace deletes them all.
    async fn occupants(&self, namespace: &str) -> Outcome {
        let discovery = self.discovery(Side::Target);
        let kinds = discovery.catalog.iter().chain(&discovery.other);
        let lists = kinds
            .filter(|kind| kind.scope == Scope::Namespaced)
            .map(|kind| (kind, kind.storage_version.as_str(), Some(namespace)));
        self.glance_at(Side::Target, lists.collect()).await
    }

    async fn glance_at(&self, side: Side, lists: Vec<(&KindInfo, &str, Option<&str>)>) -> Outcome {
        let cluster = self.cluster(side);
        let seen: Result<Vec<Vec<Seen>>, _> = stream::iter(lists)
            .map(|(kind, version, namespace)| async move {
                let listed = match cluster.list_metadata(kind, version, namespace).await {
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
                        terminating: item.deletion_timestamp.is_some(),
                    })
                    .collect())
            })
            .buffered(self.sides.options.concurrency.clamp(1, 16))
            .try_collect()
            .await;
        seen.map_or_else(
            |failure| read_failure(&failure),
            |seen| Outcome::Glance(seen.into_iter().flatten().collect()),
        )
    }

    fn cluster(&self, side: Side) -> &Cluster {
        match side {
            Side::Source => &self.sides.source,
            Side::Target => &self.sides.target,
        }
    }

    fn discovery(&self, side: Side) -> &Discovery {
        match side {
            Side::Source => &self.sides.source_discovery,
            Side::Target => &self.sides.target_discovery,
        }
    }

    fn kind(&self, side: Side, key: &ObjectKey) -> Option<(&KindInfo, &str)> {
        if key.kind == self.namespaces.kind {
            return Some((&self.namespaces, "v1"));
        }
        let info = self.discovery(side).catalog.get(&key.kind)?;
        let version =
            self.sides.versions.get(&key.kind).map_or(info.storage_version.as_str(), String::as_str);
        Some((info, version))
    }
}

/// PLAN finds kinds that a side does not know; one can only vanish afterwards.
fn unknown_kind(key: &ObjectKey) -> Outcome {
    Outcome::Refused {
        class: pivot_core::machine::RefusalClass::NotFound,
        message: format!("the kind of {key} is not served"),
        retry_after: None,
    }
}
