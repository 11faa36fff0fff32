//! The `Ironic` resource, for which the Ironic Standalone Operator makes a Deployment once it runs.

use serde_json::Value;

use super::deployment::{IronicDeployment, IronicPart};
use crate::kind::GroupKind;
use crate::object::{Manifest, ObjectKey};

/// Ends the name of the Deployment that the operator makes for a resource.
const SERVICE: &str = "-service";

/// An `Ironic` resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IronicResource {
    /// Its name.
    pub key: ObjectKey,
    /// True where what is made for it serves DHCP.
    pub dhcp: bool,
    /// True where a DaemonSet is made for it and no Deployment.
    pub highly_available: bool,
    /// What keeps its condition `Ready` from being true; `None` where it is true, and where there is no such condition.
    pub unready: Option<String>,
}

impl IronicResource {
    /// The resource of a manifest.
    pub fn read(manifest: &Manifest) -> Self {
        let highly_available =
            manifest.pointer("/spec/highAvailability").and_then(Value::as_bool).unwrap_or(false);
        let has_dhcp = manifest.pointer("/spec/networking/dhcp").is_some_and(Value::is_object);
        Self {
            key: manifest.key(),
            // Several at once would each give out the addresses of the others.
            dhcp: has_dhcp && !highly_available,
            highly_available,
            unready: unready(manifest),
        }
    }

    /// The Deployment that is made for it.
    pub fn deployment(&self) -> ObjectKey {
        let kind = GroupKind::new("apps", "Deployment");
        ObjectKey::new(kind, self.key.namespace.as_deref(), &format!("{}{SERVICE}", self.key.name))
    }

    /// True where that Deployment is made for it.
    pub fn owns(&self, deployment: &IronicDeployment) -> bool {
        let is_owner = |resource: &Option<String>| resource.as_ref() == Some(&self.key.name);
        deployment.key.namespace == self.key.namespace
            && matches!(&deployment.part, IronicPart::Ironic { resource, .. } if is_owner(resource))
    }

    /// What is not yet as it has to be for it to run, in words.
    pub fn lacks(&self, found: &[IronicDeployment]) -> Option<String> {
        let Some(made) = found.iter().find(|one| self.owns(one)) else {
            return Some(format!("Deployment {} is not made", self.deployment().path()));
        };
        let name = made.key.path();
        if !made.runs() {
            return Some(format!("Deployment {name} is scaled to zero"));
        }
        if made.ready < made.replicas {
            return Some(format!("of Deployment {name} {} of {} pods are ready", made.ready, made.replicas));
        }
        self.unready.as_ref().map(|why| format!("its condition Ready is not true: {why}"))
    }
}

fn unready(manifest: &Manifest) -> Option<String> {
    let conditions = manifest.pointer("/status/conditions").and_then(Value::as_array)?;
    let ready =
        conditions.iter().find(|condition| condition.get("type").is_some_and(|kind| kind == "Ready"))?;
    let text = |key: &str| ready.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("status") == "True" {
        return None;
    }
    let said: Vec<&str> =
        [text("reason"), text("message")].into_iter().filter(|text| !text.is_empty()).collect();
    Some(if said.is_empty() { text("status").to_owned() } else { said.join(", ") })
}

