//! Ironic as a Deployment of a cluster: by itself, or kept by the Ironic Standalone Operator for an `Ironic` resource.

use serde_json::{Value, json};

use super::resource::IronicResource;
use crate::fence::Rescaler;
use crate::lease::CONFIG_MAP;
use crate::object::{Manifest, ObjectKey, Uid};

/// On a Deployment that `ironic stop` stopped: how many replicas it had.
pub const STOPPED: &str = "pivot.metal3.io/ironic-replicas";

/// API group of the `Ironic` resource.
const IRONIC_GROUP: &str = "ironic.metal3.io";
/// Ends the name of the operator's Deployment, whatever prefix its manifests were given.
const OPERATOR: &str = "ironic-standalone-operator-controller-manager";
/// Containers that make a Deployment an Ironic. In 2021 they stood beside baremetal-operator's own.
const CONTAINERS: [&str; 4] = ["ironic", "ironic-api", "ironic-conductor", "ironic-dnsmasq"];
/// Containers that serve DHCP.
const DHCP: [&str; 2] = ["dnsmasq", "ironic-dnsmasq"];

/// A Deployment that has to stand still while another cluster's Ironic acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IronicDeployment {
    /// The Deployment.
    pub key: ObjectKey,
    /// This very instance: its pods are told by it.
    pub uid: Uid,
    /// Its revision.
    pub resource_version: String,
    /// `spec.replicas`; 1 where nothing is said.
    pub replicas: i64,
    /// Pods of it that are ready.
    pub ready: i64,
    /// How many replicas it had before it was stopped; `None` where it was not.
    pub stopped: Option<i64>,
    /// What it is.
    pub part: IronicPart,
    /// Who else sets its replicas.
    pub rescaler: Option<Rescaler>,
    /// An operator's: the `Ironic` resources that it acts on when it runs.
    pub keeps: Vec<IronicResource>,
}

/// What a Deployment is to Ironic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IronicPart {
    /// The Ironic Standalone Operator.
    Operator,
    /// Ironic itself.
    Ironic {
        /// The container that serves DHCP.
        dhcp: Option<String>,
        /// The `Ironic` resource that it is made for.
        resource: Option<String>,
    },
}

/// Containers of baremetal-operator, which once ran beside Ironic.
const OPERATORS: [&str; 2] = ["manager", "baremetal-operator"];

fn containers(deployment: &Manifest) -> Vec<&str> {
    let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    containers.into_iter().flatten().filter_map(|container| container.get("name")?.as_str()).collect()
}

/// True for an Ironic that no controller runs beside, whatever its Deployment is called: it is no controller itself.
pub(crate) fn is_ironic_alone(deployment: &Manifest) -> bool {
    let names = containers(deployment);
    names.iter().any(|name| CONTAINERS.contains(name)) && !names.iter().any(|name| OPERATORS.contains(name))
}

impl IronicDeployment {
    fn read(deployment: &Manifest) -> Option<Self> {
        let is_operator = deployment.name().ends_with(OPERATOR);
        let containers = containers(deployment);
        let owner = deployment.owner_references().into_iter().find(|owner| owner.kind.group == IRONIC_GROUP);
        let part = if is_operator {
            IronicPart::Operator
        } else if owner.is_some() || containers.iter().any(|name| CONTAINERS.contains(name)) {
            let dhcp = containers.iter().find(|name| DHCP.contains(name)).map(|name| (*name).to_owned());
            IronicPart::Ironic { dhcp, resource: owner.as_ref().map(|owner| owner.name.clone()) }
        } else {
            return None;
        };
        let number = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_i64);
        // What the status says of an earlier generation may be of pods that were stopped since.
        let is_seen = number("/status/observedGeneration").unwrap_or(0) >= deployment.generation();
        Some(Self {
            key: deployment.key(),
            uid: deployment.uid(),
            resource_version: deployment.resource_version().to_owned(),
            replicas: number("/spec/replicas").unwrap_or(1),
            ready: number("/status/readyReplicas").filter(|_| is_seen).unwrap_or(0),
            stopped: deployment.annotation(STOPPED).and_then(|text| text.parse().ok()),
            part,
            rescaler: Rescaler::of(deployment),
            keeps: Vec::new(),
        })
    }

    /// True where it runs, or should.
    pub fn runs(&self) -> bool {
        self.replicas > 0
    }

    /// An operator's resources for which nothing of what was found is made.
    pub fn awaited(&self, found: &[Self]) -> impl Iterator<Item = &IronicResource> {
        self.keeps.iter().filter(|resource| !found.iter().any(|one| resource.owns(one)))
    }

    /// True where an operator keeps it for a resource.
    fn is_kept(&self) -> bool {
        matches!(self.part, IronicPart::Ironic { resource: Some(_), .. })
    }

    /// Who would start it again; the operator that is stopped first does not count.
    pub fn kept_by(&self) -> Option<&Rescaler> {
        self.rescaler
            .as_ref()
            .filter(|rescaler| !(self.is_kept() && matches!(rescaler, Rescaler::Operator { .. })))
    }

    /// The patch that stops it, guarded by its revision; `None` where it is stopped. What it had is written down with it.
    pub fn stop(&self) -> Option<Value> {
        // One that somebody stopped by hand is left as it is, and is not started later.
        self.runs().then(|| self.patch(&json!(self.replicas.to_string()), 0))
    }

    /// The patch that starts it again, guarded by its revision; `None` where we did not stop it.
    pub fn start(&self) -> Option<Value> {
        let replicas = self.stopped?;
        // Somebody may have started it since.
        Some(self.patch(&Value::Null, replicas.max(self.replicas)))
    }

    fn patch(&self, noted: &Value, replicas: i64) -> Value {
        json!({
            "metadata": {"resourceVersion": self.resource_version, "annotations": {STOPPED: noted}},
            "spec": {"replicas": replicas},
        })
    }
}

