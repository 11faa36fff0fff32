//! Built-in kinds that the tool itself writes, wherever it goes: no discovery need say what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use pivot_core::kind::{GroupKind, KindInfo, Scope};

/// Group, kind, plural and scope. All are stable, in version `v1`.
const KNOWN: [(&str, &str, &str, Scope); 8] = [
    ("", "Namespace", "namespaces", Scope::Cluster),
    ("", "ConfigMap", "configmaps", Scope::Namespaced),
    ("", "Secret", "secrets", Scope::Namespaced),
    ("", "Pod", "pods", Scope::Namespaced),
    ("apps", "Deployment", "deployments", Scope::Namespaced),
    ("coordination.k8s.io", "Lease", "leases", Scope::Namespaced),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        Scope::Cluster,
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        Scope::Cluster,
    ),
];

static KINDS: LazyLock<BTreeMap<GroupKind, KindInfo>> = LazyLock::new(|| {
    let info = |(group, kind, plural, scope): (&str, &str, &str, Scope)| KindInfo {
        kind: GroupKind::new(group, kind),
        plural: plural.to_owned(),
        scope,
        storage_version: "v1".to_owned(),
        served: BTreeSet::from(["v1".to_owned()]),
        status_subresource: BTreeSet::new(),
        labels: BTreeMap::new(),
        schemas: BTreeMap::new(),
    };
    KNOWN.map(info).into_iter().map(|info| (info.kind.clone(), info)).collect()
});

/// What is known of a kind without asking; its [`storage_version`](KindInfo::storage_version) is the one to use.
pub fn well_known(kind: &GroupKind) -> Option<&'static KindInfo> {
    KINDS.get(kind)
}

#[cfg(test)]
mod tests {
    use pivot_core::fence::{binding_key, canary_key, policy_key};

    use super::super::path::resource_path;
    use super::*;

    #[test]
    fn what_the_fence_writes_is_known() {
        let path = |key: &pivot_core::object::ObjectKey| {
            let kind = well_known(&key.kind).unwrap();
            resource_path(kind, &kind.storage_version, key.namespace.as_deref(), Some(&key.name), None)
        };
        assert_eq!(
            path(&policy_key("p1")),
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/pivotctl-p1"
        );
        assert_eq!(
            path(&binding_key("p1")),
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/pivotctl-p1"
        );
        assert_eq!(
            path(&canary_key("p1")),
            "/api/v1/namespaces/pivotctl-system/configmaps/pivotctl-canary-p1"
        );
        assert!(well_known(&GroupKind::new("metal3.io", "BareMetalHost")).is_none());
    }
}
