//! A stand-in for CAPM3, Cluster API's infrastructure provider for Metal3, whose manager cannot be had as a Go module.
//!
//! It stands for what a pivot has to do with: it claims a free host for a `Metal3Machine`, tells Cluster API when the machine is there,
//! pauses claimed hosts of a paused Cluster and leaves their status in an annotation, and gives the host back on deletion. It does not know
//! data templates, addresses, remediation or templates of its own kinds, and it elects no leader: so it is stopped by scaling to zero, as
//! managers without a lease are.
//!
//! Its program is that of the test that installs it: [`VARIABLE`] in its environment tells the two apart, and the test has a
//! function of the name that is given to [`install`] in which it calls [`run_if_asked`].

mod machine;

use std::{env, time::Duration};

use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Error, Result,
    client::{PlaneClient, Progress, wait_until},
    crds::condition_is_true,
    kind::Gvk,
    kubelet::Images,
};

/// Set in the environment of the pod.
pub const VARIABLE: &str = "STANDIN_FOR_CAPM3";
/// Its namespace.
pub const NAMESPACE: &str = "capm3-system";
/// Its Deployment.
pub const DEPLOYMENT: &str = "capm3-controller-manager";

const IMAGE: &str = "standin/capm3";
const SERVICE_ACCOUNT: &str = "capm3-manager";
/// Between two looks at everything.
const PERIOD: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(120);

/// The images with that of the stand-in.
pub fn with_image(images: Images) -> Result<Images> {
    let program = env::current_exe().map_err(Error::file("the program of this process"))?;
    Ok(images.with(IMAGE, program))
}

/// Installs it as `clusterctl` would CAPM3, and waits until it runs. `test` is the full name of the test function that calls
/// [`run_if_asked`].
pub async fn install(client: &PlaneClient, test: &str) -> Result<()> {
    let labels =
        json!({"clusterctl.cluster.x-k8s.io": "", "cluster.x-k8s.io/provider": "infrastructure-metal3"});
    let pod_labels = json!({"standin": "capm3"});
    let objects = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": SERVICE_ACCOUNT, "namespace": NAMESPACE, "labels": labels}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "capm3-manager", "labels": labels},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": NAMESPACE}]}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": DEPLOYMENT, "namespace": NAMESPACE, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": pod_labels}, "template": {
            "metadata": {"labels": pod_labels},
            "spec": {"serviceAccountName": SERVICE_ACCOUNT, "containers": [{
                "name": "manager",
                "image": IMAGE,
                "command": ["/manager"],
                "args": ["--exact", test, "--nocapture", "--test-threads=1"],
                "env": [{"name": VARIABLE, "value": "1"}],
            }]},
        }}}),
    ];
    for object in &objects {
        client.apply(object, "clusterctl").await?;
    }
    wait_until("the stand-in for CAPM3", DEADLINE, async || {
        let deployment = client.get(Gvk::DEPLOYMENT, Some(NAMESPACE), DEPLOYMENT).await?.unwrap_or_default();
        Ok(if condition_is_true(&deployment, "Available") {
            Progress::Done(())
        } else {
            Progress::Pending(deployment["status"].to_string())
        })
    })
    .await
}

/// Acts until the process is ended, where the environment says that this is the stand-in's process.
pub async fn run_if_asked() -> Result<()> {
    if env::var_os(VARIABLE).is_none() {
        return Ok(());
    }
    let config = Config::incluster_env().map_err(Error::proxy("the cluster of the pod"))?;
    let client = Client::try_from(config).map_err(Error::proxy("a client of the pod's cluster"))?;
    let client = PlaneClient::new(client);
    loop {
        // What fails now is tried again at the next look, as controllers do.
        for machine in client.list(Gvk::METAL3_MACHINE, None).await.unwrap_or_default() {
            if let Err(error) = machine::reconcile(&client, &machine).await {
                log(&machine, &error);
            }
        }
        sleep(PERIOD).await;
    }
}

#[expect(clippy::print_stderr, reason = "the log of a pod")]
fn log(machine: &Value, error: &Error) {
    eprintln!("{}: {error}", machine["metadata"]["name"]);
}
