//! Performing one effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use pivot_core::fence::Identity;
use pivot_core::inventory::{Inventory, Object};
use pivot_core::ironic::{HandOver, IronicJob};
use pivot_core::kind::{GroupKind, KindInfo, Scope};
use pivot_core::machine::{Act, Effect, EffectId, Extent, Onlooker, Outcome, RefusalClass, Seen, Side};
use pivot_core::object::ObjectKey;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

use super::story::Story;
use super::watches::{Sighting, Watches};
use crate::cluster::discovery::Discovery;
use crate::cluster::inventory::ListPosition;
use crate::cluster::{CanaryOutcome, Cluster, Failure, read_failure, well_known};
use crate::ironic::Station;
use crate::survey::{self, Options, SurveyError, extent_lists, list_extent};

/// Where the objects come from.
pub(crate) enum Source {
    /// A cluster, what it serves and which lists were made of it.
    Cluster { cluster: Cluster, discovery: Arc<Discovery>, positions: Vec<ListPosition> },
    /// Files that were read: nothing in them changes, and there is nothing to write to.
    Directory(Inventory),
    /// Nothing: it cannot be reached, or is attested dead. Nothing is asked of it.
    Gone,
}

/// Where the objects go, and what it serves.
pub(crate) struct Target {
    pub(crate) cluster: Cluster,
    pub(crate) discovery: Arc<Discovery>,
}

/// As whom the pivot writes to one side, so that its own fence lets it pass.
#[derive(Clone, Debug)]
pub(crate) struct Guise {
    pub(crate) identity: Identity,
    /// The cluster, asked under this identity.
    pub(crate) cluster: Cluster,
}

/// Both sides and what is known of them.
pub(crate) struct Sides {
    pub(crate) source: Source,
    /// Nothing where a rollback has to do without it.
    pub(crate) target: Option<Target>,
    pub(crate) pivot_id: String,
    /// What is about to be written, and what came of it.
    pub(crate) story: Story,
    /// Nothing where the fence is the pause alone.
    pub(crate) guises: BTreeMap<Side, Guise>,
    pub(crate) versions: BTreeMap<GroupKind, String>,
    /// Where Ironic is on both sides; nothing where it is left alone.
    pub(crate) hand_over: Option<HandOver>,
    pub(crate) options: Options,
}

pub(super) struct Performer {
    sides: Sides,
    watches: Mutex<Watches>,
    /// Lists of the latest inventory: where watches begin.
    positions: Mutex<Vec<ListPosition>>,
}

impl Performer {
    pub(super) fn new(mut sides: Sides) -> (Self, mpsc::UnboundedReceiver<Sighting>) {
        let (watches, sightings) = Watches::new();
        let positions = match &mut sides.source {
            Source::Cluster { positions, .. } => std::mem::take(positions),
            Source::Directory(_) | Source::Gone => Vec::new(),
        };
        let performer = Self { sides, watches: Mutex::new(watches), positions: Mutex::new(positions) };
        (performer, sightings)
    }

    /// Ends what runs beside the loop.
    pub(super) async fn stop(&self) {
        self.watches.lock().await.stop().await;
    }

    pub(super) fn story(&self) -> &Story {
        &self.sides.story
    }

    pub(super) async fn perform(&self, effect: Effect) -> (EffectId, Outcome) {
        sleep(effect.delay).await;
        (effect.id, self.outcome(effect.act).await)
    }

