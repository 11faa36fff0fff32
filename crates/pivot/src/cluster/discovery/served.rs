//! The kinds an API server serves, by its discovery documents.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use futures::try_join;
use pivot_core::kind::{GroupKind, KindInfo, Scope};
use serde::Deserialize;
use serde_json::Value;

use super::super::{Cluster, Failure, IN_FLIGHT, RawRequest};

/// Asks for everything in one document (Kubernetes 1.26 and later); older servers answer with plain JSON.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// A kind as discovery shows it.
#[derive(Clone, Debug)]
pub(super) struct ServedKind {
    pub(super) kind: GroupKind,
    pub(super) plural: String,
    pub(super) scope: Scope,
    /// In the server's order of preference.
    pub(super) versions: Vec<String>,
    pub(super) status: BTreeSet<String>,
    pub(super) listable: bool,
}

impl ServedKind {
    /// True where objects of a kind that takes no part may still hang on others by owner references. Kinds that mirror
    /// others, or come and go by themselves, are nobody's property.
    pub(super) fn may_hold_dependents(&self) -> bool {
        let mirrors_others = self.kind.group.ends_with("metrics.k8s.io")
            || self.kind.kind.ends_with("Review")
            || matches!(self.kind.kind.as_str(), "Event" | "Lease" | "Endpoints" | "EndpointSlice");
        self.listable && self.scope == Scope::Namespaced && !mirrors_others
    }

    /// All that is known of a kind without a CRD.
    pub(super) fn into_info(self) -> KindInfo {
        KindInfo {
            kind: self.kind,
            plural: self.plural,
            scope: self.scope,
            storage_version: self.versions.first().cloned().unwrap_or_default(),
            served: self.versions.into_iter().collect(),
            status_subresource: self.status,
            labels: BTreeMap::new(),
            schemas: BTreeMap::new(),
        }
    }
}

/// All served kinds.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) kinds: BTreeMap<GroupKind, ServedKind>,
    /// Groups, or group versions, that an extension server should answer for and does not.
    pub(super) unavailable: Vec<String>,
}

impl Served {
    fn add(&mut self, version: &str, resource: &Resource) {
        let kind = GroupKind::new(&resource.group, &resource.kind);
        let entry = self.kinds.entry(kind.clone()).or_insert_with(|| ServedKind {
            kind,
            plural: resource.plural.clone(),
            scope: resource.scope,
            versions: Vec::new(),
            status: BTreeSet::new(),
            listable: false,
        });
        // Kinds of requests, such as `Scale`, come as further resources of another plural.
        if entry.plural != resource.plural {
            return;
        }
        if !entry.versions.iter().any(|known| known == version) {
            entry.versions.push(version.to_owned());
        }
        entry.listable |= resource.listable;
        if resource.status {
            entry.status.insert(version.to_owned());
        }
    }
}

struct Resource {
    group: String,
    kind: String,
    plural: String,
    scope: Scope,
    listable: bool,
    status: bool,
}

// --- aggregated documents ---

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupDiscovery {
    #[serde(default)]
    metadata: GroupMetadata,
    #[serde(default)]
    versions: Vec<VersionDiscovery>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupMetadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct VersionDiscovery {
    version: String,
    resources: Vec<ResourceDiscovery>,
    freshness: String,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct ResourceDiscovery {
    resource: String,
    response_kind: Option<ResponseKind>,
    scope: String,
    verbs: Vec<String>,
    subresources: Vec<SubresourceDiscovery>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct ResponseKind {
    kind: String,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct SubresourceDiscovery {
    subresource: String,
}

// --- one document a group version ---

#[derive(Deserialize)]
struct GroupList {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: String,
}

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<ListedResource>,
}

#[derive(Deserialize)]
struct ListedResource {
    name: String,
    kind: String,
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
}

fn scope(namespaced: bool) -> Scope {
    if namespaced { Scope::Namespaced } else { Scope::Cluster }
}

impl Cluster {
    /// Two requests where the server speaks aggregated discovery, one more for each group version where it does not.
    pub(super) async fn served(&self) -> Result<Served, Failure> {
        let ask = |path| self.read::<Value>(RawRequest::get(path).accept(AGGREGATED));
        let (core, groups) = try_join!(ask("/api"), ask("/apis"))?;
        if [&core, &groups].iter().all(|document| document["kind"] == "APIGroupDiscoveryList") {
            let mut served = Served::default();
            for document in [core, groups] {
                read_aggregated(document, &mut served)?;
            }
            return Ok(served);
        }
        self.served_one_by_one(groups).await
    }

    async fn served_one_by_one(&self, groups: Value) -> Result<Served, Failure> {
        let groups: GroupList = decode(groups)?;
        let versions = groups.groups.into_iter().flat_map(|group| group.versions);
        let paths = std::iter::once(("v1".to_owned(), "/api/v1".to_owned())).chain(versions.map(|v| {
            let path = format!("/apis/{}", v.group_version);
            (v.group_version, path)
        }));
        let mut answers = stream::iter(paths)
            .map(|(group_version, path)| async move {
                (group_version, self.read::<ResourceList>(RawRequest::get(path)).await)
            })
            .buffered(IN_FLIGHT);
        let mut served = Served::default();
        while let Some((group_version, answer)) = answers.next().await {
            match answer {
                Ok(list) => read_list(&group_version, list, &mut served),
                Err(failure) if failure.refusal().is_some_and(|r| r.status == 404 || r.status >= 500) => {
                    served.unavailable.push(group_version);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(served)
    }
}

fn read_aggregated(mut document: Value, served: &mut Served) -> Result<(), Failure> {
    let groups: Option<Vec<GroupDiscovery>> = decode(document["items"].take())?;
    for group in groups.unwrap_or_default() {
        let name = group.metadata.name;
        for version in group.versions {
            if version.freshness == "Stale" {
                served.unavailable.push(format!("{name}/{}", version.version));
            }
            for resource in version.resources {
                let found = Resource {
                    group: name.clone(),
                    kind: resource.response_kind.unwrap_or_default().kind,
                    plural: resource.resource,
                    scope: scope(resource.scope == "Namespaced"),
                    listable: resource.verbs.iter().any(|verb| verb == "list"),
                    status: resource.subresources.iter().any(|sub| sub.subresource == "status"),
                };
                served.add(&version.version, &found);
            }
        }
    }
    Ok(())
}

fn read_list(group_version: &str, list: ResourceList, served: &mut Served) {
    let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
    let with_status: BTreeSet<String> =
        list.resources.iter().filter_map(|r| r.name.strip_suffix("/status").map(str::to_owned)).collect();
    for resource in list.resources.into_iter().filter(|resource| !resource.name.contains('/')) {
        let found = Resource {
            group: group.to_owned(),
            kind: resource.kind,
            scope: scope(resource.namespaced),
            listable: resource.verbs.iter().any(|verb| verb == "list"),
            status: with_status.contains(&resource.name),
            plural: resource.name,
        };
        served.add(version, &found);
    }
}

fn decode<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::undecodable("the discovery document", &error))
}
