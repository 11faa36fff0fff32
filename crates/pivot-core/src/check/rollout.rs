//! Whether Machines are being replaced, added, removed or remediated.

use serde_json::Value;

use super::steadiness::WAIT;
use super::{CheckId, Finding};
use crate::condition::Condition;
use crate::inventory::Object;
use crate::object::Manifest;
use crate::pause::PauseField;

/// Annotation by which a person has a Machine remediated.
const REMEDIATE: &str = "cluster.x-k8s.io/remediate-machine";
/// Annotation by which KubeadmControlPlane remembers the Machine that it remediates.
const REMEDIATING: &str = "controlplane.cluster.x-k8s.io/remediation-in-progress";

pub(super) fn check(object: &Object, findings: &mut Vec<Finding>) {
    for (id, what) in under_way(object) {
        findings.push(Finding::error(id, Some(&object.key), what, WAIT));
    }
}

/// What happens to the Machines of an object, or to the object itself.
pub(crate) fn under_way(object: &Object) -> impl Iterator<Item = (CheckId, String)> {
    let machines = Machines(object);
    let (rollout, remediation) = match (object.key.kind.group.as_str(), object.key.kind.kind.as_str()) {
        ("cluster.x-k8s.io", "Cluster") => (machines.topology(), None),
        ("cluster.x-k8s.io", "Machine") => (machines.update(), machines.remediated()),
        ("cluster.x-k8s.io", "MachineDeployment") | ("controlplane.cluster.x-k8s.io", _) => (
            machines.unseen().or_else(|| machines.replacing()).or_else(|| machines.scaling()),
            machines.remediating(),
        ),
        // What a MachineDeployment does to its MachineSets it tells itself, and to others nothing is replaced.
        ("cluster.x-k8s.io", "MachineSet") if machines.is_deployed() => (None, None),
        ("cluster.x-k8s.io", "MachineSet" | "MachinePool") => {
            (machines.unseen().or_else(|| machines.scaling()), machines.remediating())
        }
        // It knows no pause: a host would go on being power-cycled while it moves.
        ("infrastructure.cluster.x-k8s.io", "Metal3Remediation") => {
            (None, Some("is a remediation under way, which goes on whatever is paused".to_owned()))
        }
        _ => (None, None),
    };
    let found = [(CheckId::RolloutInProgress, rollout), (CheckId::RemediationInProgress, remediation)];
    found.into_iter().filter_map(|(id, what)| Some((id, what?)))
}

/// Machines, or what makes them.
/// What a controller has not looked at yet.
pub(crate) fn unseen(manifest: &Manifest) -> Option<String> {
    let seen = manifest.pointer("/status/observedGeneration").and_then(Value::as_i64)?;
    (seen < manifest.generation()).then(|| "its controller has not seen its newest spec yet".to_owned())
}

struct Machines<'a>(&'a Object);

