//! Ironic as a Deployment, and as what the Ironic Standalone Operator keeps, with pods that are processes.
//!
//! The programs in the pods are stand-ins: what counts is that they run, end, and come back. So is the operator, which scales what it has made up again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::crds::condition_is_true;
use pivot_testbed::kind::Gvk;
use pivot_testbed::kubelet::{Images, Kubelet};
use pivot_testbed::operators::standin_irso;
use pivot_testbed::plane::{Plane, PlaneOptions};
use pivot_testbed::{assets_or_skip, pods_or_skip};
use serde_json::{Value, json};

use crate::irso::site::STANDIN;
use crate::scene::Outcome;

const DEADLINE: Duration = Duration::from_secs(120);
const NAMESPACE: &str = "baremetal-operator-system";
/// What the pods have given out, and what a ConfigMap has.
const CAPM3: &str = "0 52:54:00:00:00:01 172.22.0.10 * *\n";
const IRSO: &str = "0 52:54:00:00:00:02 172.22.0.11 * *\n";
const CARRIED: &str = "0 52:54:00:00:00:03 172.22.0.12 * *\n";
const OPERATOR: &str = standin_irso::DEPLOYMENT;
/// Where a container finds its volume.
const MOUNT: &str = "/var/lib/dnsmasq";

fn sorted(leases: &str) -> String {
    let mut lines: Vec<&str> = leases.split_inclusive('\n').collect();
    lines.sort_unstable();
    lines.concat()
}

fn script(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn namespace_of(name: &str) -> &'static str {
    if name == OPERATOR { standin_irso::NAMESPACE } else { NAMESPACE }
}

fn deployment(name: &str, containers: &[(&str, &str)]) -> Value {
    let containers: Vec<Value> = containers
        .iter()
        .map(|(name, image)| {
            let mounts = json!([{"name": "data", "mountPath": MOUNT}]);
            json!({"name": name, "image": image, "command": ["/run"], "volumeMounts": mounts})
        })
        .collect();
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": containers,
                    "terminationGracePeriodSeconds": 1,
                    "volumes": [{"name": "data", "emptyDir": {}}],
                },
            },
        },
    })
}

struct Bank {
    plane: Plane,
    client: PlaneClient,
    kubelet: Kubelet,
    home: tempfile::TempDir,
}

impl Bank {
    fn run(&self, args: &[&str]) -> Outcome {
        self.run_as(self.plane.kubeconfig(), args)
    }

