//! What the full fence takes of a cluster and of the user, and which controllers it has to do with.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};
use pivot_core::fence::{self, Controller, FenceFacts, Identity, is_stopped, provider_kinds};
use pivot_core::kind::{GroupKind, KindInfo, Scope};
use pivot_core::machine::Side;
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::plan::{Blueprint, Permission};
use pivot_core::record::FenceMode;

use super::access::denied_on;
use super::{Options, SurveyError, read_error};
use crate::cluster::discovery::Discovery;
use crate::cluster::{Cluster, Failure, ObjectMetadata, well_known};

/// In the place of a pivot's id and token while there is none.
const TRIAL: &str = "plan";

/// What PLAN has to know of one side; `None` where the full fence is not asked for.
pub(super) async fn fence_facts(
    side: Side,
    cluster: &Cluster,
    discovery: &Discovery,
    blueprint: &Blueprint,
    options: &Options,
) -> Result<Option<FenceFacts>, SurveyError> {
    if options.fence != FenceMode::Full {
        return Ok(None);
    }
    let fails = |what| read_error(side, cluster, what);
    if !serves_policies(cluster).await.map_err(fails("the kinds it serves"))? {
        return Ok(Some(FenceFacts::default()));
    }
    let (fences, (found, mut denied)) = futures::try_join!(
        async { fences(cluster).await.map_err(fails("the fences of other pivots")) },
        async { controllers(cluster).await.map_err(fails("the Deployments and Leases of controllers")) },
    )?;
    let elsewhere = match side {
        Side::Source => BTreeSet::new(),
        Side::Target => elsewhere(cluster, discovery, blueprint, &found, options)
            .await
            .map_err(fails("what its controllers act on"))?,
    };
    // One that an earlier pivot stopped in the target acts on nothing yet, whatever there is.
    let is_asleep = |c: &Controller| side == Side::Target && c.asleep.is_some() && c.replicas == 0;
    let (stopped, running): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|c| is_asleep(c) || is_stopped(blueprint, side, &c.provider, &elsewhere));
    let needed: Vec<_> =
        fence::permissions(side, &stopped).into_iter().map(|permission| (side, permission)).collect();
    denied.extend(denied_on(side, cluster, &needed).await?.into_iter().map(|(_, permission)| permission));
    let refused = try_identity(cluster, &mut denied).await.map_err(fails("who you are"))?;
    Ok(Some(FenceFacts { supported: true, denied, refused, fences, controllers: stopped, running }))
}

fn policy_kind(kind: &str) -> &'static KindInfo {
    well_known(&GroupKind::new("admissionregistration.k8s.io", kind)).expect("BUG: policies are unknown")
}

/// Everybody who is authenticated may ask what is served, so that an old server is told from a missing right.
async fn serves_policies(cluster: &Cluster) -> Result<bool, Failure> {
    let (policies, bindings) = futures::try_join!(
        cluster.serves(policy_kind(fence::POLICY)),
        cluster.serves(policy_kind(fence::BINDING)),
    )?;
    Ok(policies && bindings)
}

