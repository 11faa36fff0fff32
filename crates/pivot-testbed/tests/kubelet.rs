//! Pods that are processes, on real planes.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use pivot_testbed::{
    assets_or_skip,
    client::{Patch, PlaneClient, Progress, wait_until},
    crds::condition_is_true,
    kind::Gvk,
    kubelet::{Images, Kubelet, RunningPod},
    plane::{Plane, PlaneOptions},
    pods_or_skip,
};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(300);
const NAMESPACE: &str = "default";

/// A shell script that stands for an image.
fn script(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with('Z'))
}

fn deployment(name: &str, pod: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}, "annotations": {"note": "of the pod"}}, "spec": pod},
        },
    })
}

async fn deployment_until(
    client: &PlaneClient,
    name: &str,
    what: &str,
    mut holds: impl FnMut(&Value) -> bool,
) -> Value {
    wait_until(&format!("Deployment {name} {what}"), DEADLINE, async || {
        let found = client.get(Gvk::DEPLOYMENT, Some(NAMESPACE), name).await?.unwrap_or_default();
        if holds(&found) {
            return Ok(Progress::Done(found));
        }
        let pods = client.list(Gvk::POD, Some(NAMESPACE)).await?;
        let pods: Vec<String> = pods.iter().map(|pod| pod["status"].to_string()).collect();
        Ok(Progress::Pending(format!("{} {}", found["status"], pods.join("\n"))))
    })
    .await
    .unwrap()
}

fn available(deployment: &Value) -> bool {
    condition_is_true(deployment, "Available")
}

/// The pod of a Deployment, once one of that name has a process.
async fn pod_of(kubelet: &Kubelet, deployment: &str) -> RunningPod {
    wait_until(&format!("a process of Deployment {deployment}"), DEADLINE, async || {
        let mut pods = kubelet.pods().into_iter();
        let of = |pod: &RunningPod| pod.name.starts_with(&format!("{deployment}-")) && !pod.pids.is_empty();
        Ok(pods.find(of).map_or(Progress::Pending(format!("{kubelet:?}")), Progress::Done))
    })
    .await
    .unwrap()
}

async fn log_until(kubelet: &Kubelet, uid: &str, line: &str) -> String {
    wait_until(&format!("`{line}` in the log"), DEADLINE, async || {
        let log = kubelet.log(uid, "main").unwrap_or_default();
        Ok(if log.contains(line) { Progress::Done(log) } else { Progress::Pending(log) })
    })
    .await
    .unwrap()
}

async fn scale(client: &PlaneClient, name: &str, replicas: u32) {
    let patch = json!({"spec": {"replicas": replicas}});
    client.patch(Gvk::DEPLOYMENT, Some(NAMESPACE), name, Patch::Merge, &patch, "test").await.unwrap();
}

