//! Custom kinds: what a test declares, and the CustomResourceDefinition that says the same.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Where the objects of a kind live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In namespaces.
    Namespaced,
    /// In the cluster.
    Cluster,
}

/// A custom kind in few words; [`manifest`](Self::manifest) makes a CustomResourceDefinition of it.
#[derive(Debug, Clone)]
pub struct CrdSpec {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name in paths.
    pub plural: String,
    /// The served versions.
    pub versions: Vec<String>,
    /// The version objects are stored in.
    pub storage: String,
    /// Where its objects live.
    pub scope: Scope,
    /// True if status is a subresource.
    pub status_subresource: bool,
    /// Labels of the CustomResourceDefinition, such as `clusterctl.cluster.x-k8s.io/move`.
    pub labels: BTreeMap<String, String>,
    /// The OpenAPI v3 schema of every version; without one every field is kept.
    pub schema: Option<Value>,
}

impl CrdSpec {
    /// A namespaced kind with one version and a status subresource. Its plural is the kind in lower case with an `s`.
    pub fn new(group: &str, kind: &str, version: &str) -> Self {
        Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
            plural: format!("{}s", kind.to_lowercase()),
            versions: vec![version.to_owned()],
            storage: version.to_owned(),
            scope: Scope::Namespaced,
            status_subresource: true,
            labels: BTreeMap::new(),
            schema: None,
        }
    }

    /// Sets the name in paths.
    #[must_use]
    pub fn plural(mut self, plural: &str) -> Self {
        plural.clone_into(&mut self.plural);
        self
    }

    /// Serves one more version, which is not the storage version.
    #[must_use]
    pub fn also_served_as(mut self, version: &str) -> Self {
        self.versions.push(version.to_owned());
        self
    }

    /// Makes the kind cluster-scoped.
    #[must_use]
    pub fn cluster_scoped(mut self) -> Self {
        self.scope = Scope::Cluster;
        self
    }

    /// Makes status an ordinary field.
    #[must_use]
    pub fn without_status_subresource(mut self) -> Self {
        self.status_subresource = false;
        self
    }

    /// Adds a label to the CustomResourceDefinition.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets the OpenAPI v3 schema.
    #[must_use]
    pub fn schema(mut self, schema: Value) -> Self {
        self.schema = Some(schema);
        self
    }

    /// The CustomResourceDefinition.
    pub fn manifest(&self) -> Value {
        let schema = self
            .schema
            .clone()
            .unwrap_or_else(|| json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
        let subresources = if self.status_subresource { json!({"status": {}}) } else { json!({}) };
        let versions: Vec<_> = self
            .versions
            .iter()
            .map(|name| {
                json!({"name": name, "served": true, "storage": *name == self.storage,
                    "subresources": subresources, "schema": {"openAPIV3Schema": schema}})
            })
            .collect();
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}.{}", self.plural, self.group), "labels": self.labels},
            "spec": {
                "group": self.group,
                "names": {"kind": self.kind, "plural": self.plural},
                "scope": if self.scope == Scope::Namespaced { "Namespaced" } else { "Cluster" },
                "versions": versions,
            },
        })
    }
}

/// Fills in what the API server and its CRD controller add to a CustomResourceDefinition.
pub(super) fn establish(crd: &mut Value, now: &str) {
    let spec = &mut crd["spec"];
    let kind = spec["names"]["kind"].as_str().unwrap_or_default().to_owned();
    for (field, default) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))] {
        if spec["names"][field].is_null() {
            spec["names"][field] = default.into();
        }
    }
    if spec["conversion"].is_null() {
        spec["conversion"] = json!({"strategy": "None"});
    }
    let storage = super::resource::items(&spec["versions"])
        .find(|version| version["storage"] == true)
        .map(|version| version["name"].clone());
    let names = spec["names"].clone();
    let condition = |kind: &str, reason: &str| json!({"type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": now});
    if crd["status"]["conditions"].as_array().is_none_or(Vec::is_empty) {
        crd["status"]["conditions"] = json!([
            condition("NamesAccepted", "NoConflicts"),
            condition("Established", "InitialNamesAccepted")
        ]);
    }
    crd["status"]["acceptedNames"] = names;
    let stored = crd["status"]["storedVersions"].as_array().cloned().unwrap_or_default();
    if let Some(storage) = storage.filter(|storage| !stored.contains(storage)) {
        crd["status"]["storedVersions"] = stored.into_iter().chain([storage]).collect();
    }
}
