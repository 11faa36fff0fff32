//! The IPAM contract of Cluster API, and Metal3 IPAM.

use serde_json::json;

use crate::example::{Example, belongs_to, needs, owns};

pub(crate) fn examples() -> Vec<Example> {
    vec![
        needs(
            "address-claim-pool",
            "IPAddressClaim.ipam.cluster.x-k8s.io",
            "IPPool.ipam.metal3.io",
            "target",
            json!({"spec": {"poolRef": {"apiGroup": "ipam.metal3.io", "kind": "IPPool", "name": "target"}}}),
        ),
        owns(
            "address-claim-address",
            "IPAddressClaim.ipam.cluster.x-k8s.io",
            "IPAddress.ipam.cluster.x-k8s.io",
            "target",
            json!({"status": {"addressRef": {"name": "target"}}}),
        ),
        needs(
            "address-pool",
            "IPAddress.ipam.cluster.x-k8s.io",
            "IPPool.ipam.metal3.io",
            "target",
            json!({"spec": {"poolRef": {"apiGroup": "ipam.metal3.io", "kind": "IPPool", "name": "target"}}}),
        ),
        belongs_to(
            "address-claim",
            "IPAddress.ipam.cluster.x-k8s.io",
            "IPAddressClaim.ipam.cluster.x-k8s.io",
            "target",
            json!({"spec": {"claimRef": {"name": "target"}}}),
        ),
        needs(
            "ip-claim-pool",
            "IPClaim.ipam.metal3.io",
            "IPPool.ipam.metal3.io",
            "target",
            json!({"spec": {"pool": {"apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "name": "target", "namespace": "metal3"}}}),
        ),
        owns(
            "ip-claim-address",
            "IPClaim.ipam.metal3.io",
            "IPAddress.ipam.metal3.io",
            "target",
            json!({"status": {"address": {"apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPAddress", "name": "target", "namespace": "metal3"}}}),
        ),
        needs(
            "ip-address-pool",
            "IPAddress.ipam.metal3.io",
            "IPPool.ipam.metal3.io",
            "target",
            json!({"spec": {"pool": {"apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "name": "target", "namespace": "metal3"}}}),
        ),
        belongs_to(
            "ip-address-claim",
            "IPAddress.ipam.metal3.io",
            "IPClaim.ipam.metal3.io",
            "target",
            json!({"spec": {"claim": {"apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPClaim", "name": "target", "namespace": "metal3"}}}),
        ),
    ]
}
