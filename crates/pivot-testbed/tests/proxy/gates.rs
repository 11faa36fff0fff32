//! Requests that stop where a test wants them.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use kube::config::{KubeConfigOptions, Kubeconfig};
use pivot_testbed::{
    assets_or_skip,
    client::PlaneClient,
    proxy::{Halt, Stage},
    traffic::{Action, Fault, Outcome, Target},
};
use serde_json::json;

use crate::{Scene, creates, hangs, is_broken, next_line, read, send, until, within};

/// Creates a ConfigMap until it comes to the gate.
macro_rules! stopped {
    ($scene:expr, $stage:expr, $name:expr) => {{
        let gate = $scene.proxy.halt($stage, creates(), 1);
        let mut create = Box::pin($scene.create($name));
        let halt: Halt = tokio::select! {
            biased;
            halt = within(gate.reached()) => halt.unwrap(),
            done = &mut create => panic!("not stopped: {done:?}"),
        };
        (halt, create)
    }};
}

#[tokio::test]
async fn a_request_stops_before_it_is_sent_on() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let (halt, create) = stopped!(scene, Stage::Before, "a");
    assert_eq!((halt.call().name.as_str(), halt.code()), ("a", None));
    assert!(!scene.exists("a").await);
    halt.go_on();
    create.await.unwrap();
    assert!(scene.exists("a").await);
    scene.create("b").await.unwrap();
}

#[tokio::test]
async fn a_request_stops_when_it_is_done_and_before_its_client_knows() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let (halt, mut create) = stopped!(scene, Stage::Applied, "a");
    assert_eq!(halt.code(), Some(201));
    assert!(scene.exists("a").await);
    assert!(hangs(&mut create).await);
    halt.go_on();
    create.await.unwrap();
}

#[tokio::test]
async fn nothing_passes_after_a_reply_until_it_may_go_on() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let gate = scene.proxy.halt(Stage::Replied, creates(), 1);
    scene.create("a").await.unwrap();
    let halt = within(gate.reached()).await.unwrap();
    assert_eq!((halt.call().name.as_str(), halt.code()), ("a", Some(201)));
    let other = scene.another(scene.proxy.kubeconfig()).await;
    let path = scene.collection();
    let (mut create, mut list) = (Box::pin(scene.create("b")), Box::pin(read(&other, &path)));
    assert!(hangs(&mut create).await && hangs(&mut list).await);
    assert!(!scene.exists("b").await);
    halt.go_on();
    create.await.unwrap();
    list.await.unwrap();
}

#[tokio::test]
async fn a_request_given_up_at_a_gate_ends_there() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    for (name, stage, outcome) in [
        ("a", Stage::Before, Outcome::Abandoned),
        ("b", Stage::Applied, Outcome::AbandonedAfter { applied: true }),
    ] {
        let (halt, create) = stopped!(scene, stage, name);
        drop(halt);
        assert!(is_broken(&create.await.unwrap_err()));
        assert_eq!(scene.exists(name).await, outcome.applied());
        until("the proxy to write down what became of it", async || scene.last() == outcome).await;
    }
    let mut watch = scene.watch().await;
    let gate = scene.proxy.halt(Stage::Replied, creates(), 1);
    scene.create("c").await.unwrap();
    let halt = within(gate.reached()).await.unwrap();
    let mut next = Box::pin(scene.create("d"));
    assert!(hangs(&mut next).await);
    assert!(next_line(&mut watch).await.unwrap().contains("\"c\""));
    drop(halt);
    assert!(next_line(&mut watch).await.is_err(), "all connections break");
    assert!(is_broken(&next.await.unwrap_err()));
    assert!(!scene.exists("d").await);
    scene.create("d").await.unwrap();
}

#[tokio::test]
async fn a_gate_counts_what_it_is_about() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let gate = scene.proxy.halt(Stage::Before, Target::writes(), 3);
    scene.create("a").await.unwrap();
    scene.list().await.unwrap();
    scene.create("b").await.unwrap();
    let create = scene.create("c");
    let go_on = async {
        let halt = within(gate.reached()).await.unwrap();
        assert_eq!(halt.call().name, "c");
        halt.go_on();
    };
    let (created, ()) = tokio::join!(create, go_on);
    created.unwrap();
}

#[tokio::test]
async fn one_request_can_stop_at_every_stage() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let gates = Stage::ALL.map(|stage| scene.proxy.halt(stage, creates(), 1));
    let create = scene.create("a");
    let through = async {
        let mut codes = Vec::new();
        for gate in gates {
            let halt = within(gate.reached()).await.unwrap();
            codes.push(halt.code());
            halt.go_on();
        }
        codes
    };
    let (created, codes) = tokio::join!(create, through);
    created.unwrap();
    assert_eq!(codes, [None, Some(201), Some(201)]);
}

#[tokio::test]
async fn a_gate_that_nothing_comes_to_says_so() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let gate = scene.proxy.halt(Stage::Applied, creates(), 1);
    scene.proxy.inject(Fault::new(creates(), Action::DropBefore).nth(1));
    scene.create("a").await.unwrap_err();
    assert!(within(gate.reached()).await.is_none());
    // A gate that nobody watches is open.
    drop(scene.proxy.halt(Stage::Before, creates(), 1));
    scene.create("a").await.unwrap();
    let gate = scene.proxy.halt(Stage::Before, creates(), 1);
    drop(scene.proxy);
    assert!(within(gate.reached()).await.is_none());
}

const KUBECONFIG_VAR: &str = "PROXY_TEST_KUBECONFIG";
const NAMESPACE_VAR: &str = "PROXY_TEST_NAMESPACE";

/// A process that creates `c-1`, `c-2` and so on; ended when dropped.
struct Writer(Child);

impl Writer {
    fn start(scene: &Scene) -> Self {
        let writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "gates::write_until_killed", "--ignored", "--test-threads=1"])
            .env(KUBECONFIG_VAR, scene.proxy.kubeconfig())
            .env(NAMESPACE_VAR, &scene.namespace)
            .stdout(Stdio::null())
            .spawn();
        Self(writer.unwrap())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn a_process_killed_at_a_gate_has_done_what_it_had_done_there() {
    let assets = assets_or_skip!();
    for (stage, done) in [(Stage::Before, 2), (Stage::Applied, 3), (Stage::Replied, 3)] {
        let scene = Scene::new(&assets).await;
        let gate = scene.proxy.halt(stage, creates(), 3);
        let writer = Writer::start(&scene);
        let halt = within(gate.reached()).await.unwrap();
        assert_eq!(halt.call().name, "c-3");
        drop(writer);
        drop(halt);
        // A request of somebody else comes after all that the writer could still have had on its way.
        let after = scene.another(scene.proxy.kubeconfig()).await;
        let path = scene.collection();
        read(&after, &path).await.unwrap();
        let expected: Vec<_> = (1..=done).map(|number| format!("c-{number}")).collect();
        assert_eq!(crate::names(&read(&scene.direct, &path).await.unwrap()), expected, "{stage:?}");
        assert_eq!(scene.proxy.writes().iter().filter(|entry| entry.outcome.applied()).count(), done);
    }
}

/// The other half of the test above, run by it in a process of its own.
#[tokio::test]
#[ignore = "run by another test"]
async fn write_until_killed() {
    let kubeconfig = PathBuf::from(std::env::var_os(KUBECONFIG_VAR).unwrap());
    let namespace = std::env::var(NAMESPACE_VAR).unwrap();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = PlaneClient::new(kube::Client::try_from(config).unwrap());
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    for number in 1.. {
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c-{number}")}});
        send(&client, &path, &object).await.unwrap();
    }
}
