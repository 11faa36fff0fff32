//! The inventory of `clusterctl`: which providers are installed, in which namespace, in which version.

use serde_json::{Value, json};

use crate::{Result, client::PlaneClient, kind::Gvk};

/// An installed provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    /// The label and object name, for example `infrastructure-metal3`.
    pub label: &'static str,
    /// The provider's own name, for example `metal3`.
    pub name: &'static str,
    /// Its type, for example `InfrastructureProvider`.
    pub kind: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The namespace of its controllers.
    pub namespace: &'static str,
}

/// The providers of a Metal3 management cluster.
pub const PROVIDERS: [Provider; 5] = [
    Provider {
        label: "cluster-api",
        name: "cluster-api",
        kind: "CoreProvider",
        version: "v1.13.5",
        namespace: "capi-system",
    },
    Provider {
        label: "bootstrap-kubeadm",
        name: "kubeadm",
        kind: "BootstrapProvider",
        version: "v1.13.5",
        namespace: "capi-kubeadm-bootstrap-system",
    },
    Provider {
        label: "control-plane-kubeadm",
        name: "kubeadm",
        kind: "ControlPlaneProvider",
        version: "v1.13.5",
        namespace: "capi-kubeadm-control-plane-system",
    },
    Provider {
        label: "infrastructure-metal3",
        name: "metal3",
        kind: "InfrastructureProvider",
        version: "v1.7.0",
        namespace: "capm3-system",
    },
    Provider {
        label: "ipam-metal3",
        name: "metal3",
        kind: "IPAMProvider",
        version: "v1.7.0",
        namespace: "metal3-ipam-system",
    },
];

impl Provider {
    /// The inventory object.
    pub fn object(&self) -> Value {
        json!({
            "apiVersion": Gvk::PROVIDER.api_version(),
            "kind": Gvk::PROVIDER.kind,
            "metadata": {
                "name": self.label,
                "namespace": self.namespace,
                "labels": {
                    "cluster.x-k8s.io/provider": self.label,
                    "clusterctl.cluster.x-k8s.io": "",
                    "clusterctl.cluster.x-k8s.io/core": "inventory",
                },
            },
            "providerName": self.name,
            "type": self.kind,
            "version": self.version,
            "watchedNamespace": "",
        })
    }
}

/// Writes the inventory of all [`PROVIDERS`] and their namespaces.
pub async fn install(client: &PlaneClient) -> Result<()> {
    for provider in PROVIDERS {
        client.ensure_namespace(provider.namespace).await?;
        client.create(&provider.object(), "clusterctl").await?;
    }
    Ok(())
}
