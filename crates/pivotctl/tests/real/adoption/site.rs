//! Machines with BMCs, two clusters with the real operator and a real Ironic each, and the program between them.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::Duration;

use pivot_testbed::assets::Assets;
use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::ironic::{Bmcs, Ironic, Machine, Order, Standing};
use pivot_testbed::kubelet::Kubelet;
use pivot_testbed::operators::{self, Operator};
use pivot_testbed::plane::{Plane, PlaneOptions};
use pivot_testbed::providers;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::operators::bank::hosts;
use crate::scene::NAMESPACE;

const DEADLINE: Duration = Duration::from_secs(300);
/// What the provisioned machine runs.
const IMAGE: &str = "http://172.22.0.1/images/node.qcow2";

/// The hosts, and the state that each is in: how many machines there are.
pub(super) const HOSTS: [(&str, &str); 2] =
    [("external-0", "externally provisioned"), ("node-0", "provisioned")];

/// A cluster with its operator and its Ironic.
pub(super) struct Half {
    pub(super) client: PlaneClient,
    pub(super) kubelet: Kubelet,
    pub(super) ironic: Ironic,
    plane: Plane,
}

/// Ironic runs in the source and stands ready to be started in the target. The source's operator has registered every host.
pub(super) struct Site {
    pub(super) source: Half,
    pub(super) target: Half,
    pub(super) bmcs: Bmcs,
    home: TempDir,
}

impl Half {
    async fn start(assets: &Assets, name: &str, standing: Standing) -> Self {
        let plane =
            providers::start_management_plane(assets, name, &PlaneOptions::with_pods()).await.unwrap();
        let client = plane.client().await.unwrap();
        let images = Ironic::with_image(operators::images(assets).unwrap());
        let kubelet = Kubelet::start(&plane, "node", images).await.unwrap();
        let ironic = Ironic::new(assets, &plane).unwrap();
        ironic.install(&client, standing).await.unwrap();
        let operators = [Operator::Baremetal];
        operators::install_with_ironic(&client, assets, &kubelet, &operators, &ironic).await.unwrap();
        Self { client, kubelet, ironic, plane }
    }

    /// Waits until every host is adopted by this cluster's Ironic and the operator knows that its machine is on.
    pub(super) async fn adopts(&self) {
        wait_until("every host to be adopted", DEADLINE, async || {
            let hosts = hosts(&self.client).await;
            let nodes = self.ironic.nodes().await.unwrap_or_default();
            let is_adopted = |(name, state): (&str, &str)| {
                let Some(host) = hosts.get(name) else { return false };
                let node = nodes.iter().find(|node| node.name == format!("{NAMESPACE}~{name}"));
                let status = &host["status"];
                node.is_some_and(|node| {
                    node.state == "active" && status["provisioning"]["ID"] == node.id.as_str()
                }) && status["provisioning"]["state"] == state
                    && status["poweredOn"] == true
                    && status["errorType"].as_str().unwrap_or_default().is_empty()
            };
            Ok(if HOSTS.into_iter().all(is_adopted) {
                Progress::Done(())
            } else {
                let states: Vec<_> = hosts.values().map(|host| host["status"].to_string()).collect();
                Progress::Pending(format!("{nodes:?} {states:?}"))
            })
        })
        .await
        .unwrap();
    }
}

impl Site {
    pub(super) async fn new(assets: &Assets) -> Self {
        let machines: Vec<Machine> = (0..HOSTS.len()).map(machine).collect();
        let bmcs = Bmcs::start(assets, &machines).await.unwrap();
        let (source, target) = tokio::join!(
            Box::pin(Half::start(assets, "source", Standing::Runs)),
            Box::pin(Half::start(assets, "target", Standing::Stopped))
        );
        source.client.ensure_namespace(NAMESPACE).await.unwrap();
        for (index, (name, state)) in HOSTS.into_iter().enumerate() {
            let objects = [credentials(name), host(name, state, &machines[index], &bmcs)];
            source.client.apply_all(&objects, "kubectl").await.unwrap();
        }
        source.adopts().await;
        Self { source, target, bmcs, home: tempfile::tempdir().unwrap() }
    }

    /// Runs a verb to its good end. `sides` are the flags that name clusters, and the clusters.
    pub(super) fn run(&self, args: &[&str], sides: &[(&str, &Half)]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pivotctl"));
        command.env_clear().env("HOME", self.home.path()).current_dir(self.home.path()).args(args);
        for (flag, half) in sides {
            command.arg(flag).arg(half.plane.kubeconfig());
        }
        let Output { status, stdout, stderr } = tokio::task::block_in_place(|| command.output().unwrap());
        let told = format!("{}\n{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(0), "{args:?}: {told}");
    }

    /// Asserts that no machine was ever switched by anybody, and that all are on.
    pub(super) async fn nobody_touched_the_power(&self) {
        let switched: Vec<_> =
            self.bmcs.orders().unwrap().into_iter().filter(Order::is_about_power).collect();
        assert_eq!(switched, []);
        for (index, (name, _)) in HOSTS.into_iter().enumerate() {
            assert!(self.bmcs.is_on(&machine(index).id).await.unwrap(), "{name}");
        }
    }
}

fn machine(index: usize) -> Machine {
    Machine {
        id: format!("8f3c5b1e-0000-4000-9000-{index:012}"),
        name: HOSTS[index].0.to_owned(),
        mac: format!("52:54:00:00:00:{index:02x}"),
        on: true,
    }
}

fn credentials(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": format!("{name}-bmc-secret"), "namespace": NAMESPACE},
        "stringData": {"username": "admin", "password": "password"},
    })
}

/// Nothing boots on the machines: one is in use already, the other arrives with the status that another operator left in its annotation.
fn host(name: &str, state: &str, machine: &Machine, bmcs: &Bmcs) -> Value {
    let mut host = json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {"inspect.metal3.io": "disabled"}},
        "spec": {
            "online": true,
            "bootMACAddress": machine.mac,
            "bmc": {"address": bmcs.address(&machine.id), "credentialsName": format!("{name}-bmc-secret")},
        },
    });
    if state == "provisioned" {
        let image =
            json!({"url": IMAGE, "checksum": "0".repeat(64), "checksumType": "sha256", "format": "qcow2"});
        let status = json!({
            "operationalStatus": "OK",
            "errorCount": 0,
            "errorMessage": "",
            "hardwareProfile": "unknown",
            "poweredOn": true,
            "provisioning": {"state": state, "ID": "", "bootMode": "UEFI", "image": image},
        });
        host["metadata"]["annotations"]["baremetalhost.metal3.io/status"] = status.to_string().into();
        host["spec"]["image"] = image;
    } else {
        host["spec"]["externallyProvisioned"] = true.into();
    }
    host
}

/// The IDs by which Ironic knows the hosts.
pub(super) fn ids(hosts: &BTreeMap<String, Value>) -> Vec<&str> {
    hosts.values().map(|host| host["status"]["provisioning"]["ID"].as_str().unwrap()).collect()
}
