//! Objects that belong to the cluster they are in.

use std::fmt;

use crate::inventory::Object;

/// Why an object is never moved (moving it would break the target, or nothing would use it there).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeverMoved {
    /// A ServiceAccount token: the target's token controller deletes one that it did not issue.
    ServiceAccountToken,
    /// A kubeadm bootstrap token, which expires on its own.
    BootstrapToken,
    /// The record of a Helm release in this cluster.
    HelmRelease,
    /// `kube-root-ca.crt`, published into each namespace by each cluster.
    RootCa,
    /// The clusterctl inventory: what is installed here.
    ProviderInventory,
    /// A record of pivotctl.
    OwnRecord,
}

impl fmt::Display for NeverMoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceAccountToken => "ServiceAccount token, valid in this cluster only",
            Self::BootstrapToken => "bootstrap token, valid in this cluster only",
            Self::HelmRelease => "Helm release record of this cluster",
            Self::RootCa => "published by each cluster for itself",
            Self::ProviderInventory => "inventory of the providers installed in this cluster",
            Self::OwnRecord => "record of pivotctl about this cluster",
        })
    }
}

/// Namespace of pivotctl's own records (DESIGN section 2).
pub(super) const RECORD_NAMESPACE: &str = "pivotctl-system";

/// Judges by the object alone.
pub(super) fn judge(object: &Object) -> Option<NeverMoved> {
    let key = &object.key;
    if key.namespace.as_deref() == Some(RECORD_NAMESPACE) {
        return Some(NeverMoved::OwnRecord);
    }
    if key.kind.is_secret() {
        return match object.manifest.value().get("type").and_then(|t| t.as_str())? {
            "kubernetes.io/service-account-token" => Some(NeverMoved::ServiceAccountToken),
            "bootstrap.kubernetes.io/token" => Some(NeverMoved::BootstrapToken),
            "helm.sh/release.v1" => Some(NeverMoved::HelmRelease),
            _ => None,
        };
    }
    if key.kind.is("", "ConfigMap") && key.name == "kube-root-ca.crt" {
        return Some(NeverMoved::RootCa);
    }
    key.kind.is("clusterctl.cluster.x-k8s.io", "Provider").then_some(NeverMoved::ProviderInventory)
}