/// The Deployments of Ironic among those of a cluster, in the order in which they are stopped: an operator first, which would bring
/// the others back. It counts only where there is something that it keeps, or that it would make something for.
pub fn ironic_deployments(deployments: &[Manifest], resources: &[IronicResource]) -> Vec<IronicDeployment> {
    let mut found: Vec<IronicDeployment> = deployments.iter().filter_map(IronicDeployment::read).collect();
    if resources.is_empty() && !found.iter().any(IronicDeployment::is_kept) {
        found.retain(|found| found.part != IronicPart::Operator);
    }
    for operator in found.iter_mut().filter(|found| found.part == IronicPart::Operator) {
        operator.keeps = resources.to_vec();
    }
    found.sort_by_key(|found| (found.part != IronicPart::Operator, found.key.clone()));
    found
}

/// Those of a cluster's Deployments that are to run: what ran before it was stopped, and what its operator has made since. Where nothing is
/// known of that, or nothing of it is there any more, all were put there for this, also those that nobody stopped. Of an operator's resources
/// those are left that ran: another one may never have.
pub fn deployments_to_start(found: Vec<IronicDeployment>, before: &[ObjectKey]) -> Vec<IronicDeployment> {
    let was_there = |one: &IronicDeployment| before.contains(&one.key);
    let is_operator = |one: &&IronicDeployment| one.part == IronicPart::Operator;
    let has_operator = found.iter().filter(is_operator).any(was_there);
    let is_known = |one: &IronicDeployment| was_there(one) || (has_operator && one.is_kept());
    if found.iter().any(is_known) {
        let ran = |kept: &IronicResource| before.contains(&kept.deployment());
        let known = found.into_iter().filter(is_known);
        return known
            .map(|mut one| {
                one.keeps.retain(ran);
                one
            })
            .collect();
    }
    let prepared = |one: IronicDeployment| {
        let stopped = one.stopped.or((!one.runs()).then_some(1));
        IronicDeployment { stopped, ..one }
    };
    found.into_iter().map(prepared).collect()
}

