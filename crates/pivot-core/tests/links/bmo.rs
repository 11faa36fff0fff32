//! baremetal-operator.

use serde_json::json;

use crate::example::{Example, belongs_to, needs, owns};

pub(crate) fn examples() -> Vec<Example> {
    vec![
        belongs_to(
            "host-consumer",
            "BareMetalHost.metal3.io",
            "Metal3Machine.infrastructure.cluster.x-k8s.io",
            "target",
            json!({"spec": {"consumerRef": {"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "Metal3Machine", "name": "target", "namespace": "metal3"}}}),
        ),
        needs(
            "host-credentials",
            "BareMetalHost.metal3.io",
            "Secret",
            "target",
            json!({"spec": {"bmc": {"credentialsName": "target"}}}),
        ),
        needs(
            "host-user-data",
            "BareMetalHost.metal3.io",
            "Secret",
            "target",
            json!({"spec": {"userData": {"name": "target", "namespace": "metal3"}}}),
        ),
        needs(
            "host-meta-data",
            "BareMetalHost.metal3.io",
            "Secret",
            "target",
            json!({"spec": {"metaData": {"name": "target", "namespace": "metal3"}}}),
        ),
        needs(
            "host-network-data",
            "BareMetalHost.metal3.io",
            "Secret",
            "target",
            json!({"spec": {"networkData": {"name": "target", "namespace": "metal3"}}}),
        ),
        needs(
            "host-preprovisioning-network-data",
            "BareMetalHost.metal3.io",
            "Secret",
            "target",
            json!({"spec": {"preprovisioningNetworkDataName": "target"}}),
        ),
        owns("host-hardware", "BareMetalHost.metal3.io", "HardwareData.metal3.io", "x", json!({})),
        owns(
            "host-firmware-settings",
            "BareMetalHost.metal3.io",
            "HostFirmwareSettings.metal3.io",
            "x",
            json!({}),
        ),
        owns(
            "host-firmware-components",
            "BareMetalHost.metal3.io",
            "HostFirmwareComponents.metal3.io",
            "x",
            json!({}),
        ),
        owns("host-update-policy", "BareMetalHost.metal3.io", "HostUpdatePolicy.metal3.io", "x", json!({})),
        owns("host-data-image", "BareMetalHost.metal3.io", "DataImage.metal3.io", "x", json!({})),
        owns(
            "host-preprovisioning-image",
            "BareMetalHost.metal3.io",
            "PreprovisioningImage.metal3.io",
            "x",
            json!({}),
        ),
        needs(
            "preprovisioning-image-network-data",
            "PreprovisioningImage.metal3.io",
            "Secret",
            "target",
            json!({"spec": {"networkDataName": "target"}}),
        ),
        belongs_to(
            "event-subscription-host",
            "BMCEventSubscription.metal3.io",
            "BareMetalHost.metal3.io",
            "target",
            json!({"spec": {"hostName": "target"}}),
        ),
        needs(
            "event-subscription-headers",
            "BMCEventSubscription.metal3.io",
            "Secret",
            "target",
            json!({"spec": {"httpHeadersRef": {"name": "target", "namespace": "metal3"}}}),
        ),
        needs(
            "firmware-schema",
            "HostFirmwareSettings.metal3.io",
            "FirmwareSchema.metal3.io",
            "target",
            json!({"status": {"schema": {"name": "target", "namespace": "metal3"}}}),
        ),
    ]
}