#[tokio::test]
async fn what_a_pod_asks_for_arrives() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let scripts = tempfile::tempdir().unwrap();
    let teller = script(
        &scripts,
        "teller",
        r#"
echo "arguments: $*"
echo "plain=$PLAIN joined=$JOINED pod=$POD note=$NOTE mode=$CONFIG_mode password=$PASSWORD"
echo "file: $(cat /var/lib/teller/config/settings/mode) $(stat -c %a /var/lib/teller/secret/password)"
account=/var/run/secrets/kubernetes.io/serviceaccount
echo "account: $(cat $account/namespace) $(head -c 27 $account/ca.crt) $(cut -d. -f1,2 $account/token | tr -cd . | wc -c)"
echo "handed over: $(cat /var/lib/teller/shared/from-init)"
echo kept > /var/lib/teller/mine
echo "host: $(uname -n)"
echo "address: $(ip -o -4 address show eth0 | grep -o '10\.200\.[0-9]*\.[0-9]*/24')"
touch /var/lib/teller/config/no 2>/dev/null || echo "read only"
echo complete
while true; do sleep 0.2; done
"#,
    );
    let hander = script(&scripts, "hander", "echo by-init > /var/lib/teller/shared/from-init\n");
    let images = Images::new().with("test/teller", teller).with("test/hander", hander);
    let plane = Plane::start(&assets, "arrives", &PlaneOptions::with_pods()).await.unwrap();
    let client = plane.client().await.unwrap();
    let kubelet = Kubelet::start(&plane, "node", images).await.unwrap();

    let shared = json!({"name": "shared", "mountPath": "/var/lib/teller/shared"});
    let pod = json!({
        "initContainers": [{"name": "init", "image": "test/hander:1", "volumeMounts": [shared]}],
        "containers": [{
            "name": "main",
            "image": "test/teller:1",
            "command": ["/teller", "first"],
            "args": ["$(PLAIN)", "$$(PLAIN)"],
            "env": [
                {"name": "PLAIN", "value": "p"},
                {"name": "JOINED", "value": "$(PLAIN)-$(POD)"},
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                {"name": "NOTE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['note']"}}},
                {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
            ],
            "envFrom": [{"prefix": "CONFIG_", "configMapRef": {"name": "settings"}}],
            "volumeMounts": [
                shared,
                {"name": "config", "mountPath": "/var/lib/teller/config", "readOnly": true},
                {"name": "secret", "mountPath": "/var/lib/teller/secret"},
            ],
        }],
        "volumes": [
            {"name": "shared", "emptyDir": {}},
            {"name": "config", "projected": {"sources": [
                {"configMap": {"name": "settings", "items": [{"key": "mode", "path": "settings/mode"}]}},
                {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            ]}},
            {"name": "secret", "secret": {"secretName": "login", "defaultMode": 0o400}},
        ],
    });
    client.create(&deployment("teller", &pod), "test").await.unwrap();
    let settings = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": NAMESPACE}, "data": {"mode": "fast"}});
    let login = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "login", "namespace": NAMESPACE}, "stringData": {"password": "not-a-secret"}});
    // What a pod needs may come later than the pod.
    wait_until("the pod to wait for its config map", DEADLINE, async || {
        let pods = client.list(Gvk::POD, Some(NAMESPACE)).await?;
        let seen: Vec<String> = pods.iter().map(|pod| pod["status"].to_string()).collect();
        let seen = seen.join("\n");
        Ok(if seen.contains("configmap settings not found") {
            Progress::Done(())
        } else {
            Progress::Pending(seen)
        })
    })
    .await
    .unwrap();
    for object in [settings, login] {
        client.create(&object, "test").await.unwrap();
    }
    deployment_until(&client, "teller", "to be available", available).await;
    let pod = pod_of(&kubelet, "teller").await;
    let log = log_until(&kubelet, &pod.uid, "complete").await;
    for line in [
        "arguments: first p $(PLAIN)",
        "plain=p joined=p-$(POD) pod=default note=of the pod mode=fast password=not-a-secret",
        "file: fast 400",
        "account: default -----BEGIN CERTIFICATE----- 1",
        "handed over: by-init",
        &format!("host: {}", pod.name),
        &format!("address: {}/24", pod.address),
        "read only",
    ] {
        assert!(log.contains(&format!("{line}\n")), "`{line}` in:\n{log}");
    }
    for path in ["/var/lib/teller", "/run/secrets/kubernetes.io"] {
        assert!(!PathBuf::from(path).exists(), "{path}: a pod leaves nothing in the machine's folders");
    }

    scale(&client, "teller", 0).await;
    wait_until("the pod to go", DEADLINE, async || {
        let left = client.list(Gvk::POD, Some(NAMESPACE)).await?;
        Ok(if left.is_empty() && kubelet.pods().is_empty() {
            Progress::Done(())
        } else {
            Progress::Pending(format!("{kubelet:?}"))
        })
    })
    .await
    .unwrap();
    assert!(!pod.pids.iter().any(|pid| runs(*pid)), "no object goes before its processes");
}