/// The commands that save the leases of a pod before it is stopped.
pub fn lease_command(pod: &ObjectKey, container: &str) -> String {
    let namespace = pod.namespace.as_deref().unwrap_or_default();
    format!(
        "kubectl exec -n {namespace} {} -c {container} -- cat /data/dnsmasq/dnsmasq.leases > dnsmasq.leases, then `leases import dnsmasq.leases \
         -n {namespace}` (ConfigMap {CONFIG_MAP})",
        pod.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(name: &str, containers: &[&str], more: &Value) -> Manifest {
        let containers: Vec<Value> = containers.iter().map(|name| json!({"name": name})).collect();
        let mut metadata = json!({"name": name, "namespace": "metal3", "uid": format!("uid-{name}"), "resourceVersion": "7"});
        if let Some(more) = more.as_object() {
            metadata.as_object_mut().unwrap().extend(more.clone());
        }
        Manifest::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
        }))
    }

    fn by_operator() -> Value {
        json!({"ownerReferences": [
            {"apiVersion": "ironic.metal3.io/v1alpha1", "kind": "Ironic", "name": "ironic", "uid": "u", "controller": true},
        ]})
    }

    #[test]
    fn every_form_is_known_by_its_containers_or_its_owner() {
        let operator = "ironic-standalone-operator-controller-manager";
        let all = [
            deployment("ironic-service", &["httpd", "dnsmasq", "ironic"], &by_operator()),
            deployment(
                "baremetal-operator-ironic",
                &["ironic-dnsmasq", "ironic", "ironic-httpd"],
                &Value::Null,
            ),
            deployment("metal3-baremetal-operator", &["baremetal-operator", "ironic-dnsmasq"], &Value::Null),
            deployment("baremetal-operator-controller-manager", &["manager"], &Value::Null),
            deployment(operator, &["manager"], &Value::Null),
        ];
        let names = |found: &[IronicDeployment]| -> Vec<String> {
            found.iter().map(|found| found.key.name.clone()).collect()
        };
        let found = ironic_deployments(&all, &[]);
        assert_eq!(
            names(&found),
            [operator, "baremetal-operator-ironic", "ironic-service", "metal3-baremetal-operator"]
        );
        assert_eq!(
            found[2].part,
            IronicPart::Ironic { dhcp: Some("dnsmasq".to_owned()), resource: Some("ironic".to_owned()) }
        );
        assert_eq!(found[2].kept_by(), None, "its operator is stopped before it");
        assert_eq!(
            names(&ironic_deployments(&all[1..], &[])).len(),
            2,
            "an operator that keeps nothing is left alone"
        );
    }

    #[test]
    fn only_what_ran_runs_again() {
        let all =
            [deployment("idle", &["ironic"], &Value::Null), deployment("ours", &["ironic"], &Value::Null)];
        let all = ironic_deployments(&all, &[]);
        let still: Vec<_> = all.into_iter().map(|one| IronicDeployment { replicas: 0, ..one }).collect();
        let names = |before: &[ObjectKey]| -> Vec<(String, Option<i64>)> {
            let started = deployments_to_start(still.clone(), before);
            started.into_iter().map(|one| (one.key.name, one.stopped)).collect()
        };
        let ours = still.iter().find(|one| one.key.name == "ours").unwrap().key.clone();
        assert_eq!(
            names(std::slice::from_ref(&ours)),
            [("ours".to_owned(), None)],
            "its user left it at zero since"
        );
        let prepared = [("idle".to_owned(), Some(1)), ("ours".to_owned(), Some(1))];
        assert_eq!(names(&[]), prepared);
        assert_eq!(names(&[ObjectKey { name: "gone".to_owned(), ..ours }]), prepared);
    }

    #[test]
    fn what_an_operator_made_since_runs_with_it() {
        let operator = "ironic-standalone-operator-controller-manager";
        let all = [
            deployment("idle", &["ironic"], &Value::Null),
            deployment("ironic-service", &["ironic"], &by_operator()),
            deployment(operator, &["manager"], &Value::Null),
        ];
        let all = ironic_deployments(&all, &[]);
        let before = [all[0].key.clone()];
        let started = deployments_to_start(all, &before);
        let names: Vec<&str> = started.iter().map(|one| one.key.name.as_str()).collect();
        assert_eq!(names, [operator, "ironic-service"]);
    }

    #[test]
    fn a_stop_notes_what_it_had_and_a_start_gives_it_back() {
        let running = &ironic_deployments(&[deployment("metal3-ironic", &["ironic"], &Value::Null)], &[])[0];
        let stop = running.stop().unwrap();
        assert_eq!(stop["metadata"]["annotations"][STOPPED], "1");
        assert_eq!(
            (&stop["spec"]["replicas"], &stop["metadata"]["resourceVersion"]),
            (&json!(0), &json!("7"))
        );
        assert_eq!(running.start(), None, "what we did not stop we do not start");
        let stopped = IronicDeployment { replicas: 0, stopped: Some(1), ..running.clone() };
        assert_eq!(stopped.stop(), None, "what it had is not forgotten");
        let start = stopped.start().unwrap();
        assert_eq!(
            (&start["spec"]["replicas"], &start["metadata"]["annotations"][STOPPED]),
            (&json!(1), &Value::Null)
        );
    }
}
