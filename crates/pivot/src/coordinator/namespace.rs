//! The namespace of the records: made by whoever comes first, removed by who made it once nothing is left in it.

use futures::stream::{self, StreamExt, TryStreamExt};
use pivot_core::kind::{KindInfo, Scope};
use pivot_core::machine::{Op, Outcome, RefusalClass};
use pivot_core::marks;
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::record::{NAMESPACE, namespace_key};
use pivot_core::rewrite::OWN_MANAGER;
use serde_json::json;

use super::lease;
use crate::cluster::discovery::{Discovery, core_kind};
use crate::cluster::{Cluster, Failure, read_failure};

/// What controllers of Kubernetes put into every namespace.
const IN_EVERY_NAMESPACE: [(&str, &str); 2] =
    [("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")];
/// Lists at the same time.
const LISTS: usize = 16;

/// How the namespace stands.
pub(super) enum State {
    /// Made just now, by us or another.
    Made,
    /// It was there.
    There,
    /// It is being deleted.
    Leaving,
    /// No answer that says anything.
    Silent(String),
    /// We may not make it.
    Refused(String),
}

fn kind() -> KindInfo {
    KindInfo { scope: Scope::Cluster, ..core_kind("Namespace", "namespaces") }
}

async fn read(cluster: &Cluster) -> Result<Option<Manifest>, Failure> {
    cluster.get(&kind(), "v1", None, NAMESPACE).await
}

/// The pivot for which the namespace was made; `None` where there is none, or others made it.
pub(super) async fn made_for(cluster: &Cluster) -> Option<String> {
    let found = read(cluster).await.ok()??;
    found.annotation(marks::PIVOT_ID).filter(|_| !found.is_terminating()).map(str::to_owned)
}

/// Makes the namespace where there is none.
pub(super) async fn ensure(cluster: &Cluster, pivot: &str) -> State {
    match read(cluster).await {
        Ok(Some(found)) if found.is_terminating() => return State::Leaving,
        Ok(Some(_)) => return State::There,
        Ok(None) => {}
        Err(failure) => return of_failure(read_failure(&failure)),
    }
    let body = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "annotations": {marks::PIVOT_ID: pivot}}});
    let op = Op::Create { body, manager: OWN_MANAGER.to_owned() };
    match cluster.write(&kind(), "v1", &namespace_key(), &op).await {
        Outcome::Written(_) | Outcome::Refused { class: RefusalClass::Exists, .. } => State::Made,
        other => of_failure(other),
    }
}

fn of_failure(outcome: Outcome) -> State {
    match outcome {
        Outcome::Refused { class: RefusalClass::Busy, message, .. } | Outcome::Unknown(message) => {
            State::Silent(message)
        }
        Outcome::Refused { message, .. } => State::Refused(message),
        other => State::Silent(format!("an answer of another form: {other:?}")),
    }
}

/// Removes the namespace if this pivot made it and nothing is in it but our Lease. The error says why it stays.
pub(super) async fn remove(cluster: &Cluster, discovery: &Discovery, pivot: &str) -> Result<(), String> {
    let found = match read(cluster).await.map_err(|failure| failure.to_string())? {
        Some(found) if marks::is_ours(&found, pivot) && !found.is_terminating() => found,
        _ => return Ok(()),
    };
    // Deleting a namespace deletes everything in it.
    if let Some(occupant) = occupant(cluster, discovery).await? {
        return Err(format!("{occupant} is in it"));
    }
    let op = Op::Delete { uid: found.uid(), resource_version: Some(found.resource_version().to_owned()) };
    match cluster.write(&kind(), "v1", &namespace_key(), &op).await {
        Outcome::Removed
        | Outcome::Terminating(_)
        | Outcome::Refused { class: RefusalClass::NotFound, .. } => Ok(()),
        Outcome::Refused { message, .. } => Err(message),
        Outcome::Unknown(reason) => match read(cluster).await {
            Ok(Some(still)) if !still.is_terminating() => Err(reason),
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.to_string()),
        },
        other => Err(format!("an answer of another form: {other:?}")),
    }
}

/// Something in the namespace that is neither our Lease nor in every namespace.
async fn occupant(cluster: &Cluster, discovery: &Discovery) -> Result<Option<ObjectKey>, String> {
    if let Some(group) = discovery.unavailable.first() {
        return Err(format!("what is in it cannot be seen: {group} is not served for now"));
    }
    // Discovery leaves out what comes and goes by itself; a Lease here belongs to a coordinator.
    let leases = lease::kind();
    let mut kinds: Vec<_> = discovery.catalog.iter().chain(&discovery.other).chain([&leases]).collect();
    kinds.retain(|kind| kind.scope == Scope::Namespaced);
    let lists: Vec<_> = kinds.into_iter().map(|kind| occupants(cluster, kind)).collect();
    let found: Vec<Vec<ObjectKey>> = stream::iter(lists).buffered(LISTS).try_collect().await?;
    let own = lease::key();
    let strange = |key: &ObjectKey| {
        let of_every_namespace = key.kind.group.is_empty()
            && IN_EVERY_NAMESPACE.contains(&(key.kind.kind.as_str(), key.name.as_str()));
        !of_every_namespace && *key != own
    };
    Ok(found.into_iter().flatten().find(strange))
}

async fn occupants(cluster: &Cluster, kind: &KindInfo) -> Result<Vec<ObjectKey>, String> {
    match cluster.list_metadata(kind, &kind.storage_version, Some(NAMESPACE)).await {
        Ok(listed) => {
            let key = |name: &str| ObjectKey::new(kind.kind.clone(), Some(NAMESPACE), name);
            Ok(listed.items.iter().map(|item| key(&item.name)).collect())
        }
        Err(failure) if failure.is_not_found() || failure.status() == Some(405) => Ok(Vec::new()),
        Err(failure) => Err(format!("what is in it cannot be seen: {failure}")),
    }
}
