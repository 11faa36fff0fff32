//! What the stand-ins for managers share: each is the program of the test that installs it, in a pod that tells it so, and looks at all objects of one
//! kind again and again.

use std::{env, time::Duration};

use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Error, Result,
    client::{PlaneClient, Progress, wait_until},
    kind::Gvk,
    kubelet::Images,
};

const DEADLINE: Duration = Duration::from_secs(120);

/// A stand-in, by the names that it has in a cluster.
#[derive(Debug)]
pub(super) struct Standin {
    /// What it stands for, in messages.
    pub(super) stands_for: &'static str,
    /// The label of its pods.
    pub(super) label: &'static str,
    /// Set in the environment of its pod.
    pub(super) variable: &'static str,
    /// Its namespace.
    pub(super) namespace: &'static str,
    /// Its Deployment.
    pub(super) deployment: &'static str,
    /// Its account.
    pub(super) service_account: &'static str,
    /// What gives the account its rights.
    pub(super) binding: &'static str,
    /// The image of its pod.
    pub(super) image: &'static str,
}

impl Standin {
    /// The images with its own.
    pub(super) fn with_image(&self, images: Images) -> Result<Images> {
        let program = env::current_exe().map_err(Error::file("the program of this process"))?;
        Ok(images.with(self.image, program))
    }

    /// Applies its objects as `manager`, with these labels, and waits until its Deployment is as `is_ready` wants it. `test` is the full name of
    /// the test function that calls [`look`](Self::look).
    pub(super) async fn install(
        &self,
        client: &PlaneClient,
        (manager, labels): (&str, &Value),
        (test, replicas): (&str, u32),
        is_ready: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        for object in &self.objects(labels, test, replicas) {
            client.apply(object, manager).await?;
        }
        wait_until(&format!("the stand-in for {}", self.stands_for), DEADLINE, async || {
            let found = client.get(Gvk::DEPLOYMENT, Some(self.namespace), self.deployment).await?;
            let found = found.unwrap_or_default();
            Ok(if is_ready(&found) {
                Progress::Done(())
            } else {
                Progress::Pending(found["status"].to_string())
            })
        })
        .await
    }

    fn objects(&self, labels: &Value, test: &str, replicas: u32) -> [Value; 4] {
        let Self { namespace, deployment, service_account, .. } = self;
        let pod_labels = json!({"standin": self.label});
        [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": service_account, "namespace": namespace, "labels": labels}}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": self.binding, "labels": labels},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": service_account, "namespace": namespace}]}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": deployment, "namespace": namespace, "labels": labels},
            "spec": {"replicas": replicas, "selector": {"matchLabels": pod_labels}, "template": {
                "metadata": {"labels": pod_labels},
                "spec": {"serviceAccountName": service_account, "containers": [{
                    "name": "manager",
                    "image": self.image,
                    "command": ["/manager"],
                    "args": ["--exact", test, "--nocapture", "--test-threads=1"],
                    "env": [{"name": self.variable, "value": "1"}],
                }]},
            }}}),
        ]
    }

    /// Brings every object of a kind to what it says, one look after the other until the process is ended, where the environment says that this is
    /// the stand-in's process.
    pub(super) async fn look(
        &self,
        kind: &Gvk,
        period: Duration,
        reconcile: impl AsyncFn(&PlaneClient, &Value) -> Result<()>,
    ) -> Result<()> {
        if env::var_os(self.variable).is_none() {
            return Ok(());
        }
        let config = Config::incluster_env().map_err(Error::proxy("the cluster of the pod"))?;
        let client = Client::try_from(config).map_err(Error::proxy("a client of the pod's cluster"))?;
        let client = PlaneClient::new(client);
        loop {
            // What fails now is tried again at the next look, as controllers do.
            for object in client.list(kind, None).await.unwrap_or_default() {
                if let Err(error) = reconcile(&client, &object).await {
                    log(&object, &error);
                }
            }
            sleep(period).await;
        }
    }
}

#[expect(clippy::print_stderr, reason = "the log of a pod")]
fn log(object: &Value, error: &Error) {
    eprintln!("{}: {error}", object["metadata"]["name"]);
}
