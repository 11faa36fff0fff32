//! The controllers of the moved kinds, and how they are stopped.
//!
//! A manager that elects a leader goes on serving webhooks and conversions while it does not lead: so its lease is taken. The
//! others are scaled to zero.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kind::PROVIDER_LABEL;
use crate::object::{Manifest, ObjectKey, Uid};

/// How long a captured lease is valid: as long as the field can say. Nobody renews it, and nobody outlives it.
pub const CAPTURED_SECONDS: i32 = i32::MAX;

/// What the holder of a captured lease is called, before the pivot's id.
const HOLDER: &str = "pivotctl/";
/// Its manifests carry no provider label where they were not installed by clusterctl.
const BAREMETAL_OPERATOR: &str = "baremetal-operator";

/// A manager that acts on moved kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Its Deployment.
    pub deployment: ObjectKey,
    /// Instance of the Deployment.
    pub uid: Uid,
    /// Revision of the Deployment.
    pub resource_version: String,
    /// `spec.replicas`; 1 where nothing is said.
    pub replicas: i64,
    /// Its provider, such as `infrastructure-metal3`.
    pub provider: String,
    /// Its leader leases; empty where it does not elect a leader.
    pub leases: Vec<LeaderLease>,
}

impl Controller {
    /// True where it is stopped by taking its lease, false where it is scaled to zero.
    pub fn elects(&self) -> bool {
        !self.leases.is_empty()
    }
}

/// The lease by which the replicas of a manager elect their leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderLease {
    /// The Lease.
    pub key: ObjectKey,
    /// Instance.
    pub uid: Uid,
    /// Revision.
    pub resource_version: String,
    /// Who leads; `None` where nobody does.
    pub holder: Option<String>,
    /// How long followers take the holder for alive, in seconds.
    pub duration_seconds: Option<i64>,
    /// How often the leader changed.
    pub transitions: Option<i64>,
}

impl LeaderLease {
    /// As it stands in a cluster.
    pub fn read(lease: &Manifest) -> Self {
        let number = |field: &str| lease.pointer(field).and_then(Value::as_i64);
        let holder = lease.pointer("/spec/holderIdentity").and_then(Value::as_str);
        Self {
            key: lease.key(),
            uid: lease.uid(),
            resource_version: lease.resource_version().to_owned(),
            holder: holder.filter(|holder| !holder.is_empty()).map(str::to_owned),
            duration_seconds: number("/spec/leaseDurationSeconds"),
            transitions: number("/spec/leaseTransitions"),
        }
    }
}

/// Finds the controllers among Deployments, and their leases among those of the same namespaces.
///
/// A lease belongs to the Deployment whose pods it is held by: their names begin with its name. One that nobody holds, or that a
/// pivot holds, belongs to the only Deployment of its namespace that has none.
pub fn controllers(deployments: &[Manifest], leases: &[Manifest]) -> Vec<Controller> {
    let mut found: Vec<Controller> = deployments.iter().filter_map(read).collect();
    found.sort_by(|a, b| a.deployment.cmp(&b.deployment));
    let mut unheld: BTreeMap<Option<String>, Vec<LeaderLease>> = BTreeMap::new();
    for lease in leases.iter().map(LeaderLease::read) {
        match lease.holder.as_deref().filter(|holder| captured_by(holder).is_none()) {
            Some(holder) => {
                if let Some(owner) = holder_of(&mut found, &lease, holder) {
                    owner.leases.push(lease);
                }
            }
            None => unheld.entry(lease.key.namespace.clone()).or_default().push(lease),
        }
    }
    for (namespace, leases) in unheld {
        let without = found.iter_mut().filter(|c| c.deployment.namespace == namespace && !c.elects());
        if let ([only], [_]) = (without.collect::<Vec<_>>().as_mut_slice(), leases.as_slice()) {
            only.leases = leases;
        }
    }
    found
}

fn read(deployment: &Manifest) -> Option<Controller> {
    let name = deployment.name();
    let provider = match deployment.label(PROVIDER_LABEL) {
        Some(provider) => provider,
        None if name.contains(BAREMETAL_OPERATOR) => BAREMETAL_OPERATOR,
        None => return None,
    };
    Some(Controller {
        deployment: deployment.key(),
        uid: deployment.uid(),
        resource_version: deployment.resource_version().to_owned(),
        replicas: deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1),
        provider: provider.to_owned(),
        leases: Vec::new(),
    })
}

/// Of several whose names begin alike the longest is meant.
fn holder_of<'a>(
    controllers: &'a mut [Controller],
    lease: &LeaderLease,
    holder: &str,
) -> Option<&'a mut Controller> {
    let is_pod_of = |name: &str| holder.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    controllers
        .iter_mut()
        .filter(|controller| controller.deployment.namespace == lease.key.namespace)
        .filter(|controller| is_pod_of(&controller.deployment.name))
        .max_by_key(|controller| controller.deployment.name.len())
}

/// The pivot that holds a lease.
pub fn captured_by(holder: &str) -> Option<&str> {
    holder.strip_prefix(HOLDER)
}

/// The `spec` fields of a captured lease.
pub fn captured_spec(pivot_id: &str) -> Value {
    json!({"holderIdentity": format!("{HOLDER}{pivot_id}"), "leaseDurationSeconds": CAPTURED_SECONDS})
}

