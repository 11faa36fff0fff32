//! What PLAN has to know of the two clusters before it decides.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fence::FenceFacts;
use crate::inventory::Inventory;
use crate::object::{Manifest, ObjectKey, Uid};

/// A provider as the clusterctl inventory records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// `providerName`, for example `metal3`.
    pub name: String,
    /// `type`, for example `InfrastructureProvider`.
    pub kind: String,
    /// `version`, for example `v1.7.0`.
    pub version: String,
    /// Namespace it is installed in.
    pub namespace: String,
}

impl Provider {
    /// True for infrastructure providers, whose namespace may hold identities as Secrets.
    pub fn is_infrastructure(&self) -> bool {
        self.kind == "InfrastructureProvider"
    }
}

/// An object of a kind that takes no part, seen by its metadata alone because it has owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The object.
    pub key: ObjectKey,
    /// Uids of its owners.
    pub owners: Vec<Uid>,
}

/// Room that a ResourceQuota leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaRoom {
    /// Namespace.
    pub namespace: String,
    /// Name of the ResourceQuota.
    pub quota: String,
    /// What it counts: `count/machines.cluster.x-k8s.io`, `secrets`.
    pub resource: String,
    /// Limit.
    pub hard: i64,
    /// Used so far.
    pub used: i64,
}

/// Something the user must be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// Kubernetes verb: `get`, `list`, `create`, …
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Plural of the kind.
    pub resource: String,
    /// Such as `status`.
    pub subresource: Option<String>,
    /// Name of the one object; `None` for all.
    pub name: Option<String>,
    /// `None` for all namespaces, and for cluster-scoped kinds.
    pub namespace: Option<String>,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(subresource) = &self.subresource {
            write!(f, "/{subresource}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

/// What binds a cluster to an earlier pivot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It takes part in this pivot, which is not finished.
    OpenPivot(String),
    /// It holds a record that cannot be read; the words say why.
    Unreadable(String),
}

/// The source.
#[derive(Clone, Debug, Default)]
pub struct SourceFacts {
    /// Name for people.
    pub name: String,
    /// Objects of the kinds that take part.
    pub inventory: Inventory,
    /// Namespaces by name.
    pub namespaces: BTreeMap<String, Manifest>,
    /// Installed providers.
    pub providers: Vec<Provider>,
    /// Objects of other kinds that have owners.
    pub strays: Vec<Stray>,
    /// Kinds that could be listed in the selected namespaces only.
    pub limited: Vec<String>,
    /// Another pivot that it takes part in.
    pub claim: Option<Claim>,
    /// What the full fence takes; absent where it is not asked for.
    pub fence: Option<FenceFacts>,
}

/// The target.
#[derive(Clone, Debug, Default)]
pub struct TargetFacts {
    /// Name for people.
    pub name: String,
    /// Objects of the source's kinds that are there already.
    pub inventory: Inventory,
    /// Namespaces by name.
    pub namespaces: BTreeMap<String, Manifest>,
    /// Installed providers.
    pub providers: Vec<Provider>,
    /// Room that quotas leave.
    pub quotas: Vec<QuotaRoom>,
    /// Another pivot that it takes part in.
    pub claim: Option<Claim>,
    /// What the full fence takes; absent where it is not asked for.
    pub fence: Option<FenceFacts>,
}
