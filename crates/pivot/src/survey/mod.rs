//! PLAN: look at both clusters and decide, without a single write.

mod access;
mod claim;
mod directory;
mod fence;
mod ironic;
mod look;
mod snapshot;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use pivot_core::check::Finding;
use pivot_core::inventory::Inventory;
use pivot_core::ironic::HandOver;
use pivot_core::kind::{GroupKind, KindInfo, PROVIDER_LABEL};
use pivot_core::link::LinkRules;
use pivot_core::machine::Side;
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::plan::{Blueprint, PlanReport, SourceFacts, Stray};
use pivot_core::record::FenceMode;
use pivot_core::select::Request;
use serde_json::Value;

use crate::cluster::discovery::{Discovery, DiscoveryError, core_kind};
use crate::cluster::inventory::{InventoryError, ListPosition, ListScope, Listing};
use crate::cluster::{Cluster, Failure};

use self::access::denied;
use self::claim::claim;
pub(crate) use self::directory::{DirectoryRefused, DirectorySurvey, survey_directory};
use self::fence::fence_facts;
pub(crate) use self::fence::{controllers, may_hold};
pub use self::ironic::{IronicWish, Wish};
pub(crate) use self::look::Look;
pub(crate) use self::snapshot::{survey_nothing, survey_snapshot};
pub(crate) use self::target::{extent_lists, list_extent};
use self::target::{see_target, target_facts};

/// What to survey, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the user asked for.
    pub request: Request,
    /// Link rules.
    pub rules: LinkRules,
    /// Limit of every wait for controllers.
    pub wait: Duration,
    /// Requests to one cluster that may be in flight at the same time.
    pub concurrency: usize,
    /// How others are to be kept from acting.
    pub fence: FenceMode,
    /// The pivot that is taken up again, if one is: what it left is no obstacle to itself.
    pub pivot: Option<String>,
    /// Where Ironic is. Whoever takes a pivot up does not look for it again: the records say where it is.
    pub ironic: IronicWish,
}

/// Both clusters as they were found, and what follows from that.
#[derive(Debug)]
pub struct Survey {
    pub(crate) blueprint: Blueprint,
    pub(crate) source: Arc<Discovery>,
    pub(crate) target: Option<Arc<Discovery>>,
    pub(crate) positions: Vec<ListPosition>,
    pub(crate) live_providers: BTreeSet<String>,
    report: PlanReport,
}

/// PLAN could not look at a cluster.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// What a cluster is and serves.
    #[error("{name} (the {side}): {error}")]
    Discovery {
        /// Which side.
        side: Side,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: DiscoveryError,
    },
    /// What a cluster holds.
    #[error("{name} (the {side}): {error}")]
    Inventory {
        /// Which side.
        side: Side,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: InventoryError,
    },
    /// Something else that PLAN asks for.
    #[error("{name} (the {side}): cannot read {what}: {error}")]
    Read {
        /// Which side.
        side: Side,
        /// Its name.
        name: String,
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        error: Failure,
    },
}

impl SurveyError {
    /// The side that could not be looked at.
    pub fn side(&self) -> Side {
        match self {
            Self::Discovery { side, .. } | Self::Inventory { side, .. } | Self::Read { side, .. } => *side,
        }
    }

    /// What went wrong with the request.
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Discovery { error, .. } => &error.source,
            Self::Inventory { error, .. } => &error.source,
            Self::Read { error, .. } => error,
        }
    }
}

impl Survey {
    /// The plan for people and files.
    pub fn report(&self) -> &PlanReport {
        &self.report
    }

    /// What is done with Ironic; `None` where it is left alone.
    pub fn hand_over(&self) -> Option<HandOver> {
        self.blueprint.hand_over()
    }

    /// What was decided.
    pub fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }
}

