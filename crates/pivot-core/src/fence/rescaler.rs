//! What sets the number of a Deployment's replicas by itself: it would start again what the pivot stops.

use std::fmt;

use crate::object::Manifest;

/// API group of the Cluster API Operator's kinds, one for each sort of provider.
const CLUSTER_API_OPERATOR: &str = "operator.cluster.x-k8s.io";
/// API group of the Ironic Standalone Operator's kinds.
const IRONIC_OPERATOR: &str = "ironic.metal3.io";

/// Something that keeps a Deployment as it wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rescaler {
    /// An Application of Argo CD.
    ArgoCd {
        /// Its name.
        application: String,
    },
    /// A Kustomization or HelmRelease of Flux.
    Flux {
        /// `kustomization` or `helmrelease`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// A provider of the Cluster API Operator, or an Ironic of the Ironic Standalone Operator.
    Operator {
        /// Kind and name of what it keeps the Deployment for.
        of: String,
        /// The operator.
        operator: &'static str,
    },
}

impl Rescaler {
    /// Who keeps this Deployment, as far as its labels, annotations and owners tell.
    pub fn of(deployment: &Manifest) -> Option<Self> {
        let owners = deployment.owner_references();
        for (group, operator) in [
            (CLUSTER_API_OPERATOR, "the Cluster API Operator"),
            (IRONIC_OPERATOR, "the Ironic Standalone Operator"),
        ] {
            if let Some(owner) = owners.iter().find(|owner| owner.kind.group == group) {
                return Some(Self::Operator { of: format!("{} {}", owner.kind.kind, owner.name), operator });
            }
        }
        for kind in ["kustomize", "helm"] {
            let said = |field: &str| deployment.label(&format!("{kind}.toolkit.fluxcd.io/{field}"));
            if let (Some(name), Some(namespace)) = (said("name"), said("namespace")) {
                let kind = if kind == "helm" { "helmrelease" } else { "kustomization" };
                return Some(Self::Flux { kind, name: name.to_owned(), namespace: namespace.to_owned() });
            }
        }
        // Its tracking id is the name of the application, a colon, and what the object is.
        let tracked = deployment.annotation("argocd.argoproj.io/tracking-id");
        let application = tracked.and_then(|id| id.split(':').next());
        let application = application.or_else(|| deployment.label("argocd.argoproj.io/instance"))?;
        Some(Self::ArgoCd { application: application.to_owned() })
    }

    /// What makes it stop.
    pub fn remedy(&self) -> String {
        match self {
            Self::ArgoCd { application } => {
                format!("turn its automatic sync off: `argocd app set {application} --sync-policy none`")
            }
            Self::Flux { kind, name, namespace } => {
                format!("suspend it: `flux suspend {kind} {name} -n {namespace}`")
            }
            Self::Operator { operator, .. } => {
                format!("scale the Deployment of {operator} to zero for the time of the pivot")
            }
        }
    }
}

impl fmt::Display for Rescaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArgoCd { application } => write!(f, "Argo CD (application {application})"),
            Self::Flux { kind, name, namespace } => write!(f, "Flux ({kind} {namespace}/{name})"),
            Self::Operator { of, operator } => write!(f, "{operator} ({of})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(metadata: &Value) -> Option<String> {
        let deployment =
            Manifest::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}));
        Rescaler::of(&deployment).map(|rescaler| format!("{rescaler}: {}", rescaler.remedy()))
    }

    #[test]
    fn whoever_keeps_a_deployment_is_named_with_what_stops_it() {
        let cases = [
            (
                json!({"name": "m", "annotations": {"argocd.argoproj.io/tracking-id": "mgmt:apps/Deployment:capi-system/m"}}),
                "Argo CD (application mgmt): turn its automatic sync off: `argocd app set mgmt --sync-policy none`",
            ),
            (
                json!({"name": "m", "labels": {"argocd.argoproj.io/instance": "mgmt"}}),
                "Argo CD (application mgmt): turn its automatic sync off: `argocd app set mgmt --sync-policy none`",
            ),
            (
                json!({"name": "m", "labels": {"kustomize.toolkit.fluxcd.io/name": "capi", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}),
                "Flux (kustomization flux-system/capi): suspend it: `flux suspend kustomization capi -n flux-system`",
            ),
            (
                json!({"name": "m", "labels": {"helm.toolkit.fluxcd.io/name": "capi", "helm.toolkit.fluxcd.io/namespace": "f"}}),
                "Flux (helmrelease f/capi): suspend it: `flux suspend helmrelease capi -n f`",
            ),
            (
                json!({"name": "m", "ownerReferences": [{"apiVersion": "operator.cluster.x-k8s.io/v1alpha2", "kind": "CoreProvider", "name": "cluster-api", "uid": "u"}]}),
                "the Cluster API Operator (CoreProvider cluster-api): scale the Deployment of the Cluster API Operator to zero for the time of the pivot",
            ),
        ];
        for (metadata, expected) in cases {
            assert_eq!(found(&metadata).as_deref(), Some(expected));
        }
        assert_eq!(found(&json!({"name": "m", "labels": {"app.kubernetes.io/instance": "release"}})), None);
    }
}
