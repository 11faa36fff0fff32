//! The real baremetal-operator acts in both clusters while hosts pivot there and back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pivot_testbed::assets::Assets;
use pivot_testbed::client::{PlaneClient, Progress, wait_until};
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use pivot_testbed::kubelet::Kubelet;
use pivot_testbed::operators::{self, Operator};
use pivot_testbed::plane::{Plane, PlaneOptions};
use pivot_testbed::{assets_or_skip, pods_or_skip, providers};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::scene::NAMESPACE;

const DEADLINE: Duration = Duration::from_secs(300);
const OPERATOR: Operator = Operator::Baremetal;

/// A cluster with a node on which the operator runs.
struct Bank {
    plane: Plane,
    client: PlaneClient,
    kubelet: Kubelet,
}

impl Bank {
    async fn start(assets: &Assets, name: &str) -> Self {
        let plane =
            providers::start_management_plane(assets, name, &PlaneOptions::with_pods()).await.unwrap();
        let client = plane.client().await.unwrap();
        let kubelet = Kubelet::start(&plane, "node", operators::images(assets).unwrap()).await.unwrap();
        Self { plane, client, kubelet }
    }

    async fn install(&self, assets: &Assets) {
        operators::install(&self.client, assets, &self.kubelet, &[OPERATOR]).await.unwrap();
    }

    async fn hosts(&self) -> BTreeMap<String, Value> {
        hosts(&self.client).await
    }

    async fn replicas(&self) -> (Value, Value) {
        let (namespace, name) = (OPERATOR.namespace(), OPERATOR.deployment());
        let deployment = self.client.get(Gvk::DEPLOYMENT, Some(namespace), name).await.unwrap().unwrap();
        let before = &deployment["metadata"]["annotations"]["pivot.metal3.io/replicas"];
        (deployment["spec"]["replicas"].clone(), before.clone())
    }

    fn kubeconfig(&self) -> &str {
        self.plane.kubeconfig().to_str().unwrap()
    }
}

async fn hosts(client: &PlaneClient) -> BTreeMap<String, Value> {
    let found = client.list(Gvk::BARE_METAL_HOST, Some(NAMESPACE)).await.unwrap_or_default();
    found.into_iter().map(|host| (host["metadata"]["name"].as_str().unwrap().to_owned(), host)).collect()
}

/// What of a host tells that somebody did something to the machine. Whoever meets its credentials for the first time registers it:
/// that alone is expected.
fn machine(host: &Value) -> [Value; 6] {
    let status = &host["status"];
    let history = &status["operationHistory"];
    [
        &status["provisioning"],
        &status["poweredOn"],
        &status["operationalStatus"],
        &history["inspect"],
        &history["provision"],
        &history["deprovision"],
    ]
    .map(Value::clone)
}

/// Every state that a host was seen in, in either cluster.
type States = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

async fn watch(client: PlaneClient, states: States) {
    loop {
        for (name, host) in hosts(&client).await {
            if let Some(state) = host["status"]["provisioning"]["state"].as_str() {
                states.lock().unwrap().entry(name).or_default().insert(state.to_owned());
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn pivot(home: &Path, from: &Bank, to: &Bank) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pivotctl"));
    command.env_clear().env("HOME", home).current_dir(home);
    command.args(["move", "--yes", "-n", NAMESPACE]);
    command.args(["--kubeconfig", from.kubeconfig(), "--to-kubeconfig", to.kubeconfig()]);
    let Output { status, stderr, .. } = command.output().unwrap();
    assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&stderr));
}

/// After a pivot: the hosts are as they were, the operator acts where they are, and nobody is left where they were.
async fn arrived(before: &BTreeMap<String, Value>, from: &Bank, to: &Bank) {
    let now = to.hosts().await;
    assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (name, host) in &now {
        assert_eq!(machine(host), machine(&before[name]), "{name}");
        assert_eq!(host["metadata"]["annotations"]["baremetalhost.metal3.io/paused"], Value::Null, "{name}");
    }
    assert_eq!(from.hosts().await.len(), 0);
    assert_eq!(from.replicas().await, (0.into(), "1".into()));
    assert_eq!(to.replicas().await, (1.into(), Value::Null));
    assert_eq!(from.kubelet.pods().len(), 0, "a pod of the source's operator is left");
    assert_eq!(to.kubelet.pods().len(), 1);
    operators::await_leader(&to.client, &to.kubelet, OPERATOR).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_pivot_there_and_back_between_real_operators() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let (east, west) = tokio::join!(Bank::start(&assets, "east"), Bank::start(&assets, "west"));
    east.client.ensure_namespace(NAMESPACE).await.unwrap();
    let options = FixtureOptions::small().in_namespace(NAMESPACE);
    fixture::load(&east.client, &Fixture::new(options)).await.unwrap();
    // The operator finds them as another one left them.
    tokio::join!(east.install(&assets), west.install(&assets));
    let before = wait_until("the hosts to settle", DEADLINE, async || {
        let first = hosts(&east.client).await;
        sleep(Duration::from_secs(3)).await;
        let second = hosts(&east.client).await;
        let view = |hosts: &BTreeMap<String, Value>| hosts.values().map(machine).collect::<Vec<_>>();
        let acts = second.values().all(|host| host["metadata"]["finalizers"].is_array());
        Ok(if acts && view(&first) == view(&second) {
            Progress::Done(second)
        } else {
            Progress::Pending(format!("{:?}", view(&second)))
        })
    })
    .await
    .unwrap();

    let states = States::default();
    let mut watchers = JoinSet::new();
    for bank in [&east, &west] {
        watchers.spawn(watch(bank.client.clone(), Arc::clone(&states)));
    }
    let home = tempfile::tempdir().unwrap();
    tokio::task::block_in_place(|| pivot(home.path(), &east, &west));
    arrived(&before, &east, &west).await;
    tokio::task::block_in_place(|| pivot(home.path(), &west, &east));
    arrived(&before, &west, &east).await;
    watchers.shutdown().await;

    let seen = states.lock().unwrap().clone();
    for (name, host) in &before {
        let state = host["status"]["provisioning"]["state"].as_str().unwrap();
        assert_eq!(seen[name], BTreeSet::from([state.to_owned()]), "{name} left its state");
    }
}