    async fn outcome(&self, act: Act) -> Outcome {
        match act {
            Act::Write(write) => match self.kind(write.side, &write.key) {
                Some((cluster, kind, version)) => {
                    let cluster = self.guise(write.side).map_or(cluster, |guise| &guise.cluster);
                    let intent = self.sides.story.intent(&write).await;
                    let outcome = cluster.write(kind, version, &write.key, &write.op).await;
                    self.sides.story.outcome(intent, &outcome);
                    outcome
                }
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
            Act::Inventory { known } => self.inventory(&known).await,
            Act::ListTarget(extent) => self.list_target(&extent).await,
            Act::Glance { side, extent } => self.glance(side, &extent).await,
            Act::Occupants(namespace) => self.occupants(&namespace).await,
            Act::Pods { side, namespace } => self.pods(side, &namespace).await,
            Act::Watch => self.watch().await,
            Act::Unwatch => {
                self.watches.lock().await.stop().await;
                Outcome::Watching
            }
            Act::Ironic { side, job } => self.ironic(side, job).await,
            Act::Canary { side, onlooker } => self.canary(side, &onlooker).await,
        }
    }

    async fn list_target(&self, extent: &Extent) -> Outcome {
        let Some(Target { cluster, discovery }) = &self.sides.target else {
            return no_such_side(Side::Target);
        };
        let (versions, concurrency) = (&self.sides.versions, self.sides.options.concurrency);
        match list_extent(cluster, discovery, versions, extent, concurrency).await {
            Ok(inventory) => Outcome::Inventory(Box::new(inventory)),
            Err(error) => read_failure(&error.source),
        }
    }

    /// Something to be done with a side's Ironic. Its Deployments are written under the pivot's own identity.
    async fn ironic(&self, side: Side, job: IronicJob) -> Outcome {
        let Some(hand_over) = &self.sides.hand_over else { return no_such_side(side) };
        let place = match side {
            Side::Source => &hand_over.source,
            Side::Target => &hand_over.target,
        };
        let station = Station {
            place,
            cluster: self.guise(side).map(|guise| &guise.cluster).or_else(|| self.cluster(side)),
            endpoint: hand_over.endpoint,
            wait: self.sides.options.wait,
        };
        match Box::pin(station.perform(job)).await {
            Ok(done) => Outcome::Ironic(Box::new(done)),
            Err(error) => Outcome::Refused {
                class: if error.is_passing() { RefusalClass::Busy } else { RefusalClass::Denied },
                message: error.to_string(),
                retry_after: None,
            },
        }
    }

    /// A write that is only tried.
    async fn canary(&self, side: Side, onlooker: &Onlooker) -> Outcome {
        let Some(cluster) = self.cluster(side) else { return no_such_side(side) };
        let tried = match (onlooker, self.guise(side)) {
            (Onlooker::Anybody, _) | (_, None) => Ok(cluster.clone()),
            (Onlooker::Ourselves, Some(guise)) => Ok(guise.cluster.clone()),
            (Onlooker::Former(token), Some(guise)) => {
                cluster.with_identity(&Identity { token: token.clone(), ..guise.identity.clone() })
            }
        };
        match tried {
            Ok(cluster) => match cluster.canary(&self.sides.pivot_id).await {
                // Another pivot's fence does not prove ours.
                CanaryOutcome::Denied { pivot_id } => {
                    Outcome::Canary { denied: pivot_id == self.sides.pivot_id }
                }
                CanaryOutcome::Admitted => Outcome::Canary { denied: false },
                CanaryOutcome::Failed(failure) => read_failure(&failure),
            },
            Err(failure) => read_failure(&failure),
        }
    }

    fn guise(&self, side: Side) -> Option<&Guise> {
        self.sides.guises.get(&side)
    }

    fn cluster(&self, side: Side) -> Option<&Cluster> {
        match (side, &self.sides.source) {
            (Side::Target, _) => self.sides.target.as_ref().map(|target| &target.cluster),
            (Side::Source, Source::Cluster { cluster, .. }) => Some(cluster),
            (Side::Source, Source::Directory(_) | Source::Gone) => None,
        }
    }

    async fn inventory(&self, known: &Inventory) -> Outcome {
        let Sides { source, versions, options, .. } = &self.sides;
        let (cluster, discovery) = match source {
            Source::Cluster { cluster, discovery, .. } => (cluster, discovery),
            Source::Directory(files) => return Outcome::Inventory(Box::new(files.clone())),
            Source::Gone => return no_such_side(Side::Source),
        };
        match survey::list_source(cluster, discovery, versions, options, Some(known)).await {
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
            (Side::Source, Source::Gone) => no_such_side(side),
            (Side::Source, Source::Directory(files)) => {
                Outcome::Glance(files.iter().map(|(_, object)| seen(object)).collect())
            }
            (Side::Source, Source::Cluster { cluster, discovery, .. }) => {
                self.glance_at(cluster, extent_lists(discovery, &self.sides.versions, extent)).await
            }
            (Side::Target, _) => {
                let Some(Target { cluster, discovery }) = &self.sides.target else {
                    return no_such_side(side);
                };
                self.glance_at(cluster, extent_lists(discovery, &self.sides.versions, extent)).await
            }
        }
    }

    /// The pods of a namespace, and what they belong to.
    async fn pods(&self, side: Side, namespace: &str) -> Outcome {
        let Some(cluster) = self.cluster(side) else { return no_such_side(side) };
        glanced(cluster.glance_at_pods(namespace).await)
    }

    async fn watch(&self) -> Outcome {
        let Source::Cluster { cluster, discovery, .. } = &self.sides.source else { return Outcome::Watching };
        let positions = self.positions.lock().await.clone();
        let started = self.watches.lock().await.start(cluster, discovery, positions).await;
        started.map_or_else(|failure| read_failure(&failure), |()| Outcome::Watching)
    }

    /// Also kinds that take no part: whoever deletes a namespace deletes them all.
    async fn occupants(&self, namespace: &str) -> Outcome {
        let Some(Target { cluster, discovery }) = &self.sides.target else {
            return no_such_side(Side::Target);
        };
        let kinds = discovery.catalog.iter().chain(&discovery.other);
        let lists = kinds
            .filter(|kind| kind.scope == Scope::Namespaced)
            .map(|kind| (kind, kind.storage_version.as_str(), Some(namespace)));
        self.glance_at(cluster, lists.collect()).await
    }

    async fn glance_at(&self, cluster: &Cluster, lists: Vec<(&KindInfo, &str, Option<&str>)>) -> Outcome {
        glanced(cluster.glance(lists, self.sides.options.concurrency).await)
    }

    /// Where and how an object is written; `None` where its kind is not served.
    fn kind(&self, side: Side, key: &ObjectKey) -> Option<(&Cluster, &KindInfo, &str)> {
        let cluster = self.cluster(side)?;
        let discovery = match (side, &self.sides.source) {
            (Side::Source, Source::Cluster { discovery, .. }) => discovery,
            _ => &self.sides.target.as_ref()?.discovery,
        };
        match discovery.catalog.get(&key.kind) {
            Some(info) => {
                let version = self.sides.versions.get(&key.kind).unwrap_or(&info.storage_version);
                Some((cluster, info, version))
            }
            None => well_known(&key.kind).map(|info| (cluster, info, info.storage_version.as_str())),
        }
    }
}

fn glanced(seen: Result<Vec<Seen>, Failure>) -> Outcome {
    seen.map_or_else(|failure| read_failure(&failure), Outcome::Glance)
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
        class: RefusalClass::NotFound,
        message: format!("the kind of {key} is not served"),
        retry_after: None,
    }
}

/// The machine asks nothing of a side that it was told to do without.
fn no_such_side(side: Side) -> Outcome {
    Outcome::Refused {
        class: RefusalClass::Denied,
        message: format!("BUG: the {side} is not there to be asked"),
        retry_after: None,
    }
}
