//! Listing everything that takes part.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::stream::{self, StreamExt, TryStreamExt};
use pivot_core::inventory::{Inventory, Object, ObjectId};
use pivot_core::kind::{GroupKind, KindInfo, Scope};
use pivot_core::link::{LinkRules, Links};
use pivot_core::object::Manifest;

use super::discovery::Discovery;
use super::{Cluster, Failure, IN_FLIGHT, Listed, ObjectMetadata};

/// How often newly listed Secrets and ConfigMaps may lead to further namespaces.
const ROUNDS: usize = 3;

/// From how many objects on it pays to look at the metadata of a list first.
const MUCH: usize = 100;

/// Where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListScope {
    /// Namespaces whose Secrets and ConfigMaps are read; `None` for all. Custom kinds are read in all namespaces either way, so
    /// that what is shared across them is seen.
    pub namespaces: Option<BTreeSet<String>>,
}

/// What [`Cluster::inventory`] found.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The objects.
    pub inventory: Inventory,
    /// Each list that was made, and where a watch of it goes on.
    pub positions: Vec<ListPosition>,
    /// Where objects may be that the user may not list.
    pub unreadable: Vec<Unreadable>,
}

/// One list that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPosition {
    /// Kind that was listed.
    pub kind: GroupKind,
    /// In this version.
    pub version: String,
    /// `None` for all namespaces, and for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// State of the cluster that the list shows.
    pub resource_version: String,
}

/// A list that was refused, but that one can go on without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Kind that may not be listed.
    pub kind: GroupKind,
    /// Namespace; `None` for all but the selected ones, in which it was listed, and for cluster-scoped kinds.
    pub namespace: Option<String>,
}

/// A list failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list {kind}{}: {source}", place(namespace.as_deref()))]
pub struct InventoryError {
    /// Kind that was listed.
    pub kind: GroupKind,
    /// Namespace; `None` for all.
    pub namespace: Option<String>,
    /// Why.
    pub source: Failure,
}

fn place(namespace: Option<&str>) -> String {
    namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"))
}

/// A list to make.
#[derive(Clone)]
struct Job<'a> {
    kind: &'a KindInfo,
    version: &'a str,
    namespace: Option<&'a str>,
    when_forbidden: WhenForbidden,
}

#[derive(Clone, Copy)]
enum WhenForbidden {
    Fail,
    ListSelected,
    GoOn,
}

/// What became of it.
enum Outcome {
    Listed(Listed<Manifest>),
    /// The server knows no such kind (any more).
    NoKind,
    Forbidden,
}

impl Cluster {
    /// Lists all kinds that take part, each consistently, in the versions given (else the storage version).
    ///
    /// Custom kinds are listed in all namespaces; where that is forbidden, in the selected ones. Secrets and ConfigMaps are listed
    /// in the selected namespaces, Secrets also where an infrastructure provider is installed, and both where an object that hangs
    /// together with a selected one names them.
    ///
    /// What is equal in `known`, an earlier inventory of the same cluster in the same versions, by uid and resourceVersion is taken
    /// from there: of a kind of which there is much the metadata is listed first, and the rest only where something changed.
    pub async fn inventory(
        &self,
        discovery: &Discovery,
        versions: &BTreeMap<GroupKind, String>,
        scope: &ListScope,
        rules: &LinkRules,
        known: Option<&Inventory>,
    ) -> Result<Listing, InventoryError> {
        let much = known.map(Much::of).unwrap_or_default();
        let infrastructure = discovery.providers.iter().filter(|provider| provider.is_infrastructure());
        let provider_namespaces: BTreeSet<&str> = infrastructure.map(|p| p.namespace.as_str()).collect();
        let version_of =
            |kind: &'_ KindInfo| versions.get(&kind.kind).unwrap_or(&kind.storage_version).clone();
        let versions: BTreeMap<&GroupKind, String> =
            discovery.catalog.iter().map(|kind| (&kind.kind, version_of(kind))).collect();
        let plan = JobPlan { discovery, versions: &versions, selected: scope.namespaces.as_ref() };

        let mut inventory = Inventory::new(&discovery.cluster_id, discovery.catalog.clone());
        inventory.provider_namespaces = provider_namespaces.iter().map(|&ns| ns.to_owned()).collect();
        let mut listing = Listing { inventory, positions: Vec::new(), unreadable: Vec::new() };

        let refused = self.run(plan.first(&provider_namespaces), &much, &mut listing).await?;
        self.run(plan.narrowed(&refused), &much, &mut listing).await?;
        if let Some(selected) = plan.selected {
            let mut known: BTreeSet<String> = selected.clone();
            for _ in 0..ROUNDS {
                let further: BTreeSet<String> = named_namespaces(rules, &listing.inventory, selected)
                    .difference(&known)
                    .cloned()
                    .collect();
                if further.is_empty() {
                    break;
                }
                self.run(plan.further(&further), &much, &mut listing).await?;
                known.extend(further);
            }
        }
        Ok(listing)
    }

