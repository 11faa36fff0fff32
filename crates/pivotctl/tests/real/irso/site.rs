//! Two clusters with the stand-in for the Ironic Standalone Operator, an `Ironic` each, and the hosts that it powers.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use pivot_testbed::assets::Assets;
use pivot_testbed::client::{Patch, PlaneClient, Progress, wait_until};
use pivot_testbed::crds::condition_is_true;
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use pivot_testbed::kubelet::{Images, Kubelet};
use pivot_testbed::operators::standin_irso;
use pivot_testbed::plane::{Pair, Plane, PlaneOptions};
use pivot_testbed::proxy::Proxy;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::{NAMESPACE, Outcome};

/// What the pods of the stand-in run.
pub(crate) const STANDIN: &str = "irso::standin_irso";
/// Where Ironic is.
pub(super) const IRONIC: &str = "baremetal-operator-system";
/// The Deployment that is made for it.
pub(super) const SERVICE: &str = "ironic-service";
const LEASES: &str = "dnsmasq-leases-configmap";
const LEASE: &str = "4102444800 52:54:00:00:00:01 172.22.0.10 node-0 *";
const DEADLINE: Duration = Duration::from_secs(180);
/// The API server and its pods are enough: no Secret is needed.
const GENERATE: [&str; 8] = [
    "generate",
    "ironic",
    "--form=irso",
    "--endpoint=172.22.0.2/24",
    "--interface=eth2",
    "--dhcp-range=172.22.0.10,172.22.0.100",
    "--no-auth",
    "--no-tls",
];
/// The file that holds pods of Ironic up before their containers begin.
const HOLD: &str = "hold";
/// Mount points that the image has and this machine has not: here they stand in a folder that it has.
const PLACES: [(&str, &str); 3] = [
    ("/data/dnsmasq", "/mnt/dnsmasq"),
    ("mountPath: /saved", "mountPath: /mnt/saved"),
    ("- /saved", "- /mnt/saved"),
];

/// One of the two clusters.
pub(super) struct Bank {
    pub(super) name: &'static str,
    pub(super) client: PlaneClient,
    pub(super) kubelet: Kubelet,
    /// The program comes through it.
    pub(super) proxy: Proxy,
}

/// Ironic runs in the east, with a lease. In the west there is nothing of it yet.
pub(super) struct Site {
    pub(super) east: Bank,
    pub(super) west: Bank,
    home: TempDir,
    _pair: Pair,
}

