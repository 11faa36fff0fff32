//! Real planes start, restart, and leave nothing behind.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use pivot_testbed::{
    Error,
    assets::Assets,
    assets_or_skip,
    client::{Progress, wait_until},
    kind::Gvk,
    plane::{Component, Plane, PlaneOptions},
};
use serde_json::json;

fn runs(pid: u32) -> bool {
    // A zombie still has a folder there; it has ended all the same.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with('Z'))
}

async fn await_gone(pids: &[u32], folder: &Path) {
    wait_until("processes and folder to go", Duration::from_secs(300), async || {
        let left: Vec<_> = pids.iter().filter(|pid| runs(**pid)).collect();
        Ok(if left.is_empty() && !folder.exists() {
            Progress::Done(())
        } else {
            Progress::Pending(format!("processes {left:?}, folder exists: {}", folder.exists()))
        })
    })
    .await
    .expect("nothing outlives its owner");
}

#[tokio::test]
async fn a_dropped_plane_leaves_nothing() {
    let assets = assets_or_skip!();
    let plane = Plane::start(&assets, "drop", &PlaneOptions::default()).await.unwrap();
    let (pids, folder) = (plane.pids(), plane.folder().to_owned());
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|pid| runs(*pid)));
    drop(plane);
    assert!(!pids.iter().any(|pid| runs(*pid)), "the drop waits for the end of the processes");
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_killed_test_process_leaves_nothing() {
    let _assets = assets_or_skip!();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hold_a_plane_until_killed", "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let marker = "plane: ";
    let line = BufReader::new(holder.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once(marker).map(|(_, rest)| rest.to_owned()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let line = line.expect("the holder starts a plane");
    let (folder, pids) = line.split_once(' ').unwrap();
    let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 3);
    await_gone(&pids, Path::new(folder)).await;
}

/// The other half of `a_killed_test_process_leaves_nothing`, run by it in a process of its own.
#[tokio::test]
#[ignore = "run by another test"]
async fn hold_a_plane_until_killed() {
    let assets = Assets::find().unwrap();
    // Started by a thread that ends at once, as a shared plane is by the first test that needs it.
    let starter = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Plane::start(&assets, "killed", &PlaneOptions::default())).unwrap()
    });
    let plane = starter.join().unwrap();
    plane.client().await.unwrap().get_text("/readyz").await.unwrap();
    let pids: Vec<_> = plane.pids().iter().map(ToString::to_string).collect();
    let mut out = std::io::stdout();
    writeln!(out, "plane: {} {}", plane.folder().display(), pids.join(" ")).unwrap();
    out.flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[tokio::test]
async fn a_panic_leaves_nothing() {
    let assets = assets_or_skip!();
    let (tell, told) = std::sync::mpsc::channel();
    let task = tokio::spawn(async move {
        let plane = Plane::start(&assets, "panic", &PlaneOptions::bare()).await.unwrap();
        tell.send((plane.pids(), plane.folder().to_owned())).unwrap();
        panic!("on purpose");
    });
    assert!(task.await.unwrap_err().is_panic());
    let (pids, folder) = told.recv().unwrap();
    await_gone(&pids, &folder).await;
}

#[tokio::test]
async fn data_survives_restarts() {
    let assets = assets_or_skip!();
    let plane = Plane::start(&assets, "restart", &PlaneOptions::bare()).await.unwrap();
    let client = plane.client().await.unwrap();
    client.ensure_namespace("kept").await.unwrap();
    let before = client.get(Gvk::NAMESPACE, None, "kept").await.unwrap().unwrap();

    plane.kill(Component::Etcd).unwrap();
    plane.kill(Component::ApiServer).unwrap();
    let error = client.get(Gvk::NAMESPACE, None, "kept").await.unwrap_err();
    assert_eq!(error.code(), None, "nobody answers: {error}");
    plane.restart(Component::Etcd).await.unwrap();
    plane.restart(Component::ApiServer).await.unwrap();

    let after = client.get(Gvk::NAMESPACE, None, "kept").await.unwrap().unwrap();
    assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert!(matches!(plane.kill(Component::ControllerManager), Err(Error::NoComponent { .. })));
}

#[tokio::test]
async fn a_frozen_api_server_answers_when_thawed() {
    let assets = assets_or_skip!();
    let plane = Plane::start(&assets, "frozen", &PlaneOptions::bare()).await.unwrap();
    let client = plane.client().await.unwrap();
    plane.freeze(Component::ApiServer).unwrap();
    let mut answer = tokio::spawn({
        let client = client.clone();
        async move { client.get_text("/version").await }
    });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut answer).await;
    assert!(early.is_err(), "a stopped process does not answer");
    plane.thaw(Component::ApiServer).unwrap();
    assert!(answer.await.unwrap().unwrap().contains("gitVersion"));
}

#[tokio::test]
async fn a_user_may_only_what_is_granted() {
    let assets = assets_or_skip!();
    let plane = Plane::start(&assets, "rbac", &PlaneOptions::bare()).await.unwrap();
    let admin = plane.client().await.unwrap();
    let kubeconfig = plane.user_kubeconfig("reader", Some("readers")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&kubeconfig).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let reader = plane.client_with(&kubeconfig).await.unwrap();
    let list = || reader.send(http::Method::GET, "/api/v1/configmaps", "application/json", None);
    assert_eq!(list().await.unwrap_err().code(), Some(403));

    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers"}]});
    for object in [role, binding] {
        admin.create(&object, "test").await.unwrap();
    }
    wait_until("the grant to reach the authorizer", Duration::from_secs(300), async || {
        Ok(match list().await {
            Ok(_) => Progress::Done(()),
            Err(error) => Progress::Pending(error.to_string()),
        })
    })
    .await
    .unwrap();
    let secrets = reader.send(http::Method::GET, "/api/v1/secrets", "application/json", None).await;
    assert_eq!(secrets.unwrap_err().code(), Some(403));
}
