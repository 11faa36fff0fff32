//! Hosts, as baremetal-operator calls their kind, annotations and states.

use serde_json::Value;

use crate::kind::GroupKind;
use crate::object::Manifest;

const GROUP: &str = "metal3.io";
const KIND: &str = "BareMetalHost";
/// Annotation that asks to let go of a host.
pub const DETACHED: &str = "baremetalhost.metal3.io/detached";

/// The kind of hosts.
pub fn kind() -> GroupKind {
    GroupKind::new(GROUP, KIND)
}

/// True for the kind of hosts.
pub fn is_host(kind: &GroupKind) -> bool {
    kind.is(GROUP, KIND)
}

/// `status.provisioning.state`; empty for a host that no operator has seen.
pub fn state(host: &Manifest) -> &str {
    host.pointer("/status/provisioning/state").and_then(Value::as_str).unwrap_or_default()
}
