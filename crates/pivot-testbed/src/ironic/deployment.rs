//! Ironic as a Deployment of a plane.

use std::{fs, net::Ipv4Addr, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::ask;
use crate::{
    Error, Result,
    assets::{Assets, Program},
    client::{PlaneClient, Progress, wait_until},
    crds::condition_is_true,
    kind::Gvk,
    kubelet::Images,
    plane::{Folder, Plane},
};

/// The namespace, which is that of baremetal-operator.
pub const NAMESPACE: &str = "baremetal-operator-system";
/// The Deployment.
pub const DEPLOYMENT: &str = "baremetal-operator-ironic";
/// Its container.
pub const CONTAINER: &str = "ironic";
/// What the container is told.
pub const CONFIG_MAP: &str = "ironic-bmo-configmap";

const IMAGE: &str = "quay.io/metal3-io/ironic";
/// What the container runs.
const START: &str = include_str!("start.sh");
/// The only interface of a pod.
const INTERFACE: &str = "eth0";
/// The file of the database in the folder of a pod.
const DATABASE: &str = "ironic.sqlite";
/// What `pivotctl ironic stop` writes down on the Deployment.
const REPLICAS: &str = "pivot.metal3.io/ironic-replicas";

/// How long it may take until it answers. It takes about 10 s on an idle machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// How the Deployment is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It runs.
    Runs,
    /// It has no pod, as `pivotctl ironic stop` leaves it: `pivotctl ironic start` starts it.
    Stopped,
}

/// A machine, as Ironic knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `NAMESPACE~NAME` of its host.
    pub name: String,
    /// Its UUID, which a host has in `status.provisioning.ID`.
    pub id: String,
    /// Such as `active`.
    pub state: String,
    /// The uid of its host, where baremetal-operator provisioned it; otherwise empty.
    pub instance: String,
}

/// The Ironic of one plane: where its endpoint is, and what its pods leave behind. The folder goes with the value.
#[derive(Debug)]
pub struct Ironic {
    programs: PathBuf,
    endpoint: Ipv4Addr,
    data: Folder,
}

impl Ironic {
    /// Ironic for a plane that has pods. Nothing is installed yet.
    pub fn new(assets: &Assets, plane: &Plane) -> Result<Self> {
        let program = assets.program(Program::Ironic)?;
        let programs = program.parent().map(PathBuf::from).unwrap_or_default();
        let data = Folder::new(&format!("{}-ironic", plane.name()))?;
        Ok(Self { programs, endpoint: plane.network()?.endpoint(), data })
    }

    /// The images with that of Ironic.
    pub fn with_image(images: Images) -> Images {
        images.with(IMAGE, "/bin/sh")
    }

    /// The address of the endpoint, which whatever pod of Ironic runs has besides its own. The machine and the pods of the plane reach it.
    pub fn endpoint(&self) -> Ipv4Addr {
        self.endpoint
    }

    /// The address of its API, as baremetal-operator is told it.
    pub fn url(&self) -> String {
        format!("http://{}:6385/v1/", self.endpoint)
    }

    /// What Ironic and baremetal-operator are told alike. Nobody fetches the images: nothing boots here.
    pub(crate) fn settings(&self) -> Value {
        let image = |name: &str| format!("http://{}:6180/images/ironic-python-agent.{name}", self.endpoint);
        json!({
            "DEPLOY_KERNEL_URL": image("kernel"),
            "DEPLOY_RAMDISK_URL": image("initramfs"),
            "IRONIC_ENDPOINT": self.url(),
            "IRONIC_INSECURE": "true",
            "PROVISIONING_CIDR": "24",
            "PROVISIONING_INTERFACE": INTERFACE,
            "PROVISIONING_IP": self.endpoint.to_string(),
        })
    }

    /// Installs it, and where it is to run waits until it answers.
    pub async fn install(&self, client: &PlaneClient, standing: Standing) -> Result<()> {
        client.ensure_namespace(NAMESPACE).await?;
        let config = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG_MAP, "namespace": NAMESPACE},
            "data": self.settings(),
        });
        client.apply(&config, "kubectl").await?;
        client.apply(&self.deployment(standing), "kubectl").await?;
        match standing {
            Standing::Runs => self.await_ready(client).await,
            Standing::Stopped => Ok(()),
        }
    }

    fn deployment(&self, standing: Standing) -> Value {
        let labels = json!({"name": "ironic"});
        let (replicas, annotations) = match standing {
            Standing::Runs => (1, json!({})),
            Standing::Stopped => (0, json!({REPLICAS: "1"})),
        };
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": DEPLOYMENT, "namespace": NAMESPACE, "annotations": annotations},
            "spec": {
                "replicas": replicas,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 10,
                        "containers": [{
                            "name": CONTAINER,
                            "image": format!("{IMAGE}:latest"),
                            "command": ["/bin/sh", "-c", START],
                            "envFrom": [{"configMapRef": {"name": CONFIG_MAP}}],
                            // Where the programs of the test bed are, and where this pod leaves its data.
                            "env": [
                                {"name": "IRONIC_PROGRAMS", "value": self.programs},
                                {"name": "IRONIC_DATA", "value": self.data.path()},
                                {"name": "IRONIC_DATABASE", "value": DATABASE},
                            ],
                            "readinessProbe": {
                                "httpGet": {"path": "/v1", "port": 6385},
                                "periodSeconds": 1,
                                "timeoutSeconds": 10,
                                "failureThreshold": 30,
                            },
                        }],
                    },
                },
            },
        })
    }

    /// Waits until it runs and answers at its endpoint.
    pub async fn await_ready(&self, client: &PlaneClient) -> Result<()> {
        wait_until("Ironic to answer", DEADLINE, async || {
            let deployment = client.get(Gvk::DEPLOYMENT, Some(NAMESPACE), DEPLOYMENT).await?;
            if !deployment.is_some_and(|deployment| condition_is_true(&deployment, "Available")) {
                return Ok(Progress::Pending("its Deployment is not available".to_owned()));
            }
            Ok(match ask::get(&self.url()).await {
                Ok(_) => Progress::Done(()),
                Err(error) => Progress::Pending(error.to_string()),
            })
        })
        .await
    }

    /// The machines that it knows. An error where nobody answers at the endpoint.
    pub async fn nodes(&self) -> Result<Vec<Node>> {
        let answer = ask::get(&format!("{}nodes/detail", self.url())).await?;
        let text = |node: &Value, key: &str| node[key].as_str().unwrap_or_default().to_owned();
        let node = |node: &Value| Node {
            name: text(node, "name"),
            id: text(node, "uuid"),
            state: text(node, "provision_state"),
            instance: text(node, "instance_uuid"),
        };
        Ok(answer["nodes"].as_array().into_iter().flatten().map(node).collect())
    }

    /// The files of the databases, one for each pod there was.
    pub fn databases(&self) -> Result<Vec<PathBuf>> {
        let folder = self.data.path();
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
            let database = entry.map_err(Error::file(folder))?.path().join(DATABASE);
            if database.is_file() {
                found.push(database);
            }
        }
        found.sort();
        Ok(found)
    }
}
