//! What a Cluster consists of, as a tree: its infrastructure, its control plane, its workers, their Machines and the host of each.

mod tree;

use serde::Serialize;
use serde_json::Value;

pub use self::tree::{SKELETON, named_kinds, tree};
use crate::condition::Condition;
use crate::object::{Manifest, ObjectKey};

/// One object of the tree, or a group of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// What it is to the one above it; absent where its kind says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The object; absent for a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectKey>,
    /// True where it is named and does not exist.
    #[serde(skip_serializing_if = "is_not")]
    pub missing: bool,
    /// True where it is being deleted.
    #[serde(skip_serializing_if = "is_not")]
    pub deleting: bool,
    /// True where it is paused by itself.
    #[serde(skip_serializing_if = "is_not")]
    pub paused: bool,
    /// Machines, where it makes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// The condition that sums it up: `Available` of what makes Machines, `Ready` of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// What a host is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostState>,
    /// What stands below it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Self>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_not(flag: &bool) -> bool {
    !flag
}

/// What an object is to the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Infrastructure of the Cluster.
    ClusterInfrastructure,
    /// Its control plane.
    ControlPlane,
    /// The group of what makes the other Machines.
    Workers,
    /// The group of Machines that nothing in the tree made.
    Other,
    /// Infrastructure of a Machine, or of a pool of them.
    MachineInfrastructure,
    /// How a Machine, or a pool of them, becomes a node.
    Bootstrap,
    /// The host that a Machine runs on.
    Host,
}

/// How many Machines there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Replicas {
    /// There are.
    pub has: i64,
    /// There are to be.
    pub wants: i64,
}

/// What a BareMetalHost says of itself. What it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostState {
    /// `status.provisioning.state`.
    pub state: String,
    /// `status.operationalStatus`.
    pub operational_status: String,
    /// `status.poweredOn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub powered_on: Option<bool>,
    /// `status.errorType`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error_type: String,
    /// `status.errorMessage`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error_message: String,
}

impl HostState {
    fn of(host: &Manifest) -> Self {
        let text =
            |pointer: &str| host.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            state: text("/status/provisioning/state"),
            operational_status: text("/status/operationalStatus"),
            powered_on: host.pointer("/status/poweredOn").and_then(Value::as_bool),
            error_type: text("/status/errorType"),
            error_message: text("/status/errorMessage"),
        }
    }
}

#[cfg(test)]
mod tests;
