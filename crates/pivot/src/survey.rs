//! PLAN: look at both clusters and decide, without a single write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use pivot_core::check::Finding;
use pivot_core::inventory::Inventory;
use pivot_core::kind::{GroupKind, KindInfo, PROVIDER_LABEL, Scope};
use pivot_core::link::LinkRules;
use pivot_core::machine::{Extent, Side};
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::plan::{
    Blueprint, Permission, PlanReport, Provider, QuotaRoom, SourceFacts, Stray, TargetFacts,
};
use pivot_core::select::Request;
use serde_json::Value;

use crate::cluster::discovery::{Discovery, DiscoveryError, core_kind};
use crate::cluster::inventory::{InventoryError, ListPosition, ListScope, Listing};
use crate::cluster::{self, Cluster, Failure};

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
}

impl Survey {
    /// The plan for people and files.
    pub fn report(&self) -> &PlanReport {
        &self.report
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
    let (listing, strays, live_providers) = futures::try_join!(
        list_source(source, &here, &versions, options),
        strays(source, &here, options),
        live_providers(source),
    )?;
    let Listing { inventory, positions, unreadable } = listing;
    let facts = SourceFacts {
        name: source.name().to_owned(),
        inventory,
        namespaces: here.namespaces.clone().unwrap_or_default(),
        providers: here.providers.iter().map(provider).collect(),
        strays,
        limited: unreadable.iter().filter(|u| u.namespace.is_none()).map(|u| u.kind.to_string()).collect(),
    };
    let mut blueprint =
        Blueprint::new(facts, None, Arc::new(options.rules.clone()), options.request.clone(), versions);
    if let (Some(cluster), Some(there)) = (target, &there) {
        blueprint.target = Some(Arc::new(target_facts(cluster, there, &blueprint, options).await?));
    }
    let denied = denied(source, target, &blueprint).await?;
    let findings: Vec<Finding> = blueprint.findings(&denied);
    let report = blueprint.report(env!("CARGO_PKG_VERSION"), findings);
    Ok(Survey { blueprint, source: here, target: there, positions, live_providers, report })
}

async fn discover(side: Side, cluster: &Cluster, rules: &LinkRules) -> Result<Arc<Discovery>, SurveyError> {
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
) -> Result<Listing, SurveyError> {
    let scope = ListScope { namespaces: options.request.namespaces.clone() };
    let listing = source.inventory(discovery, versions, &scope, &options.rules).await;
    listing.map_err(|error| SurveyError::Inventory {
        side: Side::Source,
        name: source.name().to_owned(),
        error,
    })
}

fn provider(found: &cluster::discovery::Provider) -> Provider {
    Provider {
        name: found.name.clone(),
        kind: found.kind.clone(),
        version: found.version.clone(),
        namespace: found.namespace.clone(),
    }
}

fn read_error(side: Side, cluster: &Cluster, what: &'static str) -> impl FnOnce(Failure) -> SurveyError {
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

async fn target_facts(
    cluster: &Cluster,
    discovery: &Discovery,
    blueprint: &Blueprint,
    options: &Options,
) -> Result<TargetFacts, SurveyError> {
    let extent = Extent {
        kinds: blueprint.staged_kinds().into_iter().cloned().collect(),
        namespaces: blueprint.staged_namespaces().into_iter().map(str::to_owned).collect(),
    };
    let namespaces = match &discovery.namespaces {
        Some(namespaces) => namespaces.clone(),
        None => look_up_namespaces(cluster, &extent.namespaces).await.map_err(read_error(
            Side::Target,
            cluster,
            "the namespaces",
        ))?,
    };
    let known: Vec<&String> =
        extent.namespaces.iter().filter(|name| namespaces.contains_key(*name)).collect();
    let (inventory, quotas) = futures::try_join!(
        async {
            let listed =
                list_extent(cluster, discovery, &blueprint.versions, &extent, options.concurrency).await;
            listed.map_err(|error| SurveyError::Inventory {
                side: Side::Target,
                name: cluster.name().to_owned(),
                error,
            })
        },
        async {
            quotas(cluster, &known).await.map_err(read_error(Side::Target, cluster, "the ResourceQuotas"))
        },
    )?;
    Ok(TargetFacts {
        name: cluster.name().to_owned(),
        inventory,
        namespaces,
        providers: discovery.providers.iter().map(provider).collect(),
        quotas,
    })
}

/// For users who may not list namespaces. One that cannot be read is taken to exist: creating it would be refused anyway.
async fn look_up_namespaces(
    cluster: &Cluster,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Manifest>, Failure> {
    let kind = namespace_kind();
    let mut found = BTreeMap::new();
    for name in names {
        match cluster.get(&kind, "v1", None, name).await {
            Ok(Some(namespace)) => drop(found.insert(name.clone(), namespace)),
            Ok(None) => {}
            Err(failure) if failure.is_forbidden() => {
                drop(found.insert(name.clone(), Manifest::new(Value::Null)));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

pub(crate) fn namespace_kind() -> KindInfo {
    KindInfo { scope: Scope::Cluster, ..core_kind("Namespace", "namespaces") }
}

/// Lists some kinds: namespaced ones in each of the namespaces, cluster-scoped ones whole. A kind that the cluster does not
/// serve is left out.
pub(crate) async fn list_extent(
    cluster: &Cluster,
    discovery: &Discovery,
    versions: &BTreeMap<GroupKind, String>,
    extent: &Extent,
    concurrency: usize,
) -> Result<Inventory, InventoryError> {
    let lists: Vec<(GroupKind, Vec<Manifest>)> = stream::iter(extent_lists(discovery, versions, extent))
        .map(|(kind, version, namespace)| async move {
            match cluster.list(kind, version, namespace).await {
                Ok(listed) => Ok((kind.kind.clone(), listed.items)),
                Err(failure) if failure.is_not_found() => Ok((kind.kind.clone(), Vec::new())),
                Err(source) => Err(InventoryError {
                    kind: kind.kind.clone(),
                    namespace: namespace.map(str::to_owned),
                    source,
                }),
            }
        })
        .buffered(concurrency.clamp(1, 16))
        .try_collect()
        .await?;
    let mut inventory = Inventory::new(&discovery.cluster_id, discovery.catalog.clone());
    for (kind, items) in lists {
        for item in items {
            inventory.add(&kind, item);
        }
    }
    Ok(inventory)
}

/// One list each: kind, version, namespace.
pub(crate) fn extent_lists<'a>(
    discovery: &'a Discovery,
    versions: &'a BTreeMap<GroupKind, String>,
    extent: &'a Extent,
) -> Vec<(&'a KindInfo, &'a str, Option<&'a str>)> {
    let mut lists = Vec::new();
    for kind in &extent.kinds {
        let Some(info) = discovery.catalog.get(kind) else { continue };
        let version = versions.get(kind).map_or(info.storage_version.as_str(), String::as_str);
        match info.scope {
            Scope::Cluster => lists.push((info, version, None)),
            Scope::Namespaced => {
                lists.extend(extent.namespaces.iter().map(|ns| (info, version, Some(ns.as_str()))));
            }
        }
    }
    lists
}

async fn quotas(cluster: &Cluster, namespaces: &[&String]) -> Result<Vec<QuotaRoom>, Failure> {
    let mut rooms = Vec::new();
    for &namespace in namespaces {
        let quotas = match cluster.quotas(namespace).await {
            Ok(quotas) => quotas,
            Err(failure) if failure.is_forbidden() => continue,
            Err(failure) => return Err(failure),
        };
        for quota in quotas {
            rooms.extend(quota.hard.iter().map(|(resource, &hard)| QuotaRoom {
                namespace: namespace.clone(),
                quota: quota.name.clone(),
                resource: resource.clone(),
                hard: i64::try_from(hard).unwrap_or(i64::MAX),
                used: quota.used.get(resource).map_or(0, |&used| i64::try_from(used).unwrap_or(i64::MAX)),
            }));
        }
    }
    Ok(rooms)
}

/// What of the blueprint's permissions is missing. Who may do everything is asked once.
async fn denied(
    source: &Cluster,
    target: Option<&Cluster>,
    blueprint: &Blueprint,
) -> Result<Vec<(Side, Permission)>, SurveyError> {
    let needed = blueprint.permissions();
    let (here, there) = futures::try_join!(denied_on(Side::Source, source, &needed), async {
        match target {
            Some(cluster) => denied_on(Side::Target, cluster, &needed).await,
            None => Ok(Vec::new()),
        }
    })?;
    Ok(here.into_iter().chain(there).collect())
}

async fn denied_on(
    side: Side,
    cluster: &Cluster,
    needed: &[(Side, Permission)],
) -> Result<Vec<(Side, Permission)>, SurveyError> {
    let everything = cluster::Permission {
        verb: "*".to_owned(),
        group: "*".to_owned(),
        resource: "*".to_owned(),
        subresource: None,
        namespace: None,
    };
    let ask = |permissions: Vec<cluster::Permission>| async {
        cluster.denied(permissions).await.map_err(read_error(side, cluster, "what you may do"))
    };
    if ask(vec![everything]).await?.is_empty() {
        return Ok(Vec::new());
    }
    let questions = needed.iter().filter(|(on, _)| *on == side).map(|(_, permission)| {
        let (resource, subresource) = match permission.resource.split_once('/') {
            Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
            None => (permission.resource.clone(), None),
        };
        cluster::Permission {
            verb: permission.verb.clone(),
            group: permission.group.clone(),
            resource,
            subresource,
            namespace: permission.namespace.clone(),
        }
    });
    let denied = ask(questions.collect()).await?;
    Ok(denied
        .into_iter()
        .map(|p| {
            let resource = match p.subresource {
                Some(subresource) => format!("{}/{subresource}", p.resource),
                None => p.resource,
            };
            (side, Permission { verb: p.verb, group: p.group, resource, namespace: p.namespace })
        })
        .collect())
}
