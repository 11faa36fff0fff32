//! Built-in kinds that the tool itself writes, wherever it goes: no discovery need say what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use pivot_core::kind::{GroupKind, KindInfo, Scope};
use serde_json::Value;

use super::{Cluster, Failure, RawRequest};

/// Group, kind, plural and scope. All are stable, in version `v1`.
const KNOWN: [(&str, &str, &str, Scope); 9] = [
    ("", "Namespace", "namespaces", Scope::Cluster),
    ("", "ConfigMap", "configmaps", Scope::Namespaced),
    ("", "Secret", "secrets", Scope::Namespaced),
    ("", "Pod", "pods", Scope::Namespaced),
    ("apps", "Deployment", "deployments", Scope::Namespaced),
    ("apps", "ReplicaSet", "replicasets", Scope::Namespaced),
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

impl Cluster {
    /// Asks whether the cluster serves a kind in its [`storage_version`](KindInfo::storage_version).
    pub async fn serves(&self, kind: &KindInfo) -> Result<bool, Failure> {
        let path = match kind.kind.group.as_str() {
            "" => format!("/api/{}", kind.storage_version),
            group => format!("/apis/{group}/{}", kind.storage_version),
        };
        let served: Value = match self.read(RawRequest::get(path)).await {
            Err(failure) if failure.is_not_found() => return Ok(false),
            served => served?,
        };
        let resources = served.get("resources").and_then(Value::as_array).into_iter().flatten();
        let mut names = resources.filter_map(|resource| resource.get("name")?.as_str());
        Ok(names.any(|name| name == kind.plural))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use pivot_core::fence::{binding_key, canary_key, policy_key};
    use serde_json::json;

    use super::super::fake;
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

    #[tokio::test]
    async fn a_server_says_what_it_serves() {
        let policies = well_known(&policy_key("p1").kind).unwrap();
        let list = |names: &[&str]| {
            let resources: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"kind": "APIResourceList", "resources": resources})
        };
        let answers = [
            (
                fake::json(
                    200,
                    &list(&["validatingadmissionpolicies", "validatingadmissionpolicies/status"]),
                ),
                true,
            ),
            (fake::json(200, &list(&["validatingwebhookconfigurations"])), false),
            (fake::refusal(404, "NotFound"), false),
        ];
        for (answer, serves) in answers {
            let answer = Mutex::new(Some(answer));
            let (cluster, seen) = fake::cluster(move |_| answer.lock().unwrap().take().unwrap());
            assert_eq!(cluster.serves(policies).await.unwrap(), serves);
            assert_eq!(*seen.lock().unwrap(), ["GET /apis/admissionregistration.k8s.io/v1"]);
        }
        let (refusing, _) = fake::cluster(|_| fake::refusal(403, "Forbidden"));
        assert!(refusing.serves(policies).await.unwrap_err().is_forbidden());
    }
}
