//! What stands in the Lease.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use pivot_core::kind::{GroupKind, KindInfo};
use pivot_core::machine::Op;
use pivot_core::marks;
use pivot_core::object::{Manifest, ObjectKey, Uid};
use pivot_core::record::NAMESPACE;
use pivot_core::rewrite::OWN_MANAGER;
use serde_json::{Value, json};

use super::LEASE;
use crate::cluster::discovery::core_kind;

/// The version in which Leases are read and written.
pub(super) const VERSION: &str = "v1";

pub(super) fn kind() -> KindInfo {
    KindInfo { kind: GroupKind::new("coordination.k8s.io", "Lease"), ..core_kind("Lease", "leases") }
}

pub(super) fn key() -> ObjectKey {
    ObjectKey::new(kind().kind, Some(NAMESPACE), LEASE)
}

/// A Lease as it was read.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) uid: Uid,
    pub(super) resource_version: String,
    /// `None` for one that was given back.
    pub(super) holder: Option<String>,
    pub(super) duration: Option<Duration>,
    pub(super) pivot: Option<String>,
    transitions: i64,
}

impl Lease {
    pub(super) fn read(manifest: &Manifest) -> Self {
        let spec = &manifest.value()["spec"];
        let seconds = spec["leaseDurationSeconds"].as_u64().filter(|seconds| *seconds > 0);
        Self {
            uid: manifest.uid(),
            resource_version: manifest.resource_version().to_owned(),
            holder: spec["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).map(str::to_owned),
            duration: seconds.map(Duration::from_secs),
            pivot: manifest.annotation(marks::PIVOT_ID).map(str::to_owned),
            transitions: spec["leaseTransitions"].as_i64().unwrap_or_default(),
        }
    }
}

/// What we write into a Lease.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) holder: String,
    pub(super) pivot: String,
    pub(super) seconds: u64,
}

impl Claim {
    pub(super) fn create(&self) -> Op {
        let now = now();
        let body = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE, "namespace": NAMESPACE, "annotations": self.annotations()},
            "spec": {"holderIdentity": self.holder, "leaseDurationSeconds": self.seconds, "acquireTime": now,
                "renewTime": now, "leaseTransitions": 0},
        });
        Op::Create { body, manager: OWN_MANAGER.to_owned() }
    }

    /// Takes a Lease that another one had; fails where it has changed since.
    pub(super) fn take_over(&self, lease: &Lease) -> Op {
        let now = now();
        let patch = json!({
            "metadata": {"resourceVersion": lease.resource_version, "annotations": self.annotations()},
            "spec": {"holderIdentity": self.holder, "leaseDurationSeconds": self.seconds, "acquireTime": now,
                "renewTime": now, "leaseTransitions": lease.transitions.saturating_add(1)},
        });
        Op::Merge { patch, manager: OWN_MANAGER.to_owned() }
    }

    /// Renews our own; fails where it has changed since.
    pub(super) fn renew(&self, resource_version: &str) -> Op {
        let patch = json!({
            "metadata": {"resourceVersion": resource_version},
            "spec": {"holderIdentity": self.holder, "renewTime": now()},
        });
        Op::Merge { patch, manager: OWN_MANAGER.to_owned() }
    }

    fn annotations(&self) -> Value {
        json!({ marks::PIVOT_ID: self.pivot })
    }
}

/// For people who look at the Lease; nothing reads it.
fn now() -> Value {
    serde_json::to_value(MicroTime(Timestamp::now())).expect("BUG: a time is no JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spec: &Value) -> Lease {
        Lease::read(&Manifest::new(json!({"metadata": {"uid": "u", "resourceVersion": "5"}, "spec": spec})))
    }

    #[test]
    fn odd_leases_read_as_far_as_they_go() {
        let empty = read(&json!({"holderIdentity": "", "leaseDurationSeconds": 0}));
        assert_eq!((empty.holder, empty.duration, empty.transitions), (None, None, 0));
        let odd = read(&json!({"holderIdentity": 7, "leaseDurationSeconds": "x", "renewTime": "yesterday"}));
        assert_eq!((odd.holder, odd.duration), (None, None));
    }

    #[test]
    fn a_takeover_counts_and_is_guarded() {
        let lease = read(&json!({"holderIdentity": "a", "leaseTransitions": 4}));
        let claim = Claim { holder: "b".to_owned(), pivot: "p".to_owned(), seconds: 20 };
        let Op::Merge { patch, .. } = claim.take_over(&lease) else { panic!("no patch") };
        assert_eq!(
            (&patch["spec"]["leaseTransitions"], &patch["metadata"]["resourceVersion"]),
            (&json!(5), &json!("5"))
        );
    }
}
