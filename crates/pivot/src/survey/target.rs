//! What the target holds and has room for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use pivot_core::inventory::Inventory;
use pivot_core::kind::{GroupKind, KindInfo, Scope};
use pivot_core::machine::{Extent, Side};
use pivot_core::object::Manifest;
use pivot_core::plan::{Blueprint, QuotaRoom, TargetFacts};
use serde_json::Value;

use super::fence::fence_facts;
use super::{Options, Survey, SurveyError, claim, read_error};
use crate::cluster::discovery::{Discovery, core_kind};
use crate::cluster::inventory::InventoryError;
use crate::cluster::{Cluster, Failure};

/// Looks at the target.
pub(super) async fn see_target(
    cluster: &Cluster,
    discovery: &Discovery,
    blueprint: &mut Blueprint,
    options: &Options,
) -> Result<(), SurveyError> {
    let facts = target_facts(cluster, discovery, blueprint, options).await?;
    blueprint.target = Some(Arc::new(facts));
    let fence = fence_facts(Side::Target, cluster, discovery, blueprint, options).await?;
    if let Some(facts) = &mut blueprint.target {
        Arc::make_mut(facts).fence = fence;
    }
    Ok(())
}

/// What PLAN has to know of the target.
pub(super) async fn target_facts(
    cluster: &Cluster,
    discovery: &Discovery,
    blueprint: &Blueprint,
    options: &Options,
) -> Result<TargetFacts, SurveyError> {
    let extent = blueprint.extent();
    let staged = blueprint.staged_namespaces();
    let namespaces = match &discovery.namespaces {
        Some(namespaces) => namespaces.clone(),
        None => look_up_namespaces(cluster, &staged).await.map_err(read_error(
            Side::Target,
            cluster,
            "the namespaces",
        ))?,
    };
    let known: Vec<&str> = staged.iter().copied().filter(|name| namespaces.contains_key(*name)).collect();
    let (inventory, quotas, claim) = futures::try_join!(
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
        claim(Side::Target, cluster, options),
    )?;
    Ok(TargetFacts {
        name: cluster.name().to_owned(),
        inventory,
        namespaces,
        providers: discovery.providers.clone(),
        quotas,
        claim,
        fence: None,
    })
}

/// Everything of the kinds that take part in the selected namespaces of the target (all where none are selected).
pub(super) async fn list_target(
    target: &Cluster,
    survey: &Survey,
    options: &Options,
) -> Result<Inventory, SurveyError> {
    let Some(discovery) = &survey.target else { return Ok(Inventory::default()) };
    let staged = survey.blueprint.staged_namespaces();
    let namespaces = options.request.namespaces.as_ref().map(|selected| {
        selected.iter().cloned().chain(staged.into_iter().map(str::to_owned)).collect::<BTreeSet<_>>()
    });
    let extent =
        Extent { kinds: discovery.catalog.iter().map(|info| info.kind.clone()).collect(), namespaces };
    let listed =
        list_extent(target, discovery, &survey.blueprint.versions, &extent, options.concurrency).await;
    listed.map_err(|error| SurveyError::Inventory {
        side: Side::Target,
        name: target.name().to_owned(),
        error,
    })
}

/// For users who may not list namespaces. One that cannot be read is taken to exist: creating it would be refused anyway.
async fn look_up_namespaces(
    cluster: &Cluster,
    names: &BTreeSet<&str>,
) -> Result<BTreeMap<String, Manifest>, Failure> {
    let kind = namespace_kind();
    let mut found = BTreeMap::new();
    for &name in names {
        match cluster.get(&kind, "v1", None, name).await {
            Ok(Some(namespace)) => drop(found.insert(name.to_owned(), namespace)),
            Ok(None) => {}
            Err(failure) if failure.is_forbidden() => {
                drop(found.insert(name.to_owned(), Manifest::new(Value::Null)));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

fn namespace_kind() -> KindInfo {
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
            Scope::Namespaced => match &extent.namespaces {
                Some(names) => lists.extend(names.iter().map(|ns| (info, version, Some(ns.as_str())))),
                None => lists.push((info, version, None)),
            },
        }
    }
    lists
}

async fn quotas(cluster: &Cluster, namespaces: &[&str]) -> Result<Vec<QuotaRoom>, Failure> {
    let mut rooms = Vec::new();
    for &namespace in namespaces {
        let quotas = match cluster.quotas(namespace).await {
            Ok(quotas) => quotas,
            Err(failure) if failure.is_forbidden() => continue,
            Err(failure) => return Err(failure),
        };
        for quota in quotas {
            rooms.extend(quota.hard.iter().map(|(resource, &hard)| QuotaRoom {
                namespace: namespace.to_owned(),
                quota: quota.name.clone(),
                resource: resource.clone(),
                hard: i64::try_from(hard).unwrap_or(i64::MAX),
                used: quota.used.get(resource).map_or(0, |&used| i64::try_from(used).unwrap_or(i64::MAX)),
            }));
        }
    }
    Ok(rooms)
}
