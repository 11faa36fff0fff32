//! Kinds: names of group, version and kind, and what a cluster serves.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde_json::Value;

/// Group, version and kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// API version, for example `v1beta1`.
    pub version: Cow<'static, str>,
    /// Kind, for example `BareMetalHost`.
    pub kind: Cow<'static, str>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $group:literal $version:literal $kind:literal;)*) => {
        impl Gvk {
            $($(#[$doc])* pub const $name: &'static Self = &Self::new($group, $version, $kind);)*
        }
    };
}

kinds! {
    /// Core.
    NAMESPACE = "" "v1" "Namespace";
    /// Core.
    SECRET = "" "v1" "Secret";
    /// Core.
    CONFIG_MAP = "" "v1" "ConfigMap";
    /// Core.
    SERVICE_ACCOUNT = "" "v1" "ServiceAccount";
    /// Core.
    NODE = "" "v1" "Node";
    /// Core.
    POD = "" "v1" "Pod";
    /// Apps.
    DEPLOYMENT = "apps" "v1" "Deployment";
    /// Core.
    RESOURCE_QUOTA = "" "v1" "ResourceQuota";
    /// Coordination.
    LEASE = "coordination.k8s.io" "v1" "Lease";
    /// Admission registration.
    MUTATING_WEBHOOK_CONFIGURATION = "admissionregistration.k8s.io" "v1" "MutatingWebhookConfiguration";
    /// API extensions.
    CRD = "apiextensions.k8s.io" "v1" "CustomResourceDefinition";
    /// RBAC.
    CLUSTER_ROLE = "rbac.authorization.k8s.io" "v1" "ClusterRole";
    /// RBAC.
    CLUSTER_ROLE_BINDING = "rbac.authorization.k8s.io" "v1" "ClusterRoleBinding";
    /// The inventory of `clusterctl`.
    PROVIDER = "clusterctl.cluster.x-k8s.io" "v1alpha3" "Provider";

    /// Cluster API core.
    CLUSTER = "cluster.x-k8s.io" "v1beta2" "Cluster";
    /// Cluster API core.
    CLUSTER_CLASS = "cluster.x-k8s.io" "v1beta2" "ClusterClass";
    /// Cluster API core.
    MACHINE = "cluster.x-k8s.io" "v1beta2" "Machine";
    /// Cluster API core.
    MACHINE_SET = "cluster.x-k8s.io" "v1beta2" "MachineSet";
    /// Cluster API core.
    MACHINE_DEPLOYMENT = "cluster.x-k8s.io" "v1beta2" "MachineDeployment";
    /// Cluster API core.
    MACHINE_HEALTH_CHECK = "cluster.x-k8s.io" "v1beta2" "MachineHealthCheck";
    /// Cluster API add-ons.
    CLUSTER_RESOURCE_SET = "addons.cluster.x-k8s.io" "v1beta2" "ClusterResourceSet";
    /// Cluster API add-ons.
    CLUSTER_RESOURCE_SET_BINDING = "addons.cluster.x-k8s.io" "v1beta2" "ClusterResourceSetBinding";
    /// Kubeadm bootstrap.
    KUBEADM_CONFIG = "bootstrap.cluster.x-k8s.io" "v1beta2" "KubeadmConfig";
    /// Kubeadm bootstrap.
    KUBEADM_CONFIG_TEMPLATE = "bootstrap.cluster.x-k8s.io" "v1beta2" "KubeadmConfigTemplate";
    /// Kubeadm control plane.
    KUBEADM_CONTROL_PLANE = "controlplane.cluster.x-k8s.io" "v1beta2" "KubeadmControlPlane";
    /// Kubeadm control plane.
    KUBEADM_CONTROL_PLANE_TEMPLATE = "controlplane.cluster.x-k8s.io" "v1beta2" "KubeadmControlPlaneTemplate";

    /// CAPM3.
    METAL3_CLUSTER = "infrastructure.cluster.x-k8s.io" "v1beta1" "Metal3Cluster";
    /// CAPM3.
    METAL3_CLUSTER_TEMPLATE = "infrastructure.cluster.x-k8s.io" "v1beta1" "Metal3ClusterTemplate";
    /// CAPM3.
    METAL3_MACHINE = "infrastructure.cluster.x-k8s.io" "v1beta1" "Metal3Machine";
    /// CAPM3.
    METAL3_MACHINE_TEMPLATE = "infrastructure.cluster.x-k8s.io" "v1beta1" "Metal3MachineTemplate";
    /// CAPM3.
    METAL3_DATA = "infrastructure.cluster.x-k8s.io" "v1beta1" "Metal3Data";
    /// CAPM3.
    METAL3_DATA_CLAIM = "infrastructure.cluster.x-k8s.io" "v1beta1" "Metal3DataClaim";
    /// CAPM3.
    METAL3_DATA_TEMPLATE = "infrastructure.cluster.x-k8s.io" "v1beta1" "Metal3DataTemplate";
    /// CAPM3.
    METAL3_REMEDIATION_TEMPLATE = "infrastructure.cluster.x-k8s.io" "v1beta1" "Metal3RemediationTemplate";

    /// Metal3 IPAM.
    IP_POOL = "ipam.metal3.io" "v1alpha1" "IPPool";
    /// Metal3 IPAM.
    IP_CLAIM = "ipam.metal3.io" "v1alpha1" "IPClaim";
    /// Metal3 IPAM.
    IP_ADDRESS = "ipam.metal3.io" "v1alpha1" "IPAddress";

    /// Ironic Standalone Operator.
    IRONIC = "ironic.metal3.io" "v1alpha1" "Ironic";

    /// Baremetal operator.
    BARE_METAL_HOST = "metal3.io" "v1alpha1" "BareMetalHost";
    /// Baremetal operator.
    BMC_EVENT_SUBSCRIPTION = "metal3.io" "v1alpha1" "BMCEventSubscription";
    /// Baremetal operator.
    HARDWARE_DATA = "metal3.io" "v1alpha1" "HardwareData";
    /// Baremetal operator.
    HOST_FIRMWARE_SETTINGS = "metal3.io" "v1alpha1" "HostFirmwareSettings";
    /// Baremetal operator.
    HOST_FIRMWARE_COMPONENTS = "metal3.io" "v1alpha1" "HostFirmwareComponents";
    /// Baremetal operator.
    FIRMWARE_SCHEMA = "metal3.io" "v1alpha1" "FirmwareSchema";
    /// Baremetal operator.
    HOST_UPDATE_POLICY = "metal3.io" "v1alpha1" "HostUpdatePolicy";
    /// Baremetal operator.
    DATA_IMAGE = "metal3.io" "v1alpha1" "DataImage";
}