    /// Makes the lists and adds what they hold, in the order of the jobs whatever order they end in. Returns the kinds to list in
    /// the selected namespaces instead.
    async fn run(
        &self,
        jobs: Vec<Job<'_>>,
        much: &Much<'_>,
        listing: &mut Listing,
    ) -> Result<Vec<GroupKind>, InventoryError> {
        let mut refused = Vec::new();
        let mut outcomes = stream::iter(jobs)
            .map(|job| async move {
                let outcome = self.run_one(&job, much).await?;
                Ok((job, outcome))
            })
            .buffered(IN_FLIGHT);
        while let Some((job, outcome)) = outcomes.try_next().await? {
            let kind = &job.kind.kind;
            match outcome {
                Outcome::NoKind => {}
                Outcome::Forbidden => {
                    let namespace = job.namespace.map(str::to_owned);
                    listing.unreadable.push(Unreadable { kind: kind.clone(), namespace });
                    if matches!(job.when_forbidden, WhenForbidden::ListSelected) {
                        refused.push(kind.clone());
                    }
                }
                Outcome::Listed(listed) => {
                    for item in listed.items {
                        listing.inventory.add(kind, item);
                    }
                    listing.positions.push(ListPosition {
                        kind: kind.clone(),
                        version: job.version.to_owned(),
                        namespace: job.namespace.map(str::to_owned),
                        resource_version: listed.resource_version,
                    });
                }
            }
        }
        Ok(refused)
    }

    /// A list, of which nothing is read that is known already.
    async fn list_anew(&self, job: &Job<'_>, much: &Much<'_>) -> Result<Listed<Manifest>, Failure> {
        let Job { kind, version, namespace, .. } = *job;
        if much.0.contains_key(&(&kind.kind, namespace)) {
            let Listed { items, resource_version } = self.list_metadata(kind, version, namespace).await?;
            if let Some(items) = much.unchanged(job, &items) {
                return Ok(Listed { items, resource_version });
            }
        }
        self.list(kind, version, namespace).await
    }

    async fn run_one(&self, job: &Job<'_>, much: &Much<'_>) -> Result<Outcome, InventoryError> {
        match self.list_anew(job, much).await {
            Ok(listed) => Ok(Outcome::Listed(listed)),
            Err(failure) if failure.is_not_found() => Ok(Outcome::NoKind),
            Err(failure) if failure.is_forbidden() && !matches!(job.when_forbidden, WhenForbidden::Fail) => {
                Ok(Outcome::Forbidden)
            }
            Err(source) => Err(InventoryError {
                kind: job.kind.kind.clone(),
                namespace: job.namespace.map(str::to_owned),
                source,
            }),
        }
    }
}

/// Of what there was much.
#[derive(Default)]
struct Much<'a>(HashMap<(&'a GroupKind, Option<&'a str>), HashMap<&'a str, &'a Object>>);

impl<'a> Much<'a> {
    fn of(known: &'a Inventory) -> Self {
        let mut lists: HashMap<_, HashMap<_, _>> = HashMap::new();
        for (_, object) in known.iter() {
            let key = &object.key;
            let namespaces = [None, key.namespace.as_deref()];
            // Cluster-scoped objects are in one list alone.
            for namespace in &namespaces[..if key.namespace.is_some() { 2 } else { 1 }] {
                lists.entry((&key.kind, *namespace)).or_default().insert(object.uid.0.as_str(), object);
            }
        }
        lists.retain(|_, objects| objects.len() >= MUCH);
        Self(lists)
    }

    /// The objects of a list, if all of them are known as they are.
    fn unchanged(&self, job: &Job<'_>, listed: &[ObjectMetadata]) -> Option<Vec<Manifest>> {
        let known = self.0.get(&(&job.kind.kind, job.namespace))?;
        let same = |item: &ObjectMetadata| {
            let object = known.get(item.uid.0.as_str())?;
            (object.manifest.resource_version() == item.resource_version).then(|| object.manifest.clone())
        };
        listed.iter().map(same).collect()
    }
}

/// Which lists to make.
struct JobPlan<'a> {
    discovery: &'a Discovery,
    versions: &'a BTreeMap<&'a GroupKind, String>,
    selected: Option<&'a BTreeSet<String>>,
}

