//! Generated manifests, as `kubectl` applies them to a real API server, and the pod that comes of them.
//!
//! The programs in the pod are stand-ins, except for the init container's shell: what counts is what the pod waits for, and what its dnsmasq finds.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pivot_testbed::assets::Program;
use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::kind::Gvk;
use pivot_testbed::kubelet::{Images, Kubelet};
use pivot_testbed::plane::{Plane, PlaneOptions};
use pivot_testbed::{assets_or_skip, pods_or_skip};
use serde_json::json;

use crate::scene::Outcome;

const DEADLINE: Duration = Duration::from_secs(120);
const NAMESPACE: &str = "baremetal-operator-system";
const NAME: &str = "baremetal-operator-ironic";
/// The API server and its pods are enough: no Secret is needed.
const OPEN: [&str; 5] = [
    "--no-auth",
    "--no-tls",
    "--image=test/ironic:1",
    "--keepalived-image=test/ironic:1",
    "--downloader-image=test/done:1",
];
/// Mount points that the images have and this machine has not: here they stand in a folder that it has.
const PLACES: [(&str, &str); 3] =
    [("/data/dnsmasq", "/mnt/dnsmasq"), (": /saved", ": /mnt/saved"), (": /shared", ": /mnt/shared")];
/// Runs a script that it is given, and stands for any other program of the image. It tells which leases dnsmasq would find, at both places.
const STANDIN: &str = "\
[ \"$1\" = -c ] && exec /bin/sh \"$@\"
[ -d /mnt/dnsmasq ] && sed 's/^/today: /' /mnt/dnsmasq/dnsmasq.leases && sed 's/^/before: /' /var/lib/dnsmasq/dnsmasq.leases
trap 'exit 0' TERM
while true; do sleep 0.1; done
";

struct Bank {
    plane: Plane,
    client: PlaneClient,
    kubelet: Kubelet,
    kubectl: PathBuf,
    home: tempfile::TempDir,
}

fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

impl Bank {
    fn run(&self, program: &Path, args: &[&str]) -> Outcome {
        let mut command = Command::new(program);
        command.args(args).args(["--kubeconfig", self.plane.kubeconfig().to_str().unwrap()]);
        command.env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn pivotctl(&self, args: &[&str]) -> Outcome {
        self.run(Path::new(env!("CARGO_BIN_EXE_pivotctl")), args)
    }

    fn generate(&self, more: &[&str]) -> Outcome {
        self.pivotctl(&[&["generate", "ironic"], &OPEN[..], more].concat())
    }

    fn apply(&self, manifests: &str, more: &[&str]) -> Outcome {
        let text =
            PLACES.iter().fold(manifests.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours));
        // The folder stands in the command too.
        fs::write(self.home.path().join("ironic.yaml"), text.replace("- /saved", "- /mnt/saved")).unwrap();
        self.run(&self.kubectl, &[&["apply", "-f", "ironic.yaml"], more].concat())
    }

    /// What the dnsmasq of a namespace has said, as soon as it has said something.
    async fn dnsmasq(&self, namespace: &str) -> String {
        wait_until(&format!("dnsmasq in {namespace}"), DEADLINE, async || {
            let pods = self.kubelet.pods();
            let log = pods
                .iter()
                .find(|pod| pod.namespace == namespace)
                .and_then(|pod| self.kubelet.log(&pod.uid, "ironic-dnsmasq").ok())
                .filter(|log| log.contains("before: "));
            Ok(log.map_or_else(|| Progress::Pending(format!("{pods:?}")), Progress::Done))
        })
        .await
        .unwrap()
    }
}

