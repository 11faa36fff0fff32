//! The controllers of the moved kinds, and how they are stopped.
//!
//! A manager that elects a leader goes on serving webhooks and conversions while it does not lead: so its lease is taken. The
//! others are scaled to zero.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::rescaler::Rescaler;
use crate::ironic::is_ironic_alone;
use crate::kind::PROVIDER_LABEL;
use crate::marks;
use crate::object::{Manifest, ObjectKey};

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
    /// `spec.replicas`; 1 where nothing is said.
    pub replicas: i64,
    /// How many replicas it had before an earlier pivot stopped it; `None` where none did. It may have been started since, by somebody
    /// or by a pivot that is being undone.
    pub asleep: Option<i64>,
    /// True where one of its pods was ready.
    pub ready: bool,
    /// Its provider, such as `infrastructure-metal3`.
    pub provider: String,
    /// What would start it again.
    pub rescaler: Option<Rescaler>,
    /// Its leader leases; empty where it does not elect a leader.
    pub leases: Vec<LeaderLease>,
}

impl Controller {
    /// True where it is stopped by taking its lease, false where it is scaled to zero.
    pub fn elects(&self) -> bool {
        !self.leases.is_empty()
    }

    /// The order in which a cluster's controllers are started: those of hosts first, then what is built on them. A Cluster that acts
    /// on hosts which stand still does no harm, the other way round it might.
    pub fn rank(&self) -> u8 {
        let provider = self.provider.as_str();
        if matches!(provider, BAREMETAL_OPERATOR | "metal3") {
            0
        } else if provider.starts_with("infrastructure-") || provider.starts_with("ipam-") {
            1
        } else {
            2
        }
    }
}

/// The lease by which the replicas of a manager elect their leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderLease {
    /// The Lease.
    pub key: ObjectKey,
    /// Who leads; `None` where nobody does.
    pub holder: Option<String>,
    /// How long followers take the holder for alive, in seconds.
    pub duration_seconds: Option<i64>,
}

impl LeaderLease {
    /// As it stands in a cluster.
    pub fn read(lease: &Manifest) -> Self {
        let holder = lease.pointer("/spec/holderIdentity").and_then(Value::as_str);
        Self {
            key: lease.key(),
            holder: holder.filter(|holder| !holder.is_empty()).map(str::to_owned),
            duration_seconds: lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_i64),
        }
    }
}

