//! Reading a manager's manifest, and fitting it to the test bed.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{Error, Result};

/// What the manifests leave open, where not their own default is wanted.
const VARIABLES: &[(&str, &str)] = &[("CLUSTER_TOPOLOGY", "true")];

/// The objects of a manifest, labelled as `clusterctl` labels those of a provider. Of the Deployment only the containers of the
/// image `repository` are left.
pub(super) fn read(path: &Path, provider: Option<&str>, repository: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&substitute(&text))
        .map_err(|error| Error::Yaml { path: path.to_owned(), reason: error.to_string() })?;
    for object in &mut objects {
        if let Some(provider) = provider {
            object["metadata"]["labels"]["clusterctl.cluster.x-k8s.io"] = json!("");
            object["metadata"]["labels"]["cluster.x-k8s.io/provider"] = json!(provider);
        }
        if object["kind"] == "Deployment" {
            fit(object, repository);
        }
    }
    Ok(objects)
}

/// Drops containers that no program stands for, and asks more often: a probe's delay and period are made for a large cluster,
/// its patience is not made for a busy machine.
fn fit(deployment: &mut Value, repository: &str) {
    deployment["spec"]["minReadySeconds"] = json!(0);
    let Some(containers) = deployment["spec"]["template"]["spec"]["containers"].as_array_mut() else {
        return;
    };
    containers
        .retain(|container| container["image"].as_str().is_some_and(|image| image.starts_with(repository)));
    for container in containers {
        for probe in ["readinessProbe", "livenessProbe"] {
            if let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) {
                probe.remove("initialDelaySeconds");
                probe.insert("periodSeconds".to_owned(), json!(1));
                probe.insert("timeoutSeconds".to_owned(), json!(10));
                probe.insert("failureThreshold".to_owned(), json!(30));
            }
        }
    }
}

/// Makes baremetal-operator ask an Ironic, instead of the one that it plays itself.
pub(super) fn ask_ironic(objects: &mut [Value], settings: &Value) {
    for object in objects {
        if object["kind"] == "ConfigMap" && object["metadata"]["name"] == "ironic" {
            object["data"] = settings.clone();
        }
        let containers = object.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if let Some(args) = container["args"].as_array_mut() {
                args.retain(|arg| arg != "--test-mode");
            }
        }
    }
}

/// Puts values for `${NAME}` and `${NAME:=default}`, as `clusterctl` does.
fn substitute(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((variable, after)) = after.split_once('}') else { break };
        let (name, default) = variable.split_once(":=").unwrap_or((variable, ""));
        let value = VARIABLES.iter().find(|(known, _)| *known == name).map_or(default, |(_, value)| value);
        out.extend([before, value]);
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_our_value_or_their_default() {
        assert_eq!(substitute("a=${A:=:8443},t=${CLUSTER_TOPOLOGY:=false}."), "a=:8443,t=true.");
        assert_eq!(substitute("${B} $x {}"), " $x {}");
    }

    #[test]
    fn only_the_managers_own_container_is_left() {
        let mut deployment = json!({"spec": {"template": {"spec": {"containers": [
            {"image": "q/manager:v1", "readinessProbe": {"initialDelaySeconds": 10, "httpGet": {"port": 1}}},
            {"image": "q/proxy:v1"},
        ]}}}});
        fit(&mut deployment, "q/manager");
        let containers = deployment["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1);
        assert_eq!(containers[0]["readinessProbe"]["httpGet"]["port"], 1);
        assert_eq!(containers[0]["readinessProbe"]["initialDelaySeconds"], Value::Null);
    }
}