fn leases(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let (high, low) = (n / 250, n % 250 + 1);
        writeln!(text, "4102444800 52:54:00:00:{high:02x}:{low:02x} 10.1.{high}.{low} node-{n:04} 01:52:54:00:00:{high:02x}:{low:02x}").unwrap();
        text
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_generated_is_applied_waits_and_begins_with_the_leases() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let scripts = tempfile::tempdir().unwrap();
    let images = Images::new()
        .with("test/ironic", script(scripts.path(), "standin", STANDIN))
        .with("test/done", script(scripts.path(), "done", "exit 0\n"));
    let plane = Plane::start(&assets, "generate", &PlaneOptions::with_pods()).await.unwrap();
    let client = plane.client().await.unwrap();
    let kubelet = Kubelet::start(&plane, "node", images).await.unwrap();
    let kubectl = assets.program(Program::Kubectl).unwrap();
    let bank = Bank { plane, client, kubelet, kubectl, home: tempfile::tempdir().unwrap() };
    let deployment = async |namespace: &str| {
        bank.client.get(Gvk::DEPLOYMENT, Some(namespace), NAME).await.unwrap().unwrap()
    };

    // Applied long before the pivot, it runs nothing.
    let fit = ["--endpoint=10.1.255.2/16", "--interface=eth2", "--dhcp-range=10.1.0.1,10.1.99.250"];
    let generated = bank.generate(&fit).exits(0);
    assert!(
        generated.stderr.contains("its pod waits for ConfigMap dnsmasq-leases-configmap"),
        "{generated:#?}"
    );
    bank.apply(&generated.stdout, &[]).exits(0);
    for more in [&["--dry-run=server"][..], &[]] {
        let again = bank.apply(&generated.stdout, more).exits(0);
        assert!(again.stdout.lines().all(|line| line.contains(" unchanged")), "{again:#?}");
    }
    assert_eq!(deployment(NAMESPACE).await["spec"]["replicas"], 0);

    // Started, it waits for the leases, and has them when they come.
    bank.pivotctl(&["ironic", "start", "--wait=1s"]).exits(1).is("ironic-not-ready");
    assert_eq!(deployment(NAMESPACE).await["spec"]["replicas"], 1);
    wait_until("a pod", DEADLINE, async || {
        let pods = bank.client.list(Gvk::POD, Some(NAMESPACE)).await?;
        let is_there = pods.iter().any(|pod| pod["spec"]["nodeName"] == "node");
        Ok(if is_there { Progress::Done(()) } else { Progress::Pending(format!("{pods:?}")) })
    })
    .await
    .unwrap();
    for pod in bank.kubelet.pods() {
        assert!(bank.kubelet.log(&pod.uid, "ironic-dnsmasq").is_err(), "dnsmasq runs without leases");
    }
    fs::write(bank.home.path().join("leases"), leases(2)).unwrap();
    bank.pivotctl(&["leases", "import", "leases", "-n", NAMESPACE]).exits(0);
    let found = bank.dnsmasq(NAMESPACE).await;
    for place in ["today: ", "before: "] {
        let lines: Vec<&str> = found.lines().filter_map(|line| line.strip_prefix(place)).collect();
        assert_eq!(lines, leases(2).lines().collect::<Vec<_>>(), "{found}");
    }

    // The next one is told what this one was told.
    let same = bank.generate(&["--from-configmap"]).exits(0);
    assert_eq!(same.stdout, generated.stdout);
    let other = bank.generate(&["--from-configmap", "--interface=eth9"]).exits(0);
    assert_eq!(other.stdout, generated.stdout.replace("eth2", "eth9"));
    bank.generate(&["--from-configmap", "-n", "default"]).exits(1).is("settings-missing");
    for name in ["capm3-ironic-bmo-configmap-7h2", "capm3-ironic-bmo-configmap-9k4"] {
        let found = json!({"PROVISIONING_IP": "10.1.255.2", "DHCP_RANGE": "10.1.0.1,10.1.99.250"});
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": found,
            "metadata": {"name": name, "namespace": "default"}});
        bank.client.create(&map, "test").await.unwrap();
        if name.ends_with("7h2") {
            let by_part = ["--from-configmap", "-n", "default", "--interface=eth2"];
            bank.generate(&by_part).exits(2).is("endpoint-alone");
            bank.generate(&[&by_part[..], &["--endpoint=10.1.255.2/16"]].concat()).exits(0);
        }
    }
    let several = bank.generate(&["--from-configmap", "-n", "default"]).exits(1).is("settings-ambiguous");
    assert!(several.stderr.contains("9k4"), "{several:#?}");

    // More leases than `kubectl apply` takes in one ConfigMap, and a pod that runs at once.
    fs::write(bank.home.path().join("many"), leases(5_000)).unwrap();
    let many = bank.generate(&[&fit[..], &["--leases=many", "--run", "-n", "many"]].concat()).exits(0);
    let applied = bank.apply(&many.stdout, &[]).exits(0);
    assert!(applied.stdout.contains("configmap/dnsmasq-leases-configmap-01 created"), "{applied:#?}");
    bank.dnsmasq("many").await;
    let all = bank.kubelet.logs("many").unwrap().concat();
    assert_eq!(all.matches("today: ").count(), 5_000);
}