    fn run_as(&self, kubeconfig: &Path, args: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pivotctl"));
        command.args(args).args(["--kubeconfig", kubeconfig.to_str().unwrap()]);
        command.env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    async fn ready(&self, name: &str) {
        wait_until(&format!("Deployment {name} to be available"), DEADLINE, async || {
            let found =
                self.client.get(Gvk::DEPLOYMENT, Some(namespace_of(name)), name).await?.unwrap_or_default();
            let is_ready = condition_is_true(&found, "Available") && found["status"]["readyReplicas"] == 1;
            Ok(if is_ready { Progress::Done(()) } else { Progress::Pending(found["status"].to_string()) })
        })
        .await
        .unwrap();
    }

    /// Somebody who may do all that a stop takes, but run no command in a pod.
    async fn without_exec(&self) -> PathBuf {
        let (group, name) = ("rbac.authorization.k8s.io", "stopper");
        let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        let rules = json!([
            rule("", &["pods", "configmaps"], &["get", "list", "create", "update"]),
            rule("apps", &["deployments", "replicasets"], &["get", "list", "patch"]),
            rule("ironic.metal3.io", &["ironics"], &["list"]),
        ]);
        let role = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
        let binding = json!({
            "apiVersion": format!("{group}/v1"),
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
        });
        self.client.create(&role, "test").await.unwrap();
        self.client.create(&binding, "test").await.unwrap();
        self.plane.user_kubeconfig(name, None).unwrap()
    }

    async fn leases(&self) -> Option<String> {
        let found =
            self.client.get(Gvk::CONFIG_MAP, Some(NAMESPACE), "dnsmasq-leases-configmap").await.unwrap()?;
        Some(found["data"]["dnsmasq.leases"].as_str().unwrap_or_default().to_owned())
    }

    async fn replicas(&self, name: &str) -> (Value, Value) {
        let found = self.client.get(Gvk::DEPLOYMENT, Some(namespace_of(name)), name).await.unwrap().unwrap();
        let noted = found["metadata"]["annotations"]["pivot.metal3.io/ironic-replicas"].clone();
        (found["spec"]["replicas"].clone(), noted)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ironic_is_scaled_away_and_back() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let scripts = tempfile::tempdir().unwrap();
    // What the operator makes is told its name, and only its DHCP server has the volume.
    let begin = "[ \"$1\" = ramdisk-downloader ] && exit 0\n";
    let has = format!("case $HOSTNAME in capm3-*) lease='{CAPM3}';; *) lease='{IRSO}';; esac\n");
    let put = format!(
        "if [ -z \"$1\" ] || [ \"$1\" = dnsmasq ]; then printf '%s' \"$lease\" > {MOUNT}/dnsmasq.leases; fi\n"
    );
    let waits = "trap 'exit 0' TERM\nwhile true; do sleep 0.1; done\n";
    let runs = script(&scripts, "runs", &[begin, &has, &put, waits].concat());
    let images = Images::new().with("test/ironic", runs.clone()).with(standin_irso::IRONIC_IMAGE, runs);
    let images = standin_irso::with_image(images).unwrap();
    let plane = Plane::start(&assets, "ironic", &PlaneOptions::with_pods()).await.unwrap();
    let client = plane.client().await.unwrap();
    let kubelet = Kubelet::start(&plane, "node", images).await.unwrap();
    let bank = Bank { plane, client, kubelet, home: tempfile::tempdir().unwrap() };
    bank.client.ensure_namespace(NAMESPACE).await.unwrap();
    bank.run(&["ironic", "status"]).exits(1).is("ironic-missing");
    standin_irso::install_crd(&bank.client).await.unwrap();
    bank.run(&["ironic", "status"]).exits(1).is("ironic-missing");
    let resource = json!({"apiVersion": "ironic.metal3.io/v1alpha1", "kind": "Ironic",
    "metadata": {"name": "ironic", "namespace": NAMESPACE},
    "spec": {
        "networking": {"dhcp": {"networkCIDR": "172.22.0.0/24"}},
        "overrides": {
            "containers": [{"name": "dnsmasq", "volumeMounts": [{"name": "data", "mountPath": MOUNT}]}],
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    }});
    bank.client.create(&resource, "test").await.unwrap();
    bank.run(&["ironic", "status"]).exits(1).is("ironic-operator-missing");

    standin_irso::install(&bank.client, STANDIN, 1).await.unwrap();
    bank.ready("ironic-service").await;
    // Its operator is not there any more, or hidden: somebody will start it again.
    bank.client.delete(Gvk::DEPLOYMENT, Some(standin_irso::NAMESPACE), OPERATOR).await.unwrap();
    bank.run(&["ironic", "stop", "--without-leases"]).exits(1).is("ironic-operator-missing");
    standin_irso::install(&bank.client, STANDIN, 1).await.unwrap();
    let ironic = "test/ironic:1";
    let old = [("ironic-dnsmasq", ironic), ("ironic", ironic), ("ironic-endpoint-keepalived", ironic)];
    bank.client.create(&deployment("capm3-ironic", &old), "test").await.unwrap();
    let other = deployment("baremetal-operator-controller-manager", &[("manager", ironic)]);
    bank.client.create(&other, "test").await.unwrap();
    for name in [OPERATOR, "ironic-service", "capm3-ironic", "baremetal-operator-controller-manager"] {
        bank.ready(name).await;
    }
    let status = bank.run(&["ironic", "status", "-o", "json"]).exits(0).json();
    let names: Vec<&str> =
        status.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, [OPERATOR, "capm3-ironic", "ironic-service"]);

    // Leases die with a pod, and who may not read them there stops nothing.
    let stopper = bank.without_exec().await;
    let unsaved = bank.run_as(&stopper, &["ironic", "stop"]).exits(1).is("ironic-leases-unsaved");
    assert!(unsaved.stderr.contains("`create` and `get` of pods/exec"), "{unsaved:#?}");
    assert!(unsaved.stderr.contains("kubectl exec"), "{unsaved:#?}");
    assert_eq!(bank.replicas(OPERATOR).await, (1.into(), Value::Null), "nothing was stopped");
    assert_eq!(bank.leases().await, None);

    // Both pods have one; a third was carried here before.
    let shown = bank.run(&["leases", "export", "--pods"]).exits(0).stdout;
    assert_eq!(sorted(&shown), [CAPM3, IRSO].concat());
    fs::write(bank.home.path().join("leases"), CARRIED).unwrap();
    bank.run(&["leases", "import", "leases", "-n", NAMESPACE]).exits(0);
    let stopped = bank.run(&["ironic", "stop"]).exits(0);
    assert!(
        stopped.stderr.contains(&format!("every pod gone: {}/{OPERATOR}", standin_irso::NAMESPACE)),
        "{stopped:#?}"
    );
    assert!(stopped.stderr.contains("3 leases in ConfigMap"), "{stopped:#?}");
    assert_eq!(sorted(&bank.leases().await.unwrap()), [CAPM3, IRSO, CARRIED].concat());
    for name in [OPERATOR, "capm3-ironic", "ironic-service"] {
        assert_eq!(bank.replicas(name).await, (0.into(), "1".into()), "{name}");
    }
    let left: Vec<String> = bank.kubelet.pods().into_iter().map(|pod| pod.name).collect();
    assert!(left.len() == 1 && left[0].starts_with("baremetal-operator-controller-manager"), "{left:?}");
    // Once more, and what it had is not forgotten.
    bank.run(&["ironic", "stop"]).exits(0);
    let started = bank.run(&["ironic", "start"]).exits(0);
    assert!(started.stderr.contains("running as before: "), "{started:#?}");
    for name in [OPERATOR, "capm3-ironic", "ironic-service"] {
        assert_eq!(bank.replicas(name).await, (1.into(), Value::Null), "{name}");
    }
    bank.run(&["ironic", "start"]).exits(1).is("ironic-not-saved");
}
