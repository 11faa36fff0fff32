//! One `Metal3Machine` and its host.

use serde_json::{Value, json};

use crate::{
    Result,
    client::{Patch, PlaneClient},
    kind::Gvk,
};

const MANAGER: &str = "standin-for-capm3";
const FINALIZER: &str = "metal3machine.infrastructure.cluster.x-k8s.io";
/// On the `Metal3Machine`: its host.
const HOST: &str = "metal3.io/BareMetalHost";
/// On the host: who paused it.
const PAUSED: &str = "baremetalhost.metal3.io/paused";
const PAUSED_BY_US: &str = "metal3.io/capm3";
/// On the host: its status, for the cluster that it arrives in.
const STATUS: &str = "baremetalhost.metal3.io/status";

/// Brings a `Metal3Machine` a step further.
pub(super) async fn reconcile(client: &PlaneClient, metal3_machine: &Value) -> Result<()> {
    let machine = Machine { client, object: metal3_machine };
    let host = machine.host().await?;
    if machine.is_paused().await? {
        return match &host {
            Some(host) => machine.pause(host).await,
            None => Ok(()),
        };
    }
    if let Some(host) = &host
        && host["metadata"]["annotations"][PAUSED] == PAUSED_BY_US
    {
        return machine.annotate_host(host, &json!({PAUSED: null})).await;
    }
    if metal3_machine["metadata"]["deletionTimestamp"].is_string() {
        return machine.release(host.as_ref()).await;
    }
    if !machine.has_finalizer() {
        return machine.patch(&json!({"metadata": {"finalizers": [FINALIZER]}})).await;
    }
    match &host {
        None => machine.claim().await,
        Some(host) => machine.follow(host).await,
    }
}

struct Machine<'a> {
    client: &'a PlaneClient,
    object: &'a Value,
}