impl Gvk {
    /// Names a kind known at compile time.
    pub const fn new(group: &'static str, version: &'static str, kind: &'static str) -> Self {
        Self { group: Cow::Borrowed(group), version: Cow::Borrowed(version), kind: Cow::Borrowed(kind) }
    }

    /// The kind of an object, from its `apiVersion` and `kind`.
    pub fn of(object: &Value) -> Option<Self> {
        Some(Self::from_api_version(object["apiVersion"].as_str()?, object["kind"].as_str()?))
    }

    /// The kind from the two fields of an object or a reference.
    pub fn from_api_version(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group: group.to_owned().into(),
            version: version.to_owned().into(),
            kind: kind.to_owned().into(),
        }
    }

    /// `group/version`, or `version` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        write!(f, "{}/{}", self.version, self.kind)
    }
}

/// A kind as a cluster serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Its name.
    pub gvk: Gvk,
    /// Its name in paths, for example `baremetalhosts`.
    pub plural: String,
    /// False for cluster-scoped kinds.
    pub namespaced: bool,
    /// True if it can be listed.
    pub listable: bool,
    /// True if its status is a subresource.
    pub has_status: bool,
}

impl Served {
    /// The path of the collection, or of one object in it. A namespace is ignored where the kind has none.
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path = if self.gvk.group.is_empty() {
            format!("/api/{}", self.gvk.version)
        } else {
            format!("/apis/{}/{}", self.gvk.group, self.gvk.version)
        };
        if let (true, Some(namespace)) = (self.namespaced, namespace) {
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(&self.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(name);
        }
        path
    }
}