#[tokio::test]
async fn probes_decide() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let scripts = tempfile::tempdir().unwrap();
    let sleeper = script(&scripts, "sleeper", "echo begun\nwhile true; do sleep 0.2; done\n");
    let plane = Plane::start(&assets, "probes", &PlaneOptions::with_pods()).await.unwrap();
    let client = plane.client().await.unwrap();
    let kubelet = Kubelet::start(&plane, "node", Images::new().with("test/sleeper", sleeper)).await.unwrap();

    let switch = scripts.path().join("switch");
    let sees_switch =
        json!({"exec": {"command": ["test", "-e", switch]}, "periodSeconds": 1, "failureThreshold": 1});
    let pod = json!({
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "test/sleeper", "readinessProbe": sees_switch}],
    });
    client.create(&deployment("shy", &pod), "test").await.unwrap();
    deployment_until(&client, "shy", "to have its pod started", |_| {
        kubelet.pods().iter().any(|pod| !pod.pids.is_empty())
    })
    .await;
    wait_until("the probe's answer", DEADLINE, async || {
        let pods = client.list(Gvk::POD, Some(NAMESPACE)).await?;
        let seen = pods.iter().map(|pod| pod["status"].to_string()).collect::<String>();
        Ok(if seen.contains("main: exit status: 1") { Progress::Done(()) } else { Progress::Pending(seen) })
    })
    .await
    .unwrap();
    let shy = client.get(Gvk::DEPLOYMENT, Some(NAMESPACE), "shy").await.unwrap().unwrap();
    assert!(!available(&shy));
    fs::write(&switch, "").unwrap();
    deployment_until(&client, "shy", "to be available", available).await;

    let before = pod_of(&kubelet, "shy").await;
    kubelet.kill(&before.uid).unwrap();
    let after = wait_until("another process", DEADLINE, async || {
        let after = pod_of(&kubelet, "shy").await;
        Ok(if after.pids == before.pids {
            Progress::Pending(format!("{after:?}"))
        } else {
            Progress::Done(after)
        })
    })
    .await
    .unwrap();
    assert_eq!((&after.uid, after.address), (&before.uid, before.address), "the same pod, started again");
    wait_until("the restart to be counted", DEADLINE, async || {
        let pod = client.get(Gvk::POD, Some(NAMESPACE), &after.name).await?.unwrap();
        let count = &pod["status"]["containerStatuses"][0]["restartCount"];
        Ok(if count == 1 { Progress::Done(()) } else { Progress::Pending(count.to_string()) })
    })
    .await
    .unwrap();
    // A frozen pod does not obey: it ends with its grace period.
    kubelet.freeze(&after.uid).await.unwrap();
    scale(&client, "shy", 0).await;
    wait_until("the frozen pod to go", DEADLINE, async || {
        Ok(if kubelet.pods().is_empty() {
            Progress::Done(())
        } else {
            Progress::Pending(format!("{kubelet:?}"))
        })
    })
    .await
    .unwrap();
    assert!(!after.pids.iter().any(|pid| runs(*pid)));
}

/// Whether anything on the machine carries this network name.
fn network_is_there(bridge: &str) -> bool {
    let named = |folder: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .any(|name| name == bridge || name.starts_with(&format!("{bridge}-")))
    };
    named("/sys/class/net") || named("/run/netns")
}

#[tokio::test]
async fn a_dropped_plane_takes_its_pods_along() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let scripts = tempfile::tempdir().unwrap();
    let sleeper = script(&scripts, "sleeper", "sleep 86399 &\nwhile true; do sleep 0.2; done\n");
    let plane = Plane::start(&assets, "dropped", &PlaneOptions::with_pods()).await.unwrap();
    let client = plane.client().await.unwrap();
    let kubelet = Kubelet::start(&plane, "node", Images::new().with("test/sleeper", sleeper)).await.unwrap();
    let pod = json!({"containers": [{"name": "main", "image": "test/sleeper"}]});
    client.create(&deployment("sleeper", &pod), "test").await.unwrap();
    let pod = pod_of(&kubelet, "sleeper").await;
    let bridge = format!("pivot{}", pod.address.octets()[2]);
    assert!(network_is_there(&bridge));
    drop(kubelet);
    drop(plane);
    wait_until("network and processes to go", DEADLINE, async || {
        let left: Vec<_> = pod.pids.iter().filter(|pid| runs(**pid)).collect();
        let there = network_is_there(&bridge);
        Ok(if left.is_empty() && !there {
            Progress::Done(())
        } else {
            Progress::Pending(format!("{left:?} {there}"))
        })
    })
    .await
    .unwrap();
}
