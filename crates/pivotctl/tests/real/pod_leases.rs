//! Leases that nothing but a pod has: a pivot carries them from a Deployment of one cluster to one of the other, and back.
//!
//! dnsmasq is real, in a real pod of a real plane, and serves clients on a network of its own. Ironic itself is a stand-in that runs and does
//! nothing: here it counts that its pods come and go.

use std::net::IpAddr;
use std::process::{Command, Output};
use std::time::Duration;

use pivot_testbed::assets::Assets;
use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::crds::condition_is_true;
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use pivot_testbed::kubelet::{Images, Kubelet};
use pivot_testbed::lan::{INTERFACE, Lan, Station};
use pivot_testbed::plane::{Pair, Plane, PlaneOptions};
use pivot_testbed::{assets_or_skip, programs_or_skip};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::{NAMESPACE, Outcome};

const DEADLINE: Duration = Duration::from_secs(120);
const IRONIC_NAMESPACE: &str = "baremetal-operator-system";
const DEPLOYMENT: &str = "baremetal-operator-ironic";
const CONFIG_MAP: &str = "dnsmasq-leases-configmap";
/// Room for three clients.
const RANGE: &str = "172.22.0.10,172.22.0.12,1h";
/// What an image that was made before 2025 keeps its leases in. Here it is a folder of the pod.
const FOLDER: &str = "/var/lib/dnsmasq";
/// Begins with the leases that were carried, unless the pod has some of its own.
const INIT: &str = "[ -e /var/lib/dnsmasq/dnsmasq.leases ] || cat /mnt/saved/* > /var/lib/dnsmasq/dnsmasq.leases 2>/dev/null; exit 0";

/// A cluster with a Deployment of Ironic, whose DHCP server is on a station of the network.
struct Half {
    client: PlaneClient,
    kubelet: Kubelet,
}

struct Shed {
    pair: Pair,
    source: Half,
    target: Half,
    clients: Vec<Station>,
    home: TempDir,
    // Ends what runs on the stations.
    _lan: Lan,
}

/// The Deployment. One that does not run is left as `ironic stop` leaves it.
fn deployment(station: &Station, runs: bool) -> Value {
    let dnsmasq = format!(
        "exec nsenter --net=/run/netns/{} dnsmasq -d -q --user=root --interface={INTERFACE} --bind-dynamic --port=0 --no-ping \
         --dhcp-sequential-ip --conf-file=/dev/null --pid-file= --dhcp-leasefile={FOLDER}/dnsmasq.leases --dhcp-range={RANGE}",
        station.namespace()
    );
    let container = |name: &str, script: &str| {
        let mounts = json!([
            {"name": "data", "mountPath": FOLDER},
            {"name": "saved", "mountPath": "/mnt/saved"},
        ]);
        json!({"name": name, "image": "test/shell:1", "command": ["sh", "-c", script], "volumeMounts": mounts})
    };
    let labels = json!({"app": "ironic"});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": DEPLOYMENT,
            "namespace": IRONIC_NAMESPACE,
            "annotations": if runs { json!({}) } else { json!({"pivot.metal3.io/ironic-replicas": "1"}) },
        },
        "spec": {
            "replicas": i32::from(runs),
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    // A token would stand in an overlay of /run, behind which the names of network namespaces are hidden.
                    "automountServiceAccountToken": false,
                    "terminationGracePeriodSeconds": 5,
                    "initContainers": [container("leases", INIT)],
                    "containers": [
                        container("ironic-dnsmasq", &dnsmasq),
                        container("ironic", "exec sleep 6000"),
                    ],
                    "volumes": [
                        {"name": "data", "emptyDir": {}},
                        {"name": "saved", "configMap": {"name": CONFIG_MAP, "optional": true}},
                    ],
                },
            },
        },
    })
}

impl Half {
    async fn start(plane: &Plane, station: &Station, runs: bool) -> Self {
        let client = plane.client().await.unwrap();
        let images = Images::new().with("test/shell", "/bin/sh");
        let kubelet = Kubelet::start(plane, "node", images).await.unwrap();
        for namespace in [IRONIC_NAMESPACE, NAMESPACE] {
            client.ensure_namespace(namespace).await.unwrap();
        }
        client.create(&deployment(station, runs), "test").await.unwrap();
        Self { client, kubelet }
    }

    async fn serves(&self) {
        wait_until("Ironic to be available", DEADLINE, async || {
            let found = self.client.get(Gvk::DEPLOYMENT, Some(IRONIC_NAMESPACE), DEPLOYMENT).await?;
            let found = found.unwrap_or_default();
            let pods = self.kubelet.pods();
            let logs = pods.iter().filter_map(|pod| self.kubelet.log(&pod.uid, "ironic-dnsmasq").ok());
            let log = logs.collect::<String>();
            let is_ready = condition_is_true(&found, "Available") && found["status"]["readyReplicas"] == 1;
            Ok(if is_ready && log.contains("DHCP, IP range") {
                Progress::Done(())
            } else {
                Progress::Pending(format!("{}, {log}", found["status"]))
            })
        })
        .await
        .unwrap();
    }

