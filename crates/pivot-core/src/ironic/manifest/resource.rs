//! The resource of the Ironic Standalone Operator.

use serde_json::{Value, json};

use super::settings::Settings;
use super::{Document, managed};

/// Its name.
const NAME: &str = "ironic";
/// The operator's name of the container that serves DHCP.
const DNSMASQ: &str = "dnsmasq";
/// The label without which the operator does not see a Secret.
const LABEL: &str = "environment.metal3.io/ironic-standalone-operator: \"true\"";

pub(super) fn document(settings: &Settings) -> Document {
    let mut comments = vec![
        "Its operator starts it as soon as this is applied, and has to stand at zero replicas until the source's Ironic has stopped."
            .to_owned(),
    ];
    let provisioning = &settings.provisioning;
    let mut networking = json!({
        "interface": provisioning.interface(),
        "ipAddress": settings.endpoint().to_string(),
        // Newer operators have `keepalived` beside it, and take this one too.
        "ipAddressManager": "keepalived",
    });
    if let (Some(network), Some(range)) = (provisioning.network(), provisioning.ranges().first()) {
        networking["dhcp"] = json!({
            "networkCIDR": network.to_string(),
            "rangeBegin": range.begin().to_string(),
            "rangeEnd": range.end().to_string(),
        });
    }
    let mut spec = json!({"networking": networking});
    if let Some(secret) = &settings.secrets.auth {
        spec["apiCredentialsName"] = json!(secret);
    }
    if let Some(secret) = &settings.secrets.certificate {
        spec["tls"] = json!({"certificateName": secret});
    }
    if settings.secrets.auth.is_some() || settings.secrets.certificate.is_some() {
        comments.push(format!("The operator sees Secrets with the label {LABEL}."));
    }
    if let Some(container) = settings.lease_container() {
        spec["overrides"] = overrides(settings, &container);
        let lines = [
            "The overrides bring the leases to dnsmasq. They need the operator's feature gate Overrides, and an operator that puts the volume into its",
            "own container of that name: look at its Deployment, or the leases may be lost.",
        ];
        comments.extend(lines.map(str::to_owned));
    }
    let object = json!({
        "apiVersion": "ironic.metal3.io/v1alpha1",
        "kind": "Ironic",
        "metadata": {"name": NAME, "namespace": settings.namespace, "labels": managed()},
        "spec": spec,
    });
    Document { comments, object }
}

/// What is put over the operator's own pod: its container of dnsmasq gets the volume, which the init container fills.
fn overrides(settings: &Settings, container: &Value) -> Value {
    json!({
        "containers": [{"name": DNSMASQ, "volumeMounts": settings.lease_mounts()}],
        "initContainers": [container],
        "volumes": settings.lease_volumes(),
    })
}