/// Pivots whose policy or binding is there. Who may not list them meets them as refusals.
async fn fences(cluster: &Cluster) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for kind in [fence::POLICY, fence::BINDING] {
        let kind = policy_kind(kind);
        match cluster.list(kind, &kind.storage_version, None).await {
            Ok(listed) => found.extend(listed.items.iter().filter_map(fence::pivot_of).map(str::to_owned)),
            Err(failure) if failure.is_forbidden() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// The controllers with their leases, and what must be granted to see all of them.
pub(crate) async fn controllers(cluster: &Cluster) -> Result<(Vec<Controller>, Vec<Permission>), Failure> {
    let (deployments, mut denied) = list_or_denied(cluster, "apps", "Deployment", None).await?;
    let managers = fence::controllers(&deployments, &[]);
    let namespaces: BTreeSet<&str> =
        managers.iter().filter_map(|manager| manager.deployment.namespace.as_deref()).collect();
    let mut leases = Vec::new();
    for namespace in namespaces {
        let (found, missing) =
            list_or_denied(cluster, "coordination.k8s.io", "Lease", Some(namespace)).await?;
        leases.extend(found);
        denied.extend(missing);
    }
    Ok((fence::controllers(&deployments, &leases), denied))
}

async fn list_or_denied(
    cluster: &Cluster,
    group: &str,
    kind: &str,
    namespace: Option<&str>,
) -> Result<(Vec<Manifest>, Vec<Permission>), Failure> {
    let info = well_known(&GroupKind::new(group, kind)).expect("BUG: a kind of controllers is unknown");
    match cluster.list(info, &info.storage_version, namespace).await {
        Ok(listed) => Ok((listed.items, Vec::new())),
        Err(failure) if failure.is_forbidden() => {
            let permission = Permission {
                verb: "list".to_owned(),
                group: group.to_owned(),
                resource: info.plural.clone(),
                subresource: None,
                name: None,
                namespace: namespace.map(str::to_owned),
            };
            Ok((Vec::new(), vec![permission]))
        }
        Err(failure) => Err(failure),
    }
}

/// True where a cluster has such an object of a kind in any namespace, or may have: the user may not look.
pub(crate) async fn may_hold(
    cluster: &Cluster,
    kind: &KindInfo,
    such: impl Fn(&ObjectMetadata) -> bool,
) -> Result<bool, Failure> {
    match cluster.list_metadata(kind, &kind.storage_version, None).await {
        Ok(listed) => Ok(listed.items.iter().any(such)),
        Err(failure) if failure.is_forbidden() => Ok(true),
        Err(failure) if failure.is_not_found() => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Kinds of controllers of which the target has objects in namespaces that PLAN did not list, or may have.
async fn elsewhere(
    cluster: &Cluster,
    discovery: &Discovery,
    blueprint: &Blueprint,
    controllers: &[Controller],
    options: &Options,
) -> Result<BTreeSet<GroupKind>, Failure> {
    if blueprint.extent().namespaces.is_none() {
        return Ok(BTreeSet::new());
    }
    let staged: BTreeSet<&ObjectKey> = blueprint.staged_objects().map(|(_, object)| &object.key).collect();
    let providers: BTreeSet<&str> = controllers.iter().map(|c| c.provider.as_str()).collect();
    let kinds = providers.iter().flat_map(|provider| provider_kinds(&discovery.catalog, provider));
    let infos: Vec<&KindInfo> = kinds.filter(|info| info.scope == Scope::Namespaced).collect();
    stream::iter(infos)
        .map(|info| {
            let staged = &staged;
            async move {
                let is_foreign = |item: &ObjectMetadata| {
                    let key = ObjectKey::new(info.kind.clone(), item.namespace.as_deref(), &item.name);
                    !staged.contains(&key)
                };
                Ok(may_hold(cluster, info, is_foreign).await?.then(|| info.kind.clone()))
            }
        })
        .buffered(options.concurrency.clamp(1, 16))
        .try_filter_map(|kind| async move { Ok(kind) })
        .try_collect()
        .await
}

/// Asks the server under the identity of the tool who that is: no list of rights is as good as the try. Returns its words where
/// it refuses and every right is there.
async fn try_identity(cluster: &Cluster, denied: &mut Vec<Permission>) -> Result<Option<String>, Failure> {
    let me = cluster.whoami().await?;
    let identity = Identity::new(&me.user, &me.groups, TRIAL, TRIAL);
    let failure = match cluster.with_identity(&identity) {
        Err(failure) => failure,
        Ok(tool) => match tool.whoami().await {
            Ok(seen) if seen.identity.is_some() && seen.user == me.user => return Ok(None),
            Ok(_) => return Ok(Some("what was asked for did not reach the API server".to_owned())),
            Err(failure) if failure.is_forbidden() => failure,
            Err(failure) => return Err(failure),
        },
    };
    let missing = cluster.denied(identity.permissions()).await?;
    let refused = missing.is_empty().then(|| failure.to_string());
    denied.extend(missing);
    Ok(refused)
}