/// Surveys the source, and the target where there is one. Writes nothing.
pub async fn survey(
    source: &Cluster,
    target: Option<&Cluster>,
    options: &Options,
) -> Result<Survey, SurveyError> {
    let (here, there) = futures::try_join!(discover(Side::Source, source, &options.rules), async {
        match target {
            Some(cluster) => discover(Side::Target, cluster, &options.rules).await.map(Some),
            None => Ok(None),
        }
    })?;
    let versions = Blueprint::versions(&here.catalog, there.as_ref().map(|there| &there.catalog));
    let (listing, strays, live_providers, claim) = futures::try_join!(
        list_source(source, &here, &versions, options, None),
        strays(source, &here, options),
        live_providers(source),
        claim(Side::Source, source, options),
    )?;
    let Listing { inventory, positions, unreadable } = listing;
    let facts = SourceFacts {
        name: source.name().to_owned(),
        inventory,
        namespaces: here.namespaces.clone().unwrap_or_default(),
        providers: here.providers.clone(),
        strays,
        limited: unreadable.iter().filter(|u| u.namespace.is_none()).map(|u| u.kind.to_string()).collect(),
        claim,
        fence: None,
    };
    let mut blueprint =
        Blueprint::new(facts, None, Arc::new(options.rules.clone()), options.request.clone(), versions);
    blueprint.pivot.clone_from(&options.pivot);
    blueprint.source.fence = fence_facts(Side::Source, source, &here, &blueprint, options).await?;
    if let (Some(cluster), Some(there)) = (target, &there) {
        see_target(cluster, there, &mut blueprint, options).await?;
    }
    let (denied, seen) = futures::join!(
        denied(source, target, &blueprint),
        Box::pin(ironic::see((source, &here), target, &blueprint, options))
    );
    let denied = denied?;
    blueprint.ironic = seen.map(Arc::new);
    let findings: Vec<Finding> = blueprint.findings(&denied);
    let report = blueprint.report(env!("CARGO_PKG_VERSION"), findings);
    Ok(Survey { blueprint, source: here, target: there, positions, live_providers, report })
}

pub(crate) async fn discover(
    side: Side,
    cluster: &Cluster,
    rules: &LinkRules,
) -> Result<Arc<Discovery>, SurveyError> {
    let discovery = cluster.discover(rules).await;
    discovery.map(Arc::new).map_err(|error| SurveyError::Discovery {
        side,
        name: cluster.name().to_owned(),
        error,
    })
}

pub(crate) async fn list_source(
    source: &Cluster,
    discovery: &Discovery,
    versions: &BTreeMap<GroupKind, String>,
    options: &Options,
    known: Option<&Inventory>,
) -> Result<Listing, SurveyError> {
    let scope = ListScope { namespaces: options.request.namespaces.clone() };
    let listing = source.inventory(discovery, versions, &scope, &options.rules, known).await;
    listing.map_err(|error| SurveyError::Inventory {
        side: Side::Source,
        name: source.name().to_owned(),
        error,
    })
}

pub(crate) fn read_error(
    side: Side,
    cluster: &Cluster,
    what: &'static str,
) -> impl FnOnce(Failure) -> SurveyError {
    let name = cluster.name().to_owned();
    move |error| SurveyError::Read { side, name, what, error }
}

/// Objects of kinds that take no part but have owners: the garbage collector would follow those that leave.
async fn strays(
    source: &Cluster,
    discovery: &Discovery,
    options: &Options,
) -> Result<Vec<Stray>, SurveyError> {
    let namespaces: Vec<Option<&str>> = match &options.request.namespaces {
        Some(names) => names.iter().map(|name| Some(name.as_str())).collect(),
        None => vec![None],
    };
    let lists =
        discovery.other.iter().flat_map(|kind| namespaces.iter().map(move |namespace| (kind, *namespace)));
    let found: Vec<Vec<Stray>> = stream::iter(lists)
        .map(|(kind, namespace)| async move {
            match source.list_metadata(kind, &kind.storage_version, namespace).await {
                Ok(listed) => Ok(listed
                    .items
                    .into_iter()
                    .filter(|item| !item.owner_references.is_empty())
                    .map(|item| Stray {
                        key: ObjectKey::new(kind.kind.clone(), item.namespace.as_deref(), &item.name),
                        owners: item.owner_references.into_iter().map(|owner| owner.uid).collect(),
                    })
                    .collect()),
                // What one may not see one cannot ask about; the permissions that matter are checked by themselves.
                Err(failure)
                    if failure.is_forbidden() || failure.is_not_found() || failure.status() == Some(405) =>
                {
                    Ok(Vec::new())
                }
                Err(failure) => Err(failure),
            }
        })
        .buffered(options.concurrency.clamp(1, 16))
        .try_collect()
        .await
        .map_err(read_error(Side::Source, source, "what belongs to the objects"))?;
    Ok(found.into_iter().flatten().collect())
}

/// Providers with a Deployment that has a ready replica: their controllers will answer a pause.
async fn live_providers(source: &Cluster) -> Result<BTreeSet<String>, SurveyError> {
    let deployments =
        KindInfo { kind: GroupKind::new("apps", "Deployment"), ..core_kind("Deployment", "deployments") };
    let listed = match source.list(&deployments, "v1", None).await {
        Ok(listed) => listed.items,
        Err(failure) if failure.is_forbidden() || failure.is_not_found() => return Ok(BTreeSet::new()),
        Err(failure) => return Err(read_error(Side::Source, source, "the Deployments")(failure)),
    };
    let is_ready =
        |d: &&Manifest| d.pointer("/status/readyReplicas").and_then(Value::as_i64).is_some_and(|n| n > 0);
    Ok(listed.iter().filter(is_ready).filter_map(|d| d.label(PROVIDER_LABEL)).map(str::to_owned).collect())
}