/// Takes a lease, if it is still as it was seen: its leader fails to renew it and leaves, and no other comes.
pub fn capture_patch(lease: &LeaderLease, pivot_id: &str) -> Value {
    json!({
        "metadata": {"uid": lease.uid, "resourceVersion": lease.resource_version},
        "spec": captured_spec(pivot_id),
    })
}

/// The fields of a lease that a capture changes, as they are.
pub fn original(lease: &LeaderLease) -> Value {
    json!({"holderIdentity": lease.holder, "leaseDurationSeconds": lease.duration_seconds})
}

/// Gives a lease back: the duration is what it was, and nobody holds it, so that an election begins at once. Who held it before
/// has left, or takes it again like anybody else.
pub fn release_patch(resource_version: &str, original: &Value) -> Value {
    json!({
        "metadata": {"resourceVersion": resource_version},
        "spec": {"holderIdentity": null, "leaseDurationSeconds": original["leaseDurationSeconds"]},
    })
}

/// Sets the number of replicas of a Deployment, if it is still as it was seen.
pub fn scale_patch(resource_version: &str, replicas: i64) -> Value {
    json!({"metadata": {"resourceVersion": resource_version}, "spec": {"replicas": replicas}})
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kind::GroupKind;

    pub(in super::super) fn controller(namespace: &str, name: &str, elects: bool) -> Controller {
        let deployments = [deployment(namespace, name, Some("any"))];
        let leases = [lease(namespace, "election", &format!("{name}-6d5-x_1"))];
        controllers(&deployments, if elects { &leases } else { &[] }).remove(0)
    }

    fn deployment(namespace: &str, name: &str, provider: Option<&str>) -> Manifest {
        let labels = provider.map(|provider| json!({PROVIDER_LABEL: provider}));
        Manifest::new(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": labels, "resourceVersion": "5"},
            "spec": {"replicas": 2}}))
    }

    fn lease(namespace: &str, name: &str, holder: &str) -> Manifest {
        Manifest::new(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "namespace": namespace, "uid": "u", "resourceVersion": "7"},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 3}}))
    }

    fn shown(deployments: &[Manifest], leases: &[Manifest]) -> Vec<String> {
        let found = controllers(deployments, leases);
        let leases =
            |c: &Controller| c.leases.iter().map(|l| l.key.name.clone()).collect::<Vec<_>>().join(",");
        found.iter().map(|c| format!("{} {} {}", c.deployment.path(), c.provider, leases(c))).collect()
    }

    #[test]
    fn a_lease_belongs_to_the_deployment_whose_pod_holds_it() {
        let deployments = [
            deployment("metal3", "capm3", Some("infrastructure-metal3")),
            deployment("metal3", "capm3-baremetal-operator-controller-manager", None),
            deployment("metal3", "ironic", Some("metal3")),
            deployment("metal3", "somebody", None),
            deployment("elsewhere", "capm3", Some("infrastructure-metal3")),
        ];
        let leases = [
            lease("metal3", "one", "capm3-6d5-x_1"),
            lease("metal3", "two", "capm3-baremetal-operator-controller-manager-77-y_2"),
            lease("metal3", "three", "somebody-6d5-x_1"),
            lease("metal3", "four", "capm3x-6d5-x_1"),
        ];
        assert_eq!(
            shown(&deployments, &leases),
            [
                "elsewhere/capm3 infrastructure-metal3 ",
                "metal3/capm3 infrastructure-metal3 one",
                "metal3/capm3-baremetal-operator-controller-manager baremetal-operator two",
                "metal3/ironic metal3 ",
            ]
        );
    }

    #[test]
    fn a_lease_that_nobody_holds_belongs_to_the_only_manager_without_one() {
        let one = [deployment("a", "m", Some("p"))];
        for holder in ["", "pivotctl/p1"] {
            assert_eq!(shown(&one, &[lease("a", "election", holder)]), ["a/m p election"]);
        }
        let two = [deployment("a", "m", Some("p")), deployment("a", "n", Some("p"))];
        assert_eq!(shown(&two, &[lease("a", "election", "")]), ["a/m p ", "a/n p "]);
        assert_eq!(
            shown(&two, &[lease("a", "first", ""), lease("a", "second", "n-1-2_3")]),
            ["a/m p first", "a/n p second"]
        );
    }

    #[test]
    fn capture_and_release_touch_holder_and_duration() {
        let lease = LeaderLease::read(&lease("a", "election", "m-1-2_3"));
        assert_eq!((lease.duration_seconds, lease.transitions), (Some(15), Some(3)));
        assert_eq!(lease.key.kind, GroupKind::new("coordination.k8s.io", "Lease"));
        let captured = capture_patch(&lease, "p1");
        assert_eq!(captured["metadata"], json!({"uid": "u", "resourceVersion": "7"}));
        assert_eq!(
            captured["spec"],
            json!({"holderIdentity": "pivotctl/p1", "leaseDurationSeconds": 2_147_483_647})
        );
        assert_eq!(captured_by("pivotctl/p1"), Some("p1"));
        let original = original(&lease);
        assert_eq!(original, json!({"holderIdentity": "m-1-2_3", "leaseDurationSeconds": 15}));
        assert_eq!(
            release_patch("9", &original)["spec"],
            json!({"holderIdentity": null, "leaseDurationSeconds": 15})
        );
        assert_eq!(scale_patch("9", 0)["spec"], json!({"replicas": 0}));
    }
}