/// Stands for every program of Ironic's pods. It runs a script that it is given, writes down when it begins and when it ends, in one file for both
/// clusters, and tells which leases dnsmasq would find. None begins while it is held up.
fn program(folder: &Path, bank: &str) -> PathBuf {
    let (path, journal, hold) = (folder.join(bank), folder.join("journal"), folder.join(HOLD));
    let text = format!(
        "#!/bin/sh\n\
         [ \"$1\" = -c ] && exec /bin/sh \"$@\"\n\
         if [ \"$1\" = ramdisk-downloader ]; then while [ -e {hold} ]; do sleep 0.1; done; exit 0; fi\n\
         trap 'echo \"end {bank} $$ $1\" >> {journal}; exit 0' TERM\n\
         echo \"begin {bank} $$ $1\" >> {journal}\n\
         [ \"$1\" = dnsmasq ] && sed 's/^/lease: /' /mnt/dnsmasq/dnsmasq.leases\n\
         while true; do sleep 0.1; done\n",
        hold = hold.display(),
        journal = journal.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

impl Bank {
    async fn start(plane: &Plane, name: &'static str, folder: &Path) -> Self {
        let images = standin_irso::with_image(Images::new()).unwrap();
        let images = images.with(standin_irso::IRONIC_IMAGE, program(folder, name));
        let kubelet = Kubelet::start(plane, "node", images).await.unwrap();
        let (client, proxy) = (plane.client().await.unwrap(), Proxy::start(plane).await.unwrap());
        client.ensure_namespace(IRONIC).await.unwrap();
        standin_irso::install_crd(&client).await.unwrap();
        Self { name, client, kubelet, proxy }
    }

    pub(super) async fn install(&self, replicas: u32) {
        standin_irso::install(&self.client, STANDIN, replicas).await.unwrap();
    }

    pub(super) async fn scale_operator(&self, replicas: u32) {
        let (namespace, name) = (Some(standin_irso::NAMESPACE), standin_irso::DEPLOYMENT);
        let patch = json!({"spec": {"replicas": replicas}});
        self.client.patch(Gvk::DEPLOYMENT, namespace, name, Patch::Merge, &patch, "kubectl").await.unwrap();
    }

    pub(super) async fn change(&self, spec: &Value) {
        let patch = json!({"spec": spec});
        self.client
            .patch(Gvk::IRONIC, Some(IRONIC), "ironic", Patch::Merge, &patch, "kubectl")
            .await
            .unwrap();
    }

    async fn resource(&self) -> Value {
        self.client.get(Gvk::IRONIC, Some(IRONIC), "ironic").await.unwrap().unwrap_or_default()
    }

    async fn await_ready(&self) {
        wait_until(&format!("Ironic in the {}", self.name), DEADLINE, async || {
            let found = self.resource().await;
            Ok(if condition_is_true(&found, "Ready") {
                Progress::Done(())
            } else {
                Progress::Pending(format!("{found} {:?}", self.kubelet.logs(standin_irso::NAMESPACE)))
            })
        })
        .await
        .unwrap();
    }

    pub(super) async fn deployment(&self, namespace: &str, name: &str) -> Option<Value> {
        self.client.get(Gvk::DEPLOYMENT, Some(namespace), name).await.unwrap()
    }

    /// Replicas of the operator and of what it makes, with those that a stop noted.
    async fn replicas(&self) -> [(Value, Value); 2] {
        let mut all = Vec::new();
        for (namespace, name) in [(standin_irso::NAMESPACE, standin_irso::DEPLOYMENT), (IRONIC, SERVICE)] {
            let found = self.deployment(namespace, name).await.unwrap_or_default();
            let noted = found["metadata"]["annotations"]["pivot.metal3.io/ironic-replicas"].clone();
            all.push((found["spec"]["replicas"].clone(), noted));
        }
        all.try_into().unwrap()
    }

    /// Names of the pods that have processes.
    fn pods(&self) -> Vec<String> {
        self.kubelet.pods().into_iter().map(|pod| pod.name).collect()
    }

    /// What the dnsmasq that runs has found, as soon as it has said so.
    async fn leases_found(&self) -> String {
        wait_until(&format!("dnsmasq in the {}", self.name), DEADLINE, async || {
            let pods = self.kubelet.pods();
            let pod = pods.iter().find(|pod| pod.name.starts_with(SERVICE));
            let log = pod.and_then(|pod| self.kubelet.log(&pod.uid, "dnsmasq").ok()).unwrap_or_default();
            let found = log.strip_suffix('\n').and_then(|log| log.strip_prefix("lease: "));
            Ok(found.map_or_else(
                || Progress::Pending(format!("{pods:?} {log}")),
                |found| Progress::Done(found.to_owned()),
            ))
        })
        .await
        .unwrap()
    }

    /// Asserts that the lease lies where its dnsmasq begins with it.
    pub(super) async fn has_the_lease(&self) {
        let map = self.client.get(Gvk::CONFIG_MAP, Some(IRONIC), LEASES).await.unwrap();
        assert_eq!(map.unwrap_or_default()["data"]["dnsmasq.leases"], format!("{LEASE}\n"), "{}", self.name);
    }
}

impl Site {
    pub(super) async fn new(assets: &Assets) -> Self {
        let pair = Pair::dedicated(assets, &PlaneOptions::with_pods()).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let east = Box::pin(Bank::start(&pair.source, "east", home.path())).await;
        let west = Box::pin(Bank::start(&pair.target, "west", home.path())).await;
        for bank in [&east, &west] {
            // One that the pivot made would be on its way out for a while after a rollback.
            bank.client.ensure_namespace(NAMESPACE).await.unwrap();
        }
        let fixture = Fixture::new(FixtureOptions::small().in_namespace(NAMESPACE));
        fixture::load(&east.client, &fixture).await.unwrap();
        let site = Self { east, west, home, _pair: pair };
        fs::write(site.home.path().join("leases"), format!("{LEASE}\n")).unwrap();
        site.on(&site.east, &["leases", "import", "leases", "-n", IRONIC]).exits(0);
        site.apply(&site.east).await;
        site.east.install(1).await;
        site.east.await_ready().await;
        site
    }

    /// Applies what `generate ironic` writes.
    pub(super) async fn apply(&self, bank: &Bank) {
        let image = format!("--image={}:1", standin_irso::IRONIC_IMAGE);
        let generated = output(self.command(&[&GENERATE[..], &[&image, "-n", IRONIC]].concat())).exits(0);
        let fit = |text: String, (theirs, ours): &(&str, &str)| text.replace(theirs, ours);
        let text = PLACES.iter().fold(generated.stdout, fit);
        let resource: Value =
            text.split("\n---\n").last().map(|text| serde_saphyr::from_str(text).unwrap()).unwrap();
        assert_eq!(resource["kind"], "Ironic", "{text}");
        bank.client.apply(&resource, "kubectl").await.unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pivotctl"));
        let home = self.home.path();
        command.env_clear().env("HOME", home).current_dir(home).args(args);
        command
    }

    /// A verb on one cluster.
    pub(super) fn on(&self, bank: &Bank, args: &[&str]) -> Outcome {
        let mut command = self.command(args);
        command.arg("--kubeconfig").arg(bank.proxy.kubeconfig());
        output(command)
    }

    /// A verb from one cluster to the other.
    pub(super) fn between(&self, args: &[&str], from: &Bank, to: &Bank) -> Command {
        let mut command = self.command(args);
        command.arg("--kubeconfig").arg(from.proxy.kubeconfig());
        command.arg("--to-kubeconfig").arg(to.proxy.kubeconfig());
        command
    }

    pub(super) fn run(&self, args: &[&str], from: &Bank, to: &Bank) -> Outcome {
        output(self.between(args, from, to))
    }

    /// Keeps pods of Ironic from beginning, or lets them.
    pub(super) fn hold(&self, holds: bool) {
        let path = self.home.path().join(HOLD);
        if holds { fs::write(path, "") } else { fs::remove_file(path) }.unwrap();
    }

    /// Asserts that Ironic runs in one cluster, with the lease, and that the other's stands still as it was left.
    pub(super) async fn runs_in(&self, there: &Bank, not: &Bank, left: &[(Value, Value); 2]) {
        assert!(condition_is_true(&there.resource().await, "Ready"), "{}", there.name);
        assert_eq!(there.leases_found().await, LEASE, "{}", there.name);
        assert_eq!(self.never_both(), there.name);
        let runs = || (json!(1), Value::Null);
        assert_eq!(there.replicas().await, [runs(), runs()], "{}", there.name);
        there.has_the_lease().await;
        assert_eq!(&not.replicas().await, left, "{}", not.name);
        assert_eq!(not.pods(), [""; 0], "{}", not.name);
    }

    /// Asserts that at no time processes of Ironic were in both clusters; says where they are.
    fn never_both(&self) -> String {
        let journal = fs::read_to_string(self.home.path().join("journal")).unwrap();
        let mut alive = BTreeSet::new();
        for line in journal.lines() {
            let [what, bank, pid, _] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            if what == "begin" {
                alive.insert((bank, pid));
            } else {
                alive.remove(&(bank, pid));
            }
            assert!(banks(&alive).len() < 2, "in both clusters at `{line}`: {journal}");
        }
        banks(&alive).into_iter().collect()
    }
}

fn output(mut command: Command) -> Outcome {
    let Output { status, stdout, stderr } = tokio::task::block_in_place(|| command.output().unwrap());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

fn banks<'a>(alive: &BTreeSet<(&'a str, &str)>) -> BTreeSet<&'a str> {
    alive.iter().map(|(bank, _)| *bank).collect()
}

/// As a pivot leaves what it stopped.
pub(super) fn stopped() -> [(Value, Value); 2] {
    [(json!(0), json!("1")), (json!(0), json!("1"))]
}

/// As it was prepared: the operator at zero, and nothing made by it.
pub(super) fn prepared() -> [(Value, Value); 2] {
    [(json!(0), Value::Null), (Value::Null, Value::Null)]
}
