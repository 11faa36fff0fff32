//! `CustomResourceDefinition`s: what discovery does not tell of a custom kind.

use std::collections::{BTreeMap, BTreeSet};

use pivot_core::kind::{GroupKind, KindInfo, Scope};
use serde::Deserialize;
use serde_json::Value;

/// A CRD, as far as it matters.
#[derive(Debug, Deserialize)]
pub(super) struct Crd {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Spec {
    group: String,
    names: Names,
    scope: String,
    versions: Vec<Version>,
}

#[derive(Debug, Deserialize)]
struct Names {
    kind: String,
    plural: String,
}

#[derive(Debug, Deserialize)]
struct Version {
    name: String,
    #[serde(default)]
    served: bool,
    #[serde(default)]
    storage: bool,
    #[serde(default)]
    subresources: Subresources,
    #[serde(default)]
    schema: Schema,
}

#[derive(Debug, Default, Deserialize)]
struct Subresources {
    /// An empty object where it is there.
    status: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    #[serde(rename = "openAPIV3Schema")]
    open_api_v3_schema: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

impl Crd {
    pub(super) fn kind(&self) -> GroupKind {
        GroupKind::new(&self.spec.group, &self.spec.names.kind)
    }

    pub(super) fn has_label(&self, label: &str) -> bool {
        self.metadata.labels.contains_key(label)
    }

    /// True once the API server serves it.
    pub(super) fn is_established(&self) -> bool {
        self.status.conditions.iter().any(|c| c.r#type == "Established" && c.status == "True")
    }

    pub(super) fn into_info(self) -> KindInfo {
        let kind = self.kind();
        let Spec { names, scope, versions, .. } = self.spec;
        let mut info = KindInfo {
            kind,
            plural: names.plural,
            scope: if scope == "Cluster" { Scope::Cluster } else { Scope::Namespaced },
            storage_version: String::new(),
            served: versions.iter().filter(|v| v.served).map(|v| v.name.clone()).collect(),
            status_subresource: BTreeSet::new(),
            labels: self.metadata.labels,
            schemas: BTreeMap::new(),
        };
        for version in versions {
            if version.storage {
                info.storage_version.clone_from(&version.name);
            }
            if version.subresources.status.is_some() {
                info.status_subresource.insert(version.name.clone());
            }
            if let Some(schema) = version.schema.open_api_v3_schema {
                info.schemas.insert(version.name, schema);
            }
        }
        info
    }
}
