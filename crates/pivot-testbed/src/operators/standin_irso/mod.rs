//! A stand-in for the Ironic Standalone Operator, which cannot be had as a Go module.
//!
//! It stands for what a pivot has to do with: for each `Ironic` it makes the Deployment `<name>-service` as its owner, scales it to one again
//! whenever it stands at another number, puts `spec.overrides` over it, and writes the condition `Ready`. It knows no pause, as the real one knows
//! none: who wants Ironic down has to stop the operator first. It does not know TLS, credentials, high availability, upgrades or its finalizer, it
//! elects no leader, and its CRD takes any spec.
//!
//! Its program is that of the test that installs it: [`VARIABLE`] in its environment tells the two apart, and the test has a
//! function of the name that is given to [`install`] in which it calls [`run_if_asked`].

mod deployment;

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

pub use self::deployment::IRONIC_IMAGE;
use super::standin::Standin;
use crate::{
    Result,
    client::{PlaneClient, Progress, wait_until},
    crds::condition_is_true,
    kind::Gvk,
    kubelet::Images,
};

/// Set in the environment of the pod.
pub const VARIABLE: &str = "STANDIN_FOR_IRSO";
/// Its namespace.
pub const NAMESPACE: &str = "ironic-standalone-operator-system";
/// Its Deployment.
pub const DEPLOYMENT: &str = "ironic-standalone-operator-controller-manager";

const MANAGER: &str = "standin-for-irso";
/// Between two looks at everything: a change is seen nearly at once, as by a watch.
const PERIOD: Duration = Duration::from_millis(200);
const DEADLINE: Duration = Duration::from_secs(120);

const STANDIN: Standin = Standin {
    stands_for: "the Ironic Standalone Operator",
    label: "irso",
    variable: VARIABLE,
    namespace: NAMESPACE,
    deployment: DEPLOYMENT,
    service_account: "ironic-standalone-operator-controller-manager",
    binding: "standin-for-irso",
    image: "standin/irso",
};

/// The images with that of the stand-in. What stands for [`IRONIC_IMAGE`] the test says.
pub fn with_image(images: Images) -> Result<Images> {
    STANDIN.with_image(images)
}

/// Installs the kind `Ironic`, and waits until it is served.
pub async fn install_crd(client: &PlaneClient) -> Result<()> {
    client.apply(&crd(), "kubectl").await?;
    let name = format!("ironics.{}", Gvk::IRONIC.group);
    wait_until("the kind Ironic", DEADLINE, async || {
        let crd = client.get(Gvk::CRD, None, &name).await?.unwrap_or_default();
        let is_served = client.list(Gvk::IRONIC, None).await.is_ok();
        Ok(if condition_is_true(&crd, "Established") && is_served {
            Progress::Done(())
        } else {
            Progress::Pending(crd["status"].to_string())
        })
    })
    .await
}

/// Installs it with a number of replicas, and waits until as many run. `test` is the full name of the test function that calls
/// [`run_if_asked`].
pub async fn install(client: &PlaneClient, test: &str, replicas: u32) -> Result<()> {
    install_crd(client).await?;
    let is_ready = |deployment: &Value| {
        deployment["status"]["readyReplicas"].as_u64().unwrap_or(0) == u64::from(replicas)
    };
    STANDIN.install(client, ("kubectl", &json!({})), (test, replicas), is_ready).await
}

fn crd() -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"type": "object", "properties": {"spec": any, "status": any}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("ironics.{}", Gvk::IRONIC.group)},
        "spec": {
            "group": Gvk::IRONIC.group,
            "names": {"kind": "Ironic", "plural": "ironics", "singular": "ironic", "listKind": "IronicList"},
            "scope": "Namespaced",
            "versions": [{
                "name": Gvk::IRONIC.version, "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// Acts until the process is ended, where the environment says that this is the stand-in's process.
pub async fn run_if_asked() -> Result<()> {
    STANDIN.look(Gvk::IRONIC, PERIOD, reconcile).await
}

/// Brings the Deployment of a resource to what it says, and says how it is.
async fn reconcile(client: &PlaneClient, resource: &Value) -> Result<()> {
    if resource["metadata"]["deletionTimestamp"].is_string() {
        return Ok(());
    }
    // What is asked for as it stands changes nothing, not even its revision.
    let deployment = client.apply(&deployment::of(resource), MANAGER).await?;
    let is_ready = deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
        && deployment["status"]["readyReplicas"] == deployment["spec"]["replicas"]
        && condition_is_true(&deployment, "Available");
    let (status, reason) = if is_ready { ("True", "DeploymentAvailable") } else { ("False", "InProgress") };
    let told = resource["status"]["conditions"].as_array().into_iter().flatten();
    if told.into_iter().any(|told| told["type"] == "Ready" && told["status"] == status) {
        return Ok(());
    }
    let condition = json!({
        "type": "Ready", "status": status, "reason": reason, "message": "as its Deployment is",
        "observedGeneration": resource["metadata"]["generation"],
        "lastTransitionTime": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    client.put_status(resource, json!({"conditions": [condition]}), MANAGER).await.map(drop)
}