    /// The leases in its ConfigMap.
    async fn saved(&self) -> Option<String> {
        let found = self.client.get(Gvk::CONFIG_MAP, Some(IRONIC_NAMESPACE), CONFIG_MAP).await.unwrap()?;
        Some(found["data"]["dnsmasq.leases"].as_str().unwrap_or_default().to_owned())
    }

    fn has_pods(&self) -> bool {
        self.kubelet.pods().iter().any(|pod| pod.namespace == IRONIC_NAMESPACE)
    }
}

impl Shed {
    async fn new(assets: &Assets) -> Self {
        let pair = Pair::dedicated(assets, &PlaneOptions::with_pods()).await.unwrap();
        let lan = Lan::new().unwrap();
        let here = lan.station("here", &["172.22.0.1/24"]).unwrap();
        let there = lan.station("there", &["172.22.0.3/24"]).unwrap();
        let (source, target) = tokio::join!(
            Box::pin(Half::start(&pair.source, &here, true)),
            Box::pin(Half::start(&pair.target, &there, false))
        );
        let hosts = Fixture::new(FixtureOptions::small().in_namespace(NAMESPACE));
        fixture::load(&source.client, &hosts).await.unwrap();
        let client = |number: usize| {
            let client = lan.station(&format!("c{number}"), &[]).unwrap();
            client.set_mac(&mac(number)).unwrap();
            client
        };
        let clients = (1..=3).map(client).collect();
        source.serves().await;
        Self { pair, source, target, clients, home: tempfile::tempdir().unwrap(), _lan: lan }
    }

    fn run(&self, args: &[&str], sides: &[(&str, &Plane)]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pivotctl"));
        command.env_clear().env("HOME", self.home.path()).current_dir(self.home.path()).args(args);
        for (flag, plane) in sides {
            command.arg(flag).arg(plane.kubeconfig());
        }
        let Output { status, stdout, stderr } = tokio::task::block_in_place(|| command.output().unwrap());
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    fn there(&self, args: &[&str]) -> Outcome {
        self.run(args, &[("--kubeconfig", &self.pair.source), ("--to-kubeconfig", &self.pair.target)])
    }

    fn back(&self, args: &[&str]) -> Outcome {
        self.run(args, &[("--kubeconfig", &self.pair.target), ("--to-kubeconfig", &self.pair.source)])
    }

    /// The address that a client is given by whatever server there is.
    fn address(&self, number: usize) -> Option<IpAddr> {
        let command = ["busybox", "udhcpc", "-i", INTERFACE, "-f", "-n", "-q", "-t", "5", "-s", "/bin/true"];
        let output = tokio::task::block_in_place(|| self.clients[number - 1].output(&command).unwrap());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines().find_map(|line| line.split_once("lease of ")?.1.split(' ').next())?.parse().ok()
    }
}

fn mac(number: usize) -> String {
    format!("52:54:00:00:01:{number:02}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_go_from_pod_to_pod_and_back() {
    let assets = assets_or_skip!();
    programs_or_skip!("dnsmasq", "busybox", "nsenter");
    let shed = Shed::new(&assets).await;
    let (source, target) = (&shed.source, &shed.target);
    let first = shed.address(1);
    assert!(first.is_some());
    assert_eq!(source.saved().await, None, "the pod alone has the lease");
    let shown = shed.run(&["leases", "show", "--pods"], &[("--kubeconfig", &shed.pair.source)]).exits(0);
    assert!(shown.stdout.contains(&mac(1)), "{shown:#?}");

    let plan = shed.there(&["plan", "-n", NAMESPACE]).exits(0);
    assert!(plan.stdout.contains("1 lease carried"), "{plan:#?}");
    let moved = shed.there(&["move", "--yes", "-n", NAMESPACE]).exits(0);
    assert!(moved.stderr.contains("1 lease in ConfigMap"), "{moved:#?}");
    assert!(target.saved().await.unwrap_or_default().contains(&mac(1)), "{moved:#?}");
    assert!(!source.has_pods() && target.has_pods());
    target.serves().await;
    // The first address that is free goes to whoever asks first.
    let second = shed.address(2);
    assert!(second.is_some() && second != first, "{second:?} is another's");
    assert_eq!(shed.address(1), first, "a client keeps its address");

    shed.back(&["move", "--yes", "-n", NAMESPACE]).exits(0);
    assert!(source.has_pods() && !target.has_pods());
    source.serves().await;
    let saved = source.saved().await.unwrap_or_default();
    assert!(saved.contains(&mac(1)) && saved.contains(&mac(2)), "{saved}");
    let third = shed.address(3);
    assert!(third.is_some() && third != first && third != second, "{third:?} is another's");
    assert_eq!([shed.address(1), shed.address(2)], [first, second]);
}