impl Machine<'_> {
    fn namespace(&self) -> &str {
        self.object["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn has_finalizer(&self) -> bool {
        let finalizers = self.object["metadata"]["finalizers"].as_array();
        finalizers.is_some_and(|finalizers| finalizers.iter().any(|name| name == FINALIZER))
    }

    async fn patch(&self, patch: &Value) -> Result<()> {
        let namespace = Some(self.namespace());
        self.client.patch(Gvk::METAL3_MACHINE, namespace, self.name(), Patch::Merge, patch, MANAGER).await?;
        Ok(())
    }

    async fn patch_host(&self, host: &Value, patch: &Value) -> Result<()> {
        let name = host["metadata"]["name"].as_str().unwrap_or_default();
        let namespace = Some(self.namespace());
        self.client.patch(Gvk::BARE_METAL_HOST, namespace, name, Patch::Merge, patch, MANAGER).await?;
        Ok(())
    }

    async fn annotate_host(&self, host: &Value, annotations: &Value) -> Result<()> {
        self.patch_host(host, &json!({"metadata": {"annotations": annotations}})).await
    }

    /// The host that names it as its consumer.
    async fn host(&self) -> Result<Option<Value>> {
        let hosts = self.client.list(Gvk::BARE_METAL_HOST, Some(self.namespace())).await?;
        Ok(hosts.into_iter().find(|host| {
            let consumer = &host["spec"]["consumerRef"];
            consumer["kind"] == Gvk::METAL3_MACHINE.kind.as_ref() && consumer["name"] == self.name()
        }))
    }

    async fn is_paused(&self) -> Result<bool> {
        let metadata = &self.object["metadata"];
        if metadata["annotations"]["cluster.x-k8s.io/paused"].is_string() {
            return Ok(true);
        }
        let Some(cluster) = metadata["labels"]["cluster.x-k8s.io/cluster-name"].as_str() else {
            return Ok(true);
        };
        let cluster = self.client.get(Gvk::CLUSTER, Some(self.namespace()), cluster).await?;
        Ok(cluster.is_none_or(|cluster| cluster["spec"]["paused"] == true))
    }

    /// Leaves the status where the next cluster finds it. A host that somebody paused is left as it is.
    async fn pause(&self, host: &Value) -> Result<()> {
        if host["metadata"]["annotations"][PAUSED].is_string() {
            return Ok(());
        }
        let mut status = host["status"].clone();
        if let Some(fields) = status.as_object_mut() {
            // It is in the HardwareData.
            fields.remove("hardware");
        }
        self.annotate_host(host, &json!({PAUSED: PAUSED_BY_US, STATUS: status.to_string()})).await
    }

    /// Takes a free host for it, once Cluster API has the data that the machine starts with.
    async fn claim(&self) -> Result<()> {
        let owners = self.object["metadata"]["ownerReferences"].as_array();
        let owner = owners.into_iter().flatten().find(|owner| owner["kind"] == Gvk::MACHINE.kind.as_ref());
        let Some(owner) = owner.and_then(|owner| owner["name"].as_str()) else { return Ok(()) };
        let machine = self.client.get(Gvk::MACHINE, Some(self.namespace()), owner).await?.unwrap_or_default();
        let Some(data) = machine["spec"]["bootstrap"]["dataSecretName"].as_str() else { return Ok(()) };
        let hosts = self.client.list(Gvk::BARE_METAL_HOST, Some(self.namespace())).await?;
        let Some(host) = hosts.iter().find(|host| self.fits(host)) else { return Ok(()) };
        let name = host["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{}/{name}", self.namespace());
        self.patch(&json!({"metadata": {"annotations": {HOST: path}}})).await?;
        let claimed = json!({
            // Nobody else may have claimed it meanwhile.
            "metadata": {"resourceVersion": host["metadata"]["resourceVersion"]},
            "spec": {
                "consumerRef": {
                    "apiVersion": Gvk::METAL3_MACHINE.api_version(),
                    "kind": Gvk::METAL3_MACHINE.kind,
                    "name": self.name(),
                    "namespace": self.namespace(),
                },
                "image": self.object["spec"]["image"],
                "userData": {"name": data, "namespace": self.namespace()},
                "online": true,
            },
        });
        self.patch_host(host, &claimed).await
    }

    fn fits(&self, host: &Value) -> bool {
        let wanted = self.object["spec"]["hostSelector"]["matchLabels"].as_object();
        let labels = &host["metadata"]["labels"];
        host["spec"]["consumerRef"].is_null()
            && host["metadata"]["deletionTimestamp"].is_null()
            && host["metadata"]["annotations"][PAUSED].is_null()
            && host["status"]["provisioning"]["state"] == "available"
            && wanted.into_iter().flatten().all(|(label, value)| labels[label] == *value)
    }

    /// Tells Cluster API of a host that is provisioned.
    async fn follow(&self, host: &Value) -> Result<()> {
        if host["status"]["provisioning"]["state"] != "provisioned" || self.object["status"]["ready"] == true
        {
            return Ok(());
        }
        let host_name = host["metadata"]["name"].as_str().unwrap_or_default();
        if self.object["spec"]["providerID"].is_null() {
            let id = format!("metal3://{}/{host_name}/{}", self.namespace(), self.name());
            return self.patch(&json!({"spec": {"providerID": id}})).await;
        }
        let mut status = self.object["status"].clone();
        status["ready"] = true.into();
        status["addresses"] = json!([{"type": "Hostname", "address": host_name}]);
        self.client.put_status(self.object, status, MANAGER).await?;
        Ok(())
    }

    /// Empties the host, and lets go of it when the operator has.
    async fn release(&self, host: Option<&Value>) -> Result<()> {
        let Some(host) = host else {
            return if self.has_finalizer() {
                self.patch(&json!({"metadata": {"finalizers": null}})).await
            } else {
                Ok(())
            };
        };
        if host["spec"]["image"].is_object() {
            let empty = json!({"spec": {"image": null, "userData": null, "metaData": null, "networkData": null, "online": false}});
            return self.patch_host(host, &empty).await;
        }
        if host["status"]["provisioning"]["state"] == "available" {
            return self.patch_host(host, &json!({"spec": {"consumerRef": null}})).await;
        }
        Ok(())
    }
}
