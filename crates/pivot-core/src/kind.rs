//! Kinds: what the API servers call things, and what a pivot needs to know of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Label with which `clusterctl init` marks the CRDs that take part in a move.
pub const CLUSTERCTL_LABEL: &str = "clusterctl.cluster.x-k8s.io";
/// Label that moves an object, or all objects of a CRD, whoever owns them.
pub const MOVE_LABEL: &str = "clusterctl.cluster.x-k8s.io/move";
/// Label that moves an object and all it owns.
pub const MOVE_HIERARCHY_LABEL: &str = "clusterctl.cluster.x-k8s.io/move-hierarchy";
/// Label that names the provider a CRD or Deployment belongs to.
pub const PROVIDER_LABEL: &str = "cluster.x-k8s.io/provider";
/// Label of what belongs to a Cluster: its name.
pub const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";

/// API group and kind, without the version. Written `Kind.group`, or `Kind` for the core group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKind {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind, in the singular as in manifests.
    pub kind: String,
}

impl GroupKind {
    /// From its two parts.
    pub fn new(group: &str, kind: &str) -> Self {
        Self { group: group.to_owned(), kind: kind.to_owned() }
    }

    /// From a manifest's `apiVersion` and `kind`.
    pub fn from_api_version(api_version: &str, kind: &str) -> Self {
        Self::new(api_version.split_once('/').map_or("", |(group, _)| group), kind)
    }

    /// True for core `Secret`.
    pub fn is_secret(&self) -> bool {
        self.group.is_empty() && self.kind == "Secret"
    }

    /// True for core `Secret` and `ConfigMap`, of which only what is linked moves.
    pub fn is_secret_or_config_map(&self) -> bool {
        self.group.is_empty() && (self.kind == "Secret" || self.kind == "ConfigMap")
    }

    /// True for this group and kind.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

impl FromStr for GroupKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        if kind.is_empty() || text.ends_with('.') {
            return Err(format!("`{text}` is no kind: write `Kind.group`, or `Kind` for the core group"));
        }
        Ok(Self::new(group, kind))
    }
}

impl Serialize for GroupKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GroupKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// Cluster-scoped.
    Cluster,
}

/// What one cluster says of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct KindInfo {
    /// Group and kind.
    pub kind: GroupKind,
    /// Name in request paths.
    pub plural: String,
    /// Namespaced or not.
    pub scope: Scope,
    /// The storage version of a CRD, or the served one for built-in kinds.
    pub storage_version: String,
    /// All versions that are served.
    pub served: BTreeSet<String>,
    /// Versions whose CRD has the status subresource; status is dropped on create for these.
    pub status_subresource: BTreeSet<String>,
    /// Labels of the CRD.
    pub labels: BTreeMap<String, String>,
    /// `openAPIV3Schema` by version, to find fields that this cluster would prune.
    pub schemas: BTreeMap<String, serde_json::Value>,
}

impl KindInfo {
    /// The provider that installed the CRD (`cluster.x-k8s.io/provider`).
    pub fn provider(&self) -> Option<&str> {
        self.labels.get(PROVIDER_LABEL).map(String::as_str)
    }

    /// True where writing status at this version is a request of its own.
    pub fn has_status_subresource(&self, version: &str) -> bool {
        self.status_subresource.contains(version)
    }
}

/// The kinds of one cluster that take part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindCatalog {
    kinds: BTreeMap<GroupKind, KindInfo>,
}

impl KindCatalog {
    /// What is known of a kind.
    pub fn get(&self, kind: &GroupKind) -> Option<&KindInfo> {
        self.kinds.get(kind)
    }

    /// Adds or replaces one kind.
    pub fn insert(&mut self, info: KindInfo) {
        self.kinds.insert(info.kind.clone(), info);
    }

    /// All kinds, ordered by group and kind.
    pub fn iter(&self) -> impl Iterator<Item = &KindInfo> {
        self.kinds.values()
    }

    /// The version to read and write a kind in: one that both clusters serve, the source's storage version first
    /// (reading another one runs conversion webhooks), else the newest they share.
    pub fn shared_version(source: &KindInfo, target: &KindInfo) -> Option<String> {
        if target.served.contains(&source.storage_version) {
            return Some(source.storage_version.clone());
        }
        source.served.intersection(&target.served).max_by_key(|v| VersionPriority::of(v)).cloned()
    }
}

impl FromIterator<KindInfo> for KindCatalog {
    fn from_iter<I: IntoIterator<Item = KindInfo>>(kinds: I) -> Self {
        Self { kinds: kinds.into_iter().map(|info| (info.kind.clone(), info)).collect() }
    }
}

/// Order of API versions as Kubernetes documents it: `v2` > `v1` > `v1beta2` > `v1beta1` > `v1alpha1` > anything else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct VersionPriority(u8, u32, u32);

impl VersionPriority {
    fn of(version: &str) -> Self {
        Self::parse(version).unwrap_or(Self(0, 0, 0))
    }

    fn parse(version: &str) -> Option<Self> {
        let rest = version.strip_prefix('v')?;
        for (marker, rank) in [("alpha", 1), ("beta", 2)] {
            if let Some((major, minor)) = rest.split_once(marker) {
                return Some(Self(rank, major.parse().ok()?, minor.parse().ok()?));
            }
        }
        Some(Self(3, rest.parse().ok()?, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_as_kubernetes_orders_them() {
        let mut versions = vec!["v1alpha1", "v11", "odd", "v1beta1", "v2", "v1beta2", "v1"];
        versions.sort_by_key(|v| VersionPriority::of(v));
        assert_eq!(versions, ["odd", "v1alpha1", "v1beta1", "v1beta2", "v1", "v2", "v11"]);
    }

    #[test]
    fn group_kinds_read_back() {
        for text in ["Secret", "Cluster.cluster.x-k8s.io"] {
            assert_eq!(text.parse::<GroupKind>().unwrap().to_string(), text);
        }
        assert!("".parse::<GroupKind>().is_err());
        assert!("Cluster.".parse::<GroupKind>().is_err());
    }
}
