//! The Deployment that is made for an `Ironic`.

use serde_json::{Value, json};

/// The image of all its containers. A container is told its own name as its only argument.
pub const IRONIC_IMAGE: &str = "standin/ironic";

/// The Deployment of a resource, as one applies it.
pub(super) fn of(resource: &Value) -> Value {
    let metadata = &resource["metadata"];
    let name = format!("{}-service", metadata["name"].as_str().unwrap_or_default());
    let labels = json!({"app": name});
    let owner = json!({
        "apiVersion": resource["apiVersion"], "kind": resource["kind"], "name": metadata["name"],
        "uid": metadata["uid"], "controller": true, "blockOwnerDeletion": true,
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": metadata["namespace"], "ownerReferences": [owner]},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod(&resource["spec"])},
        },
    })
}

fn pod(spec: &Value) -> Value {
    let networking = &spec["networking"];
    let has_dhcp = networking["dhcp"].is_object();
    let has_keepalived =
        networking["ipAddressManager"] == "keepalived" || networking["keepalived"]["enabled"] == true;
    let containers = [
        ("ironic", true),
        ("httpd", true),
        ("ramdisk-logs", true),
        ("dnsmasq", has_dhcp),
        ("keepalived", has_keepalived),
    ];
    let containers = containers.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| container(name));
    let overrides = &spec["overrides"];
    let list = |key: &str| overrides[key].as_array().cloned().unwrap_or_default();
    json!({
        "containers": laid_over(containers.collect(), list("containers")),
        "initContainers": laid_over(vec![container("ramdisk-downloader")], list("initContainers")),
        "volumes": list("volumes"),
    })
}

fn container(name: &str) -> Value {
    json!({"name": name, "image": IRONIC_IMAGE, "args": [name]})
}

/// What is laid over a container of its name is put into it, lists behind lists; another one is put behind them all.
fn laid_over(mut containers: Vec<Value>, overrides: Vec<Value>) -> Vec<Value> {
    for over in overrides {
        let Some(own) = containers.iter_mut().find(|own| own["name"] == over["name"]) else {
            containers.push(over);
            continue;
        };
        for (key, value) in over.as_object().into_iter().flatten() {
            match (own[key].as_array_mut(), value.as_array()) {
                (Some(own), Some(more)) => own.extend(more.iter().cloned()),
                _ => own[key] = value.clone(),
            }
        }
    }
    containers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &Value) -> Vec<&str> {
        list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_pod_has_what_its_network_asks_for_and_what_is_laid_over_it() {
        let mount = |name: &str| json!([{"name": name, "mountPath": "/data"}]);
        let pod = pod(&json!({
            "networking": {"dhcp": {"networkCIDR": "172.22.0.0/24"}, "ipAddressManager": "keepalived"},
            "overrides": {
                "containers": [{"name": "dnsmasq", "volumeMounts": mount("leases")}, {"name": "mine"}],
                "initContainers": [{"name": "copy"}],
                "volumes": [{"name": "leases", "emptyDir": {}}],
            },
        }));
        assert_eq!(
            names(&pod["containers"]),
            ["ironic", "httpd", "ramdisk-logs", "dnsmasq", "keepalived", "mine"]
        );
        let dnsmasq = &pod["containers"][3];
        assert_eq!((&dnsmasq["args"][0], &dnsmasq["volumeMounts"]), (&json!("dnsmasq"), &mount("leases")));
        assert_eq!(names(&pod["initContainers"]), ["ramdisk-downloader", "copy"]);
        assert_eq!(names(&pod["volumes"]), ["leases"]);
        let plain = super::pod(&json!({"networking": {}}));
        assert_eq!(names(&plain["containers"]), ["ironic", "httpd", "ramdisk-logs"]);
    }
}
