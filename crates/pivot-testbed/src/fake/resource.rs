//! What the server serves: built-in kinds and those that CustomResourceDefinitions declare.

use kube::core::Version as KubeVersion;
use serde_json::{Value, json};

/// The group of CustomResourceDefinitions.
pub(super) const APIEXTENSIONS: &str = "apiextensions.k8s.io";

/// A kind as it is served, in all its versions.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) plural: String,
    pub(super) singular: String,
    pub(super) list_kind: String,
    pub(super) namespaced: bool,
    /// Built-in kinds leave `kind` out of list items.
    pub(super) builtin: bool,
    /// True if an object may be replaced without naming its resourceVersion.
    pub(super) unconditional_update: bool,
    /// False for the built-in kinds that have no `metadata.generation`.
    pub(super) generation: bool,
    /// The version objects are stored in.
    pub(super) storage: String,
    /// The served versions, the preferred one first.
    pub(super) versions: Vec<Version>,
}

/// One served version.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) name: String,
    /// True if status is a subresource.
    pub(super) status: bool,
    pub(super) schema: Option<Value>,
}

impl Resource {
    pub(super) fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// `group/version`, or `version` for the core group.
    pub(super) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// `plural.group`, or `plural` for the core group: how messages name it.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Kind.group`, or `Kind` for the core group: how messages about content name it.
    pub(super) fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// The kind that a CustomResourceDefinition declares; `None` if it lacks a name or a storage version.
    pub(super) fn from_crd(crd: &Value) -> Option<Self> {
        let spec = &crd["spec"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let kind = text(&spec["names"]["kind"])?;
        let storage = items(&spec["versions"]).find(|version| version["storage"] == true)?;
        let mut versions: Vec<_> = items(&spec["versions"])
            .filter(|version| version["served"] == true)
            .filter_map(|version| {
                Some(Version {
                    name: text(&version["name"])?,
                    status: version["subresources"]["status"].is_object(),
                    schema: Some(version["schema"]["openAPIV3Schema"].clone()).filter(Value::is_object),
                })
            })
            .collect();
        versions.sort_by_key(|version| std::cmp::Reverse(KubeVersion::parse(&version.name).priority()));
        Some(Self {
            group: text(&spec["group"])?,
            plural: text(&spec["names"]["plural"])?,
            singular: text(&spec["names"]["singular"]).unwrap_or_else(|| kind.to_lowercase()),
            list_kind: text(&spec["names"]["listKind"]).unwrap_or_else(|| format!("{kind}List")),
            namespaced: spec["scope"] == "Namespaced",
            builtin: false,
            unconditional_update: false,
            generation: true,
            storage: text(&storage["name"])?,
            versions,
            kind,
        })
    }
}

pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

const NAMESPACED: u8 = 1;
const STATUS: u8 = 2;
const GENERATION: u8 = 4;

/// Group, version, kind, plural and traits.
const BUILTIN: [(&str, &str, &str, &str, u8); 27] = [
    ("", "v1", "Namespace", "namespaces", STATUS),
    ("", "v1", "Secret", "secrets", NAMESPACED),
    ("", "v1", "ConfigMap", "configmaps", NAMESPACED),
    ("", "v1", "ResourceQuota", "resourcequotas", NAMESPACED | STATUS),
    ("", "v1", "ServiceAccount", "serviceaccounts", NAMESPACED),
    ("", "v1", "Service", "services", NAMESPACED | STATUS),
    ("", "v1", "Event", "events", NAMESPACED),
    ("", "v1", "Pod", "pods", NAMESPACED | STATUS | GENERATION),
    ("", "v1", "Node", "nodes", STATUS),
    ("apps", "v1", "Deployment", "deployments", NAMESPACED | STATUS | GENERATION),
    ("apps", "v1", "DaemonSet", "daemonsets", NAMESPACED | STATUS | GENERATION),
    ("apps", "v1", "StatefulSet", "statefulsets", NAMESPACED | STATUS | GENERATION),
    ("apps", "v1", "ReplicaSet", "replicasets", NAMESPACED | STATUS | GENERATION),
    ("batch", "v1", "Job", "jobs", NAMESPACED | STATUS | GENERATION),
    ("coordination.k8s.io", "v1", "Lease", "leases", NAMESPACED),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", NAMESPACED | GENERATION),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", 0),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", 0),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", NAMESPACED),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", NAMESPACED),
    (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        STATUS | GENERATION,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        GENERATION,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        GENERATION,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        GENERATION,
    ),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses", 0),
    ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", GENERATION),
    (APIEXTENSIONS, "v1", "CustomResourceDefinition", "customresourcedefinitions", STATUS | GENERATION),
];

/// The built-in kinds.
pub(super) fn builtin() -> impl Iterator<Item = Resource> {
    BUILTIN.into_iter().map(|(group, version, kind, plural, traits)| Resource {
        group: group.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        list_kind: format!("{kind}List"),
        namespaced: traits & NAMESPACED != 0,
        builtin: true,
        unconditional_update: matches!(
            group,
            "" | "apps" | "batch" | "networking.k8s.io" | "rbac.authorization.k8s.io" | "storage.k8s.io"
        ),
        generation: traits & GENERATION != 0,
        storage: version.to_owned(),
        versions: vec![Version {
            name: version.to_owned(),
            status: traits & STATUS != 0,
            schema: builtin_schema(group, kind),
        }],
    })
}

/// Schemas only where a test may want a mistyped field refused; the other built-in kinds keep every field.
fn builtin_schema(group: &str, kind: &str) -> Option<Value> {
    let strings = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let properties = match (group, kind) {
        ("", "Secret") => json!({"data": strings, "stringData": strings, "type": {"type": "string"},
            "immutable": {"type": "boolean"}}),
        ("", "ConfigMap") => {
            json!({"data": strings, "binaryData": strings, "immutable": {"type": "boolean"}})
        }
        _ => return None,
    };
    Some(json!({"type": "object", "properties": properties}))
}
