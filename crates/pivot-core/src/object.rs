//! Objects as they stand in one cluster: identity, raw content, and typed looks at the metadata.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::kind::GroupKind;

/// Identity of an object across clusters: what it is called, not which instance it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Group and kind; the version is no part of the identity.
    pub kind: GroupKind,
    /// `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectKey {
    /// A namespaced key, or a cluster-scoped one where `namespace` is `None`.
    pub fn new(kind: GroupKind, namespace: Option<&str>, name: &str) -> Self {
        Self { kind, namespace: namespace.map(str::to_owned), name: name.to_owned() }
    }

    /// `namespace/name`, or the bare name for cluster-scoped objects.
    pub fn path(&self) -> String {
        match &self.namespace {
            Some(ns) => format!("{ns}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind.kind)?;
        f.write_str(" ")?;
        if let Some(ns) = &self.namespace {
            write!(f, "{ns}/")?;
        }
        f.write_str(&self.name)
    }
}

/// `metadata.uid`: identity of one instance in one cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub String);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerReference {
    /// Group taken out of `apiVersion`, and `kind`.
    pub kind: GroupKind,
    /// `name`.
    pub name: String,
    /// `uid`, which alone identifies the owner (Kubernetes garbage collection).
    pub uid: Uid,
}

/// An object as the API server sent it.
///
/// The content stays raw JSON so that no field is lost on the way, whatever its version; the accessors only look. Clones share it.
/// `Debug` never prints content, because Secrets pass through here.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub struct Manifest(Arc<Value>);

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl From<Value> for Manifest {
    fn from(value: Value) -> Self {
        Self(Arc::new(value))
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("kind", &self.kind())
            .field("namespace", &self.namespace())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Manifest {
    /// Takes any JSON; a value that is no object reads as one without fields.
    pub fn new(value: Value) -> Self {
        Self(Arc::new(value))
    }

    /// The raw content.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The raw content, by value.
    pub fn into_value(self) -> Value {
        Arc::unwrap_or_clone(self.0)
    }

    fn meta(&self) -> Option<&Map<String, Value>> {
        self.0.get("metadata")?.as_object()
    }

    fn meta_str(&self, field: &str) -> Option<&str> {
        self.meta()?.get(field)?.as_str()
    }

    /// `apiVersion`, or the empty string.
    pub fn api_version(&self) -> &str {
        self.0.get("apiVersion").and_then(Value::as_str).unwrap_or_default()
    }

    /// `kind`, or the empty string.
    pub fn kind(&self) -> &str {
        self.0.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// Group and kind, from `apiVersion` and `kind`.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::from_api_version(self.api_version(), self.kind())
    }

    /// `metadata.name`, or the empty string.
    pub fn name(&self) -> &str {
        self.meta_str("name").unwrap_or_default()
    }

    /// `metadata.namespace`; `None` when absent or empty.
    pub fn namespace(&self) -> Option<&str> {
        self.meta_str("namespace").filter(|ns| !ns.is_empty())
    }

    /// Identity across clusters.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.group_kind(), self.namespace(), self.name())
    }

    /// `metadata.uid`; empty for an object that never was in a cluster.
    pub fn uid(&self) -> Uid {
        Uid(self.meta_str("uid").unwrap_or_default().to_owned())
    }

    /// `metadata.resourceVersion`, opaque, comparable for equality only.
    pub fn resource_version(&self) -> &str {
        self.meta_str("resourceVersion").unwrap_or_default()
    }

    /// `metadata.generation`, 0 when absent.
    pub fn generation(&self) -> i64 {
        self.meta().and_then(|m| m.get("generation")).and_then(Value::as_i64).unwrap_or_default()
    }

    /// `metadata.creationTimestamp` as text; RFC 3339 in UTC sorts as text.
    pub fn creation_timestamp(&self) -> &str {
        self.meta_str("creationTimestamp").unwrap_or_default()
    }

    /// True once deletion was asked for (`metadata.deletionTimestamp`).
    pub fn is_terminating(&self) -> bool {
        self.meta_str("deletionTimestamp").is_some()
    }

    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.meta()
            .and_then(|m| m.get("finalizers"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    }

    /// One annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.meta()?.get("annotations")?.get(key)?.as_str()
    }

    /// One label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.meta()?.get("labels")?.get(key)?.as_str()
    }

    /// All labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        string_map(self.meta().and_then(|m| m.get("labels")))
    }

    /// All annotations.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        string_map(self.meta().and_then(|m| m.get("annotations")))
    }

    /// `metadata.ownerReferences`; malformed entries are left out.
    pub fn owner_references(&self) -> Vec<OwnerReference> {
        let entries = self.meta().and_then(|m| m.get("ownerReferences")).and_then(Value::as_array);
        entries.into_iter().flatten().filter_map(OwnerReference::read).collect()
    }

    /// `status`, where there is one that holds anything.
    pub fn status(&self) -> Option<&Value> {
        self.0.get("status").filter(|s| s.as_object().is_none_or(|o| !o.is_empty()) && !s.is_null())
    }

    /// The value at a JSON pointer.
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }
}

impl OwnerReference {
    /// Reads one entry; `None` when a required field is missing.
    pub fn read(entry: &Value) -> Option<Self> {
        let text = |field: &str| entry.get(field).and_then(Value::as_str);
        Some(Self {
            kind: GroupKind::from_api_version(text("apiVersion")?, text("kind")?),
            name: text("name")?.to_owned(),
            uid: Uid(text("uid")?.to_owned()),
        })
    }
}

fn string_map(value: Option<&Value>) -> BTreeMap<String, String> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn debug_output_holds_no_content() {
        let secret = Manifest::new(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}, "data": {"k": "Y2FuYXJ5"}
        }));
        let shown = format!("{secret:?}");
        assert!(shown.contains("\"a\"") && !shown.contains("Y2FuYXJ5"), "{shown}");
    }

    #[test]
    fn an_empty_status_is_no_status() {
        assert!(Manifest::new(json!({"status": {}})).status().is_none());
        assert!(Manifest::new(json!({"status": null})).status().is_none());
        assert!(Manifest::new(json!({"status": {"ready": true}})).status().is_some());
    }
}