impl Machines<'_> {
    fn number(&self, pointer: &str) -> Option<i64> {
        self.0.manifest.pointer(pointer).and_then(Value::as_i64)
    }

    fn condition(&self, name: &str) -> Option<Condition> {
        Condition::find(&self.0.manifest, name)
    }

    fn is_true(&self, name: &str) -> bool {
        self.condition(name).is_some_and(|condition| condition.is_true())
    }

    fn is_false(&self, name: &str) -> bool {
        self.condition(name).is_some_and(|condition| condition.is_false())
    }

    fn is_deployed(&self) -> bool {
        self.0
            .manifest
            .owner_references()
            .iter()
            .any(|owner| owner.kind.is("cluster.x-k8s.io", "MachineDeployment"))
    }

    /// What it is to be has changed, and its controller has not looked yet.
    fn unseen(&self) -> Option<String> {
        unseen(&self.0.manifest)
    }

    /// Both contracts count what is up to date; conditions say it besides.
    fn replacing(&self) -> Option<String> {
        let up_to_date = self
            .number("/status/upToDateReplicas")
            .or_else(|| self.number("/status/updatedReplicas"))
            .or_else(|| self.number("/status/deprecated/v1beta1/updatedReplicas"));
        let behind = up_to_date.zip(self.number("/status/replicas")).filter(|(new, all)| new < all);
        if let Some((new, all)) = behind {
            return Some(format!("{} of its {all} Machines are still to be replaced", all - new));
        }
        (self.is_true("RollingOut") || self.is_false("MachinesSpecUpToDate"))
            .then(|| "is rolling out".to_owned())
    }

    fn scaling(&self) -> Option<String> {
        let wants = self.number("/spec/replicas")?;
        // Contract v1beta1 leaves a zero out.
        let zero = self.number("/status/observedGeneration").map(|_| 0);
        let has = self.number("/status/replicas").or(zero)?;
        (has != wants).then(|| format!("has {has} Machines and wants {wants}"))
    }

    fn remediating(&self) -> Option<String> {
        (self.is_true("Remediating") || self.0.manifest.annotation(REMEDIATING).is_some())
            .then(|| "is remediating a Machine".to_owned())
    }

    /// A Cluster that is paused says so with the same condition.
    fn topology(&self) -> Option<String> {
        let field = PauseField::of(&self.0.key.kind)?;
        let paused = field.is_paused(&field.read(&self.0.manifest));
        (!paused && self.is_false("TopologyReconciled"))
            .then(|| "what its topology says is not carried out yet".to_owned())
    }

    fn update(&self) -> Option<String> {
        self.is_true("Updating").then(|| "is being updated in place".to_owned())
    }

    fn remediated(&self) -> Option<String> {
        if self.is_false("OwnerRemediated") || self.is_false("ExternallyRemediated") {
            return Some("is being remediated".to_owned());
        }
        let asked = self.0.manifest.annotation(REMEDIATE).is_some();
        asked.then(|| format!("is to be remediated ({REMEDIATE})"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inventory::{Inventory, ObjectId};
    use crate::kind::KindCatalog;

    const DEPLOYMENT: &str = "MachineDeployment.cluster.x-k8s.io";
    const CONTROL_PLANE: &str = "KubeadmControlPlane.controlplane.cluster.x-k8s.io";
    const POOL: &str = "MachinePool.cluster.x-k8s.io";
    const SET: &str = "MachineSet.cluster.x-k8s.io";
    const MACHINE: &str = "Machine.cluster.x-k8s.io";

    fn found(kind: &str, mut object: Value) -> Vec<String> {
        object["metadata"]["name"] = "m".into();
        let mut inventory = Inventory::new("id", KindCatalog::default());
        inventory.add(&kind.parse().unwrap(), Manifest::new(object));
        let mut findings = Vec::new();
        check(inventory.object(ObjectId(0)), &mut findings);
        findings.into_iter().map(|finding| format!("{} {}", finding.id, finding.message)).collect()
    }

    fn condition(name: &str, status: &str) -> Value {
        json!([{"type": name, "status": status}])
    }

    #[test]
    fn what_is_up_to_date_and_complete_stands_still() {
        let status = json!({"replicas": 3, "upToDateReplicas": 3, "observedGeneration": 2,
            "conditions": condition("RollingOut", "False")});
        let object = json!({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status});
        for kind in [DEPLOYMENT, CONTROL_PLANE, POOL, SET] {
            assert_eq!(found(kind, object.clone()), [""; 0], "{kind}");
            assert_eq!(found(kind, json!({"spec": {"replicas": 3}})), [""; 0], "nothing is known of it");
        }
        assert_eq!(
            found(DEPLOYMENT, json!({"spec": {"replicas": 0}, "status": {"observedGeneration": 1}})),
            [""; 0]
        );
    }

    #[test]
    fn a_rollout_is_told_by_both_contracts() {
        let behind = "rollout-in-progress 2 of its 3 Machines are still to be replaced";
        for status in [
            json!({"replicas": 3, "upToDateReplicas": 1}),
            json!({"replicas": 3, "updatedReplicas": 1}),
            json!({"replicas": 3, "deprecated": {"v1beta1": {"updatedReplicas": 1}}}),
        ] {
            for kind in [DEPLOYMENT, CONTROL_PLANE] {
                let object = json!({"spec": {"replicas": 3}, "status": status});
                assert_eq!(found(kind, object), [behind], "{kind}");
            }
        }
        for (name, status) in [("RollingOut", "True"), ("MachinesSpecUpToDate", "False")] {
            let object = json!({"status": {"conditions": condition(name, status)}});
            assert_eq!(found(CONTROL_PLANE, object), ["rollout-in-progress is rolling out"]);
        }
        let unseen = json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 2}});
        assert_eq!(
            found(CONTROL_PLANE, unseen),
            ["rollout-in-progress its controller has not seen its newest spec yet"]
        );
    }

    #[test]
    fn scaling_is_told_by_whoever_does_it() {
        let object = json!({"spec": {"replicas": 3}, "status": {"replicas": 2, "observedGeneration": 0}});
        for kind in [DEPLOYMENT, CONTROL_PLANE, POOL, SET] {
            assert_eq!(
                found(kind, object.clone()),
                ["rollout-in-progress has 2 Machines and wants 3"],
                "{kind}"
            );
        }
        let mut deployed = object;
        deployed["metadata"]["ownerReferences"] = json!([{"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachineDeployment", "name": "d", "uid": "u"}]);
        assert_eq!(found(SET, deployed), [""; 0]);
        let none = json!({"spec": {"replicas": 1}, "status": {"observedGeneration": 0}});
        assert_eq!(found(DEPLOYMENT, none), ["rollout-in-progress has 0 Machines and wants 1"]);
    }

    #[test]
    fn remediations_are_told() {
        let remediated = ["remediation-in-progress is being remediated"];
        for name in ["OwnerRemediated", "ExternallyRemediated"] {
            let told =
                |status: &str| found(MACHINE, json!({"status": {"conditions": condition(name, status)}}));
            assert_eq!(told("False"), remediated);
            assert_eq!(told("True"), [""; 0]);
        }
        let asked = json!({"metadata": {"annotations": {REMEDIATE: ""}}});
        assert!(found(MACHINE, asked)[0].starts_with("remediation-in-progress is to be remediated"));
        let remediating = ["remediation-in-progress is remediating a Machine"];
        let control_plane = json!({"metadata": {"annotations": {REMEDIATING: "{}"}}});
        assert_eq!(found(CONTROL_PLANE, control_plane), remediating);
        let deployment = json!({"status": {"conditions": condition("Remediating", "True")}});
        assert_eq!(found(DEPLOYMENT, deployment), remediating);
        let under_way = found("Metal3Remediation.infrastructure.cluster.x-k8s.io", json!({}));
        assert!(under_way[0].contains("goes on whatever is paused"), "{under_way:?}");
    }

    #[test]
    fn a_topology_or_a_machine_that_is_being_changed_is_told() {
        let cluster = |paused: bool| {
            let conditions = condition("TopologyReconciled", "False");
            let cluster = json!({"spec": {"paused": paused}, "status": {"conditions": conditions}});
            found("Cluster.cluster.x-k8s.io", cluster)
        };
        assert_eq!(cluster(false), ["rollout-in-progress what its topology says is not carried out yet"]);
        assert_eq!(cluster(true), [""; 0], "a pause says the same");
        let machine = json!({"status": {"conditions": condition("Updating", "True")}});
        assert_eq!(found(MACHINE, machine), ["rollout-in-progress is being updated in place"]);
    }
}