impl<'a> JobPlan<'a> {
    fn job(&self, kind: &'a KindInfo, namespace: Option<&'a str>, when_forbidden: WhenForbidden) -> Job<'a> {
        Job { kind, version: &self.versions[&kind.kind], namespace, when_forbidden }
    }

    fn secrets_and_config_maps(&self) -> impl Iterator<Item = &'a KindInfo> + use<'a> {
        self.discovery.catalog.iter().filter(|kind| kind.kind.is_secret_or_config_map())
    }

    fn first(&self, provider_namespaces: &BTreeSet<&'a str>) -> Vec<Job<'a>> {
        let mut jobs = Vec::new();
        for kind in self.discovery.catalog.iter() {
            match self.selected {
                Some(selected) if kind.kind.is_secret_or_config_map() => {
                    jobs.extend(selected.iter().map(|ns| self.job(kind, Some(ns), WhenForbidden::Fail)));
                }
                Some(_) if kind.scope == Scope::Namespaced => {
                    jobs.push(self.job(kind, None, WhenForbidden::ListSelected));
                }
                // Cluster-scoped: who works in one namespace may not see them.
                Some(_) => jobs.push(self.job(kind, None, WhenForbidden::GoOn)),
                None => jobs.push(self.job(kind, None, WhenForbidden::Fail)),
            }
        }
        if let Some(selected) = self.selected {
            let secrets = self.secrets_and_config_maps().filter(|kind| kind.kind.is_secret());
            let elsewhere = provider_namespaces.iter().filter(|ns| !selected.contains(**ns));
            let elsewhere: Vec<_> = elsewhere.collect();
            jobs.extend(secrets.flat_map(|kind| {
                elsewhere.iter().map(move |ns| self.job(kind, Some(ns), WhenForbidden::GoOn))
            }));
        }
        jobs
    }

    /// In the selected namespaces what may not be listed in all.
    fn narrowed(&self, refused: &[GroupKind]) -> Vec<Job<'a>> {
        let kinds: Vec<_> = refused.iter().filter_map(|kind| self.discovery.catalog.get(kind)).collect();
        let namespaces = self.selected.into_iter().flatten();
        namespaces
            .flat_map(|ns| kinds.iter().map(move |kind| self.job(kind, Some(ns), WhenForbidden::Fail)))
            .collect()
    }

    fn further<'b>(&self, namespaces: &'b BTreeSet<String>) -> Vec<Job<'b>>
    where
        'a: 'b,
    {
        let jobs = namespaces.iter().flat_map(|ns| {
            self.secrets_and_config_maps()
                .map(move |kind| self.job(kind, None, WhenForbidden::GoOn))
                .map(move |job| Job { namespace: Some(ns), ..job })
        });
        jobs.collect()
    }
}

/// Namespaces in which a Secret or ConfigMap is named, but not known, by an object that hangs together with one in a selected
/// namespace. Names in the objects of other tenants are none of our business.
fn named_namespaces(
    rules: &LinkRules,
    inventory: &Inventory,
    selected: &BTreeSet<String>,
) -> BTreeSet<String> {
    let links = Links::resolve(rules, inventory);
    let reached = reached_from(&links, inventory, selected);
    let unresolved = links.unresolved.iter().filter(|name| reached[name.from.index()]);
    unresolved
        .filter(|name| name.to.kind.is_secret_or_config_map())
        .filter_map(|name| name.to.namespace.clone())
        .collect()
}

/// Marks the objects in these namespaces, what they need, and what belongs to any of them. Nothing is reached through a
/// cluster-scoped owner: all tenants may share it.
fn reached_from(links: &Links, inventory: &Inventory, selected: &BTreeSet<String>) -> Vec<bool> {
    let mut next: Vec<Vec<ObjectId>> = vec![Vec::new(); inventory.len()];
    for link in &links.links {
        next[link.dependent.index()].push(link.dependency);
        if link.role.is_ownership() && inventory.object(link.dependency).key.namespace.is_some() {
            next[link.dependency.index()].push(link.dependent);
        }
    }
    let mut reached = vec![false; inventory.len()];
    let starts = inventory.iter().filter(|(_, object)| {
        object.key.namespace.as_ref().is_some_and(|namespace| selected.contains(namespace))
    });
    let mut pending: Vec<ObjectId> = starts.map(|(id, _)| id).collect();
    while let Some(id) = pending.pop() {
        if !std::mem::replace(&mut reached[id.index()], true) {
            pending.append(&mut next[id.index()]);
        }
    }
    reached
}

#[cfg(test)]
mod tests;
