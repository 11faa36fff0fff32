//! A Metal3 cluster as small as it can be with every relation that a pivot treats in a way of its own.

use serde_json::{Value, json};

pub(crate) const NAMESPACE: &str = "metal3";
/// A second namespace, for what is free.
pub(crate) const SPARE: &str = "spare";

const CAPI: &str = "cluster.x-k8s.io/v1beta2";
const CAPM3: &str = "infrastructure.cluster.x-k8s.io/v1beta1";
const METAL3: &str = "metal3.io/v1alpha1";

struct Maker(Vec<Value>);

impl Maker {
    fn add(&mut self, api_version: &str, kind: &str, name: &str, rest: Value) -> &mut Value {
        let mut object = rest;
        object["apiVersion"] = api_version.into();
        object["kind"] = kind.into();
        object["metadata"]["name"] = name.into();
        object["metadata"]["namespace"] = NAMESPACE.into();
        object["metadata"]["uid"] = uid(kind, name).into();
        object["metadata"]["generation"] = 4.into();
        self.0.push(object);
        self.0.last_mut().unwrap()
    }
}

fn uid(kind: &str, name: &str) -> String {
    format!("source-{}-{name}", kind.to_lowercase())
}

fn owner(api_version: &str, kind: &str, name: &str) -> Value {
    json!([{"apiVersion": api_version, "kind": kind, "name": name, "uid": uid(kind, name), "controller": true, "blockOwnerDeletion": true}])
}

/// What is to be moved: ten objects in two namespaces.
pub(crate) fn tiny() -> Vec<Value> {
    let mut all = Maker(Vec::new());
    all.add(CAPI, "Cluster", "tiny", json!({
        "metadata": {"finalizers": ["cluster.cluster.x-k8s.io"], "labels": {"region": "north"}},
        "spec": {"infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "Metal3Cluster", "name": "tiny"}},
        "status": {"observedGeneration": 4, "initialization": {"infrastructureProvisioned": true, "controlPlaneInitialized": true},
            "conditions": [{"type": "ControlPlaneInitialized", "status": "True", "observedGeneration": 4}]},
    }));
    all.add(CAPM3, "Metal3Cluster", "tiny", json!({
        "metadata": {"finalizers": ["metal3cluster.infrastructure.cluster.x-k8s.io"], "ownerReferences": owner(CAPI, "Cluster", "tiny")},
        "spec": {"controlPlaneEndpoint": {"host": "192.0.2.1", "port": 6443}}, "status": {"ready": true},
    }));
    all.add("v1", "Secret", "tiny-kubeconfig", json!({
        "metadata": {"labels": {"cluster.x-k8s.io/cluster-name": "tiny"}, "ownerReferences": owner(CAPI, "Cluster", "tiny")},
        "type": "cluster.x-k8s.io/secret", "data": {"value": "a3ViZWNvbmZpZw=="},
    }));
    all.add(
        CAPM3,
        "Metal3MachineTemplate",
        "tiny",
        json!({
            "metadata": {"ownerReferences": owner(CAPI, "Cluster", "tiny")},
            "spec": {"template": {"spec": {"image": {"url": "http://192.0.2.2/image", "checksum": "abc"}}}},
        }),
    );
    all.add(CAPI, "Machine", "tiny-0", json!({
        "metadata": {"finalizers": ["machine.cluster.x-k8s.io"], "labels": {"cluster.x-k8s.io/cluster-name": "tiny"},
            "ownerReferences": owner(CAPI, "Cluster", "tiny")},
        "spec": {"clusterName": "tiny"},
        "status": {"observedGeneration": 3, "nodeRef": {"name": "node-0"}},
    }));
    // Written by server-side apply and by a controller: its managed fields are restored.
    all.add(CAPM3, "Metal3Machine", "tiny-0", json!({
        "metadata": {"finalizers": ["metal3machine.infrastructure.cluster.x-k8s.io"],
            "annotations": {"metal3.io/BareMetalHost": format!("{NAMESPACE}/host-0")},
            "ownerReferences": owner(CAPI, "Machine", "tiny-0"),
            "managedFields": [
                {"manager": "capi-machine", "operation": "Apply", "apiVersion": CAPM3, "time": "2026-01-01T00:00:00Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:providerID": {}}}},
                {"manager": "manager", "operation": "Update", "apiVersion": CAPM3, "time": "2026-01-01T00:00:00Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:finalizers": {"v:\"metal3machine.infrastructure.cluster.x-k8s.io\"": {}}}}}]},
        "spec": {"providerID": "metal3://x"}, "status": {"ready": true},
    }));
    all.add(
        "v1",
        "Secret",
        "host-0-bmc",
        json!({"type": "Opaque", "data": {"username": "dQ==", "password": "cA=="}}),
    );
    all.add(METAL3, "BareMetalHost", "host-0", json!({
        "metadata": {"finalizers": ["baremetalhost.metal3.io"], "labels": {"cluster.x-k8s.io/cluster-name": "tiny"}},
        "spec": {"online": true, "bmc": {"address": "ipmi://192.0.2.3", "credentialsName": "host-0-bmc"},
            "consumerRef": {"apiVersion": CAPM3, "kind": "Metal3Machine", "name": "tiny-0", "namespace": NAMESPACE}},
        "status": {"operationalStatus": "OK", "poweredOn": true, "provisioning": {"state": "provisioned", "ID": "1"}},
    }));
    all.add(METAL3, "HardwareData", "host-0", json!({
        "metadata": {"finalizers": ["hardwaredata.metal3.io"], "ownerReferences": owner(METAL3, "BareMetalHost", "host-0")},
        "spec": {"hardware": {"cpu": {"count": 8}}},
    }));
    // Nobody's, paused by its user, in a namespace of its own.
    let spare = all.add(METAL3, "BareMetalHost", "spare-0", json!({
        "metadata": {"annotations": {"baremetalhost.metal3.io/paused": "by-user"}},
        "spec": {"online": false}, "status": {"operationalStatus": "OK", "provisioning": {"state": "available", "ID": "2"}},
    }));
    spare["metadata"]["namespace"] = SPARE.into();
    all.0
}

/// What is somebody else's and stays.
pub(crate) fn neighbours() -> Vec<Value> {
    let mut all = Maker(Vec::new());
    all.add("v1", "ConfigMap", "registry", json!({"data": {"log-level": "info"}}));
    all.add("v1", "Secret", "registry", json!({"data": {"password": "cA=="}}));
    all.0
}