/// What there is of Ironic, by name: Deployments, and resources for which none was made yet.
pub fn ironic_names(found: &[IronicDeployment]) -> Vec<String> {
    let named = |one: &IronicDeployment| {
        let awaited = one.awaited(found).map(|resource| format!("Ironic {}", resource.key.path()));
        [one.key.path()].into_iter().chain(awaited).collect::<Vec<_>>()
    };
    found.iter().flat_map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::deployment::{deployments_to_start, ironic_deployments};
    use super::*;

    const OPERATOR: &str = "ironic-standalone-operator-controller-manager";

    fn resource(spec: &Value, status: &Value) -> IronicResource {
        IronicResource::read(&Manifest::new(json!({
            "apiVersion": "ironic.metal3.io/v1alpha1", "kind": "Ironic",
            "metadata": {"name": "ironic", "namespace": "metal3"}, "spec": spec, "status": status,
        })))
    }

    fn with_dhcp() -> IronicResource {
        resource(&json!({"networking": {"dhcp": {"networkCIDR": "172.22.0.0/24"}}}), &json!({}))
    }

    fn deployment(name: &str, owner: &Value, replicas: i64, ready: i64) -> Manifest {
        Manifest::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": "metal3", "uid": name, "ownerReferences": owner},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "httpd"}]}}},
            "status": {"readyReplicas": ready},
        }))
    }

    fn service(replicas: i64, ready: i64) -> Manifest {
        let owner = json!([{"apiVersion": "ironic.metal3.io/v1alpha1", "kind": "Ironic", "name": "ironic", "uid": "u"}]);
        deployment("ironic-service", &owner, replicas, ready)
    }

    fn operator(replicas: i64) -> Manifest {
        deployment(OPERATOR, &json!([]), replicas, replicas)
    }

    #[test]
    fn a_resource_is_found_by_its_operator_before_anything_is_made_for_it() {
        let resources = [with_dhcp()];
        let found = ironic_deployments(&[operator(0)], &resources);
        let [only] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((only.runs(), only.keeps.as_slice()), (false, &resources[..]));
        assert_eq!(ironic_names(&found), [format!("metal3/{OPERATOR}"), "Ironic metal3/ironic".to_owned()]);
        assert!(ironic_deployments(&[operator(1)], &resources)[0].runs(), "it is about to run");
        assert_eq!(ironic_deployments(&[operator(0)], &[]), [], "it keeps nothing");
        let made = ironic_deployments(&[operator(0), service(0, 0)], &resources);
        assert_eq!(ironic_names(&made), [format!("metal3/{OPERATOR}"), "metal3/ironic-service".to_owned()]);
        assert_eq!(ironic_deployments(&[], &resources), [], "nobody acts on it");
    }

    #[test]
    fn it_runs_once_its_deployment_does_and_its_condition_says_so() {
        let lacks = |all: &[Manifest], resource: &IronicResource| {
            resource.lacks(&ironic_deployments(all, std::slice::from_ref(resource))).unwrap_or_default()
        };
        let plain = with_dhcp();
        assert_eq!(lacks(&[operator(1)], &plain), "Deployment metal3/ironic-service is not made");
        assert_eq!(
            lacks(&[operator(1), service(1, 0)], &plain),
            "of Deployment metal3/ironic-service 0 of 1 pods are ready"
        );
        assert_eq!(lacks(&[service(0, 0)], &plain), "Deployment metal3/ironic-service is scaled to zero");
        assert_eq!(lacks(&[service(1, 1)], &plain), "", "no condition is no objection");
        let told = |status: &str| {
            let condition =
                json!({"type": "Ready", "status": status, "reason": "InProgress", "message": "pods"});
            resource(&json!({}), &json!({"conditions": [condition]}))
        };
        assert_eq!(lacks(&[service(1, 1)], &told("True")), "");
        assert_eq!(
            lacks(&[service(1, 1)], &told("False")),
            "its condition Ready is not true: InProgress, pods"
        );
    }

    #[test]
    fn what_never_ran_is_not_waited_for() {
        let other = Manifest::new(json!({"apiVersion": "ironic.metal3.io/v1alpha1", "kind": "Ironic",
            "metadata": {"name": "broken", "namespace": "metal3"}}));
        let resources = [with_dhcp(), IronicResource::read(&other)];
        let found = ironic_deployments(&[operator(0), service(0, 0)], &resources);
        let before: Vec<ObjectKey> = found.iter().map(|one| one.key.clone()).collect();
        assert_eq!(deployments_to_start(found.clone(), &before)[0].keeps, [with_dhcp()]);
        assert_eq!(deployments_to_start(found, &[])[0].keeps, resources, "all were put there for this");
    }

    #[test]
    fn pods_that_were_stopped_since_are_not_ready() {
        let seen = |observed: i64| {
            let mut deployment = service(1, 1).into_value();
            deployment["metadata"]["generation"] = json!(3);
            deployment["status"]["observedGeneration"] = json!(observed);
            ironic_deployments(&[Manifest::new(deployment)], &[])[0].ready
        };
        assert_eq!([seen(2), seen(3)], [0, 1]);
    }

    #[test]
    fn a_highly_available_one_serves_no_dhcp() {
        let spec = json!({"highAvailability": true, "networking": {"dhcp": {}}});
        let read = resource(&spec, &json!({}));
        assert_eq!((read.highly_available, read.dhcp), (true, false));
        assert!(with_dhcp().dhcp);
        assert!(!resource(&json!({"networking": {}}), &json!({})).dhcp);
    }
}