/// Finds the controllers among Deployments, and their leases among those of the same namespaces.
///
/// A lease belongs to the Deployment whose pods it is held by: their names begin with its name. One that nobody holds, or that a
/// pivot holds, belongs to the Deployment that a pivot stopped with it, or to the only one of its namespace that has none.
pub fn controllers(deployments: &[Manifest], leases: &[Manifest]) -> Vec<Controller> {
    let mut found: Vec<Controller> = deployments.iter().filter_map(read).collect();
    found.sort_by(|a, b| a.deployment.cmp(&b.deployment));
    let noted: BTreeSet<(ObjectKey, &str)> = deployments.iter().flat_map(noted_leases).collect();
    let mut unheld: BTreeMap<Option<String>, Vec<LeaderLease>> = BTreeMap::new();
    for lease in leases.iter().map(LeaderLease::read) {
        let is_noted = |c: &Controller| noted.contains(&(c.deployment.clone(), lease.key.name.as_str()));
        let holder = lease.holder.as_deref().filter(|holder| captured_by(holder).is_none());
        let is_here = |c: &&mut Controller| c.deployment.namespace == lease.key.namespace;
        let owner = match holder {
            // Of several whose names begin alike the longest is meant.
            Some(holder) => found
                .iter_mut()
                .filter(is_here)
                .filter(|c| is_pod_of(holder, &c.deployment.name))
                .max_by_key(|c| c.deployment.name.len()),
            None => found.iter_mut().filter(is_here).find(|c| is_noted(c)),
        };
        match owner {
            Some(owner) => owner.leases.push(lease),
            None if holder.is_none() => unheld.entry(lease.key.namespace.clone()).or_default().push(lease),
            None => {}
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

fn is_pod_of(holder: &str, deployment: &str) -> bool {
    holder.strip_prefix(deployment).is_some_and(|rest| rest.starts_with('-'))
}

/// The leases that a pivot noted when it stopped a Deployment.
fn noted_leases(deployment: &Manifest) -> impl Iterator<Item = (ObjectKey, &str)> {
    let names = deployment.annotation(marks::LEASES).into_iter().flat_map(|names| names.split(','));
    names.map(|name| (deployment.key(), name))
}

fn read(deployment: &Manifest) -> Option<Controller> {
    let name = deployment.name();
    let provider = match deployment.label(PROVIDER_LABEL) {
        Some(provider) => provider,
        None if name.contains(BAREMETAL_OPERATOR) => BAREMETAL_OPERATOR,
        None => return None,
    };
    if is_ironic_alone(deployment) {
        return None;
    }
    let replicas = deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let before = deployment.annotation(marks::REPLICAS).and_then(|before| before.parse().ok());
    Some(Controller {
        deployment: deployment.key(),
        replicas,
        asleep: before.filter(|before: &i64| *before > 0),
        ready: deployment.pointer("/status/readyReplicas").and_then(Value::as_i64).unwrap_or(0) > 0,
        provider: provider.to_owned(),
        rescaler: Rescaler::of(deployment),
        leases: Vec::new(),
    })
}

/// The pivot that holds a lease.
pub fn captured_by(holder: &str) -> Option<&str> {
    holder.strip_prefix(HOLDER)
}

/// The `spec` fields of a captured lease.
pub fn captured_spec(pivot_id: &str) -> Value {
    json!({"holderIdentity": format!("{HOLDER}{pivot_id}"), "leaseDurationSeconds": CAPTURED_SECONDS})
}

/// The fields of a lease that a capture changes, as they are.
pub fn original(lease: &LeaderLease) -> Value {
    json!({"holderIdentity": lease.holder, "leaseDurationSeconds": lease.duration_seconds})
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
    fn ironic_is_no_controller_unless_one_runs_in_its_pod() {
        let of = |containers: &[&str]| {
            let mut found = deployment("metal3", "baremetal-operator-ironic", None).into_value();
            let containers: Vec<_> = containers.iter().map(|name| json!({"name": name})).collect();
            found["spec"]["template"]["spec"]["containers"] = containers.into();
            shown(&[Manifest::new(found)], &[]).len()
        };
        assert_eq!(of(&["ironic-dnsmasq", "ironic", "ironic-httpd"]), 0);
        assert_eq!(of(&["baremetal-operator", "ironic-dnsmasq", "ironic"]), 1, "as in 2021");
        assert_eq!(of(&["manager"]), 1);
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
    fn what_a_pivot_stopped_is_known_with_its_leases() {
        let asleep = |name: &str, leases: &str, replicas: i64| {
            let mut found = deployment("a", name, Some("p")).into_value();
            found["metadata"]["annotations"] = json!({marks::REPLICAS: "2", marks::LEASES: leases});
            found["spec"]["replicas"] = replicas.into();
            Manifest::new(found)
        };
        let deployments = [asleep("m", "first,third", 0), asleep("n", "second", 0), asleep("o", "", 1)];
        let leases = ["first", "second", "third"].map(|name| lease("a", name, ""));
        assert_eq!(shown(&deployments, &leases), ["a/m p first,third", "a/n p second", "a/o p "]);
        let found = controllers(&deployments, &leases);
        // The last one was started since.
        let states: Vec<_> = found.iter().map(|c| (c.asleep, c.replicas)).collect();
        assert_eq!(states, [(Some(2), 0), (Some(2), 0), (Some(2), 1)]);
    }

    #[test]
    fn hosts_come_first() {
        let rank = |provider: &str| controllers(&[deployment("a", "m", Some(provider))], &[])[0].rank();
        let order = [
            "baremetal-operator",
            "infrastructure-metal3",
            "ipam-metal3",
            "cluster-api",
            "bootstrap-kubeadm",
        ];
        assert_eq!(order.map(rank), [0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_capture_changes_holder_and_duration() {
        let lease = LeaderLease::read(&lease("a", "election", "m-1-2_3"));
        assert_eq!(
            (lease.duration_seconds, lease.key.kind.clone()),
            (Some(15), GroupKind::new("coordination.k8s.io", "Lease"))
        );
        assert_eq!(
            captured_spec("p1"),
            json!({"holderIdentity": "pivotctl/p1", "leaseDurationSeconds": 2_147_483_647})
        );
        assert_eq!(captured_by("pivotctl/p1"), Some("p1"));
        assert_eq!(original(&lease), json!({"holderIdentity": "m-1-2_3", "leaseDurationSeconds": 15}));
    }
}