/// The kinds a cluster serves, every version of them; the first version of a group is the preferred one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalogue {
    served: BTreeMap<Gvk, Served>,
    preferred: Vec<Gvk>,
}

impl Catalogue {
    /// Reads the two aggregated discovery documents (`/api` and `/apis`).
    pub(crate) fn read(documents: &[Value]) -> Self {
        let mut catalogue = Self::default();
        for group in documents.iter().flat_map(|d| items(&d["items"])) {
            let group_name = group["metadata"]["name"].as_str().unwrap_or_default();
            let mut seen = Vec::new();
            for version in items(&group["versions"]) {
                let version_name = version["version"].as_str().unwrap_or_default();
                for resource in items(&version["resources"]) {
                    let Some(kind) = resource["responseKind"]["kind"].as_str() else { continue };
                    let gvk = Gvk {
                        group: group_name.to_owned().into(),
                        version: version_name.to_owned().into(),
                        kind: kind.to_owned().into(),
                    };
                    let plural = resource["resource"].as_str().unwrap_or_default().to_owned();
                    let served = Served {
                        namespaced: resource["scope"] == "Namespaced",
                        listable: items(&resource["verbs"]).any(|verb| verb == "list"),
                        has_status: items(&resource["subresources"])
                            .any(|sub| sub["subresource"] == "status"),
                        gvk: gvk.clone(),
                        plural: plural.clone(),
                    };
                    if !seen.contains(&plural) {
                        seen.push(plural);
                        catalogue.preferred.push(gvk.clone());
                    }
                    catalogue.served.insert(gvk, served);
                }
            }
        }
        catalogue
    }

    pub(crate) fn get(&self, gvk: &Gvk) -> Option<&Served> {
        self.served.get(gvk)
    }

    /// Every kind once, in the version its group prefers.
    pub(crate) fn preferred(&self) -> impl Iterator<Item = &Served> {
        self.preferred.iter().filter_map(|gvk| self.served.get(gvk))
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_follow_scope_and_group() {
        let documents = [
            json!({"items": [{"metadata": {}, "versions": [{"version": "v1", "resources": [
                {"resource": "namespaces", "responseKind": {"kind": "Namespace"}, "scope": "Cluster", "verbs": ["list"]},
                {"resource": "secrets", "responseKind": {"kind": "Secret"}, "scope": "Namespaced", "verbs": ["list"]}]}]}]}),
            json!({"items": [{"metadata": {"name": "metal3.io"}, "versions": [
                {"version": "v1beta1", "resources": [{"resource": "hosts", "responseKind": {"kind": "Host"},
                    "scope": "Namespaced", "verbs": ["get"], "subresources": [{"subresource": "status"}]}]},
                {"version": "v1alpha1", "resources": [{"resource": "hosts", "responseKind": {"kind": "Host"},
                    "scope": "Namespaced", "verbs": ["get"]}]}]}]}),
        ];
        let catalogue = Catalogue::read(&documents);
        let path = |gvk: &Gvk| catalogue.get(gvk).unwrap().path(Some("ns"), Some("x"));
        assert_eq!(path(Gvk::NAMESPACE), "/api/v1/namespaces/x");
        assert_eq!(path(Gvk::SECRET), "/api/v1/namespaces/ns/secrets/x");
        assert_eq!(
            path(&Gvk::from_api_version("metal3.io/v1alpha1", "Host")),
            "/apis/metal3.io/v1alpha1/namespaces/ns/hosts/x"
        );
        let preferred: Vec<_> = catalogue.preferred().map(|s| s.gvk.to_string()).collect();
        assert_eq!(preferred, ["v1/Namespace", "v1/Secret", "metal3.io/v1beta1/Host"]);
        assert!(catalogue.get(&Gvk::from_api_version("metal3.io/v1beta1", "Host")).unwrap().has_status);
    }
}
