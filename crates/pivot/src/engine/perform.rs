//! Performing one effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use pivot_core::inventory::{Inventory, Object};
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

/// Where the objects come from.
pub(crate) enum Source {
    /// A cluster, what it serves and which lists were made of it.
    Cluster { cluster: Cluster, discovery: Arc<Discovery>, positions: Vec<ListPosition> },
    /// Files that were read: nothing in them changes, and there is nothing to write to.
    Directory(Inventory),
}

/// Both sides and what is known of them.
pub(crate) struct Sides {
    pub(crate) source: Source,
    pub(crate) target: Cluster,
    pub(crate) target_discovery: Arc<Discovery>,
    pub(crate) versions: BTreeMap<GroupKind, String>,
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
        let positions = match &mut sides.source {
            Source::Cluster { positions, .. } => std::mem::take(positions),
            Source::Directory(_) => Vec::new(),
        };
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
                Some((cluster, kind, version)) => cluster.write(kind, version, &write.key, &write.op).await,
                None => unknown_kind(&write.key),
            },
            Act::Read { side, key } => match self.kind(side, &key) {
                Some((cluster, kind, version)) => {
                    let found = cluster.get(kind, version, key.namespace.as_deref(), &key.name).await;
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
            Act::Watch(_) => self.watch().await,
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
        let Sides { source, versions, options, .. } = &self.sides;
        let (cluster, discovery) = match source {
            Source::Cluster { cluster, discovery, .. } => (cluster, discovery),
            Source::Directory(files) => return Outcome::Inventory(Box::new(files.clone())),
        };
        match survey::list_source(cluster, discovery, versions, options).await {
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
        match (side, &self.sides.source) {
            (Side::Source, Source::Directory(files)) => {
                Outcome::Glance(files.iter().map(|(_, object)| seen(object)).collect())
            }
            (Side::Source, Source::Cluster { cluster, discovery, .. }) => {
                self.glance_at(cluster, extent_lists(discovery, &self.sides.versions, extent)).await
            }
            (Side::Target, _) => {
                let discovery = &self.sides.target_discovery;
                self.glance_at(&self.sides.target, extent_lists(discovery, &self.sides.versions, extent))
                    .await
            }
        }
    }

    async fn watch(&self) -> Outcome {
        let Source::Cluster { cluster, discovery, .. } = &self.sides.source else { return Outcome::Watching };
        let positions = self.positions.lock().await.clone();
        let started = self.watches.lock().await.start(cluster, discovery, positions).await;
        started.map_or_else(|failure| read_failure(&failure), |()| Outcome::Watching)
    }

    /// Also kinds that take no part: whoever deletes a namespace deletes them all.
    async fn occupants(&self, namespace: &str) -> Outcome {
        let discovery = &self.sides.target_discovery;
        let kinds = discovery.catalog.iter().chain(&discovery.other);
        let lists = kinds
            .filter(|kind| kind.scope == Scope::Namespaced)
            .map(|kind| (kind, kind.storage_version.as_str(), Some(namespace)));
        self.glance_at(&self.sides.target, lists.collect()).await
    }

    async fn glance_at(&self, cluster: &Cluster, lists: Vec<(&KindInfo, &str, Option<&str>)>) -> Outcome {
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
                        owners: item.owner_references.into_iter().map(|owner| owner.uid).collect(),
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

    /// Where and how an object is written; `None` where its kind is not served.
    fn kind(&self, side: Side, key: &ObjectKey) -> Option<(&Cluster, &KindInfo, &str)> {
        let (cluster, discovery) = match (side, &self.sides.source) {
            (Side::Target, _) => (&self.sides.target, &self.sides.target_discovery),
            (Side::Source, Source::Cluster { cluster, discovery, .. }) => (cluster, discovery),
            (Side::Source, Source::Directory(_)) => return None,
        };
        if key.kind == self.namespaces.kind {
            return Some((cluster, &self.namespaces, "v1"));
        }
        let info = discovery.catalog.get(&key.kind)?;
        let version =
            self.sides.versions.get(&key.kind).map_or(info.storage_version.as_str(), String::as_str);
        Some((cluster, info, version))
    }
}

fn seen(object: &Object) -> Seen {
    Seen {
        key: object.key.clone(),
        uid: object.uid.clone(),
        resource_version: object.manifest.resource_version().to_owned(),
        owners: object.manifest.owner_references().into_iter().map(|owner| owner.uid).collect(),
        terminating: object.manifest.is_terminating(),
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
