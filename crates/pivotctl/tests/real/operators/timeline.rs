//! Who acted when: the reconciles of both operators and the writes of both API servers on one time line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use pivot_testbed::audit::{Deed, Request};
use pivot_testbed::client::PlaneClient;
use pivot_testbed::kind::Gvk;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::bank::{Bank, OPERATOR, state};
use crate::scene::NAMESPACE;

/// The controllers of the operator that act on what moves, as its log calls their objects.
const WITNESSES: [&str; 2] = ["baremetalhost", "bmceventsubscription"];

/// Something that an operator did to the moved namespace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Act {
    /// Seconds since 1970, by the one clock of the machine.
    pub(super) at: f64,
    pub(super) what: String,
}

/// The present, as the logs count it.
#[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit")]
pub(super) fn now() -> f64 {
    Timestamp::now().as_microsecond() as f64 / 1e6
}

/// What the operator of a cluster did since a moment: reconciles that it began, and writes that the API server did for it.
pub(super) fn acts(bank: &Bank, since: f64) -> Vec<Act> {
    let user = format!("system:serviceaccount:{}:", OPERATOR.namespace());
    let is_of_operator = |request: &Request| {
        let object = &request.object_ref;
        request.user.username.starts_with(&user)
            && object.namespace == NAMESPACE
            && object.api_group == Gvk::BARE_METAL_HOST.group
            && request.deed() != Deed::Read
            && !request.is_refused()
    };
    let writes = bank.audit.read(0).unwrap().into_iter().filter(is_of_operator).map(|request| Act {
        at: seconds(&request.received),
        what: format!("{} {} {}", request.verb, request.object_ref.resource, request.object_ref.name),
    });
    let logs = bank.kubelet.logs(OPERATOR.namespace()).unwrap();
    let mut acts: Vec<Act> =
        logs.iter().flat_map(|log| log.lines().filter_map(reconcile)).chain(writes).collect();
    acts.retain(|act| act.at >= since);
    acts.sort_by(|a, b| a.at.total_cmp(&b.at));
    acts
}

/// When the API server was asked to delete a host, and did.
pub(super) fn deleted_at(bank: &Bank, name: &str) -> Option<f64> {
    let is_delete = |request: &Request| {
        let object = &request.object_ref;
        request.deed() == Deed::Delete
            && !request.is_refused()
            && (object.resource.as_str(), object.namespace.as_str(), object.name.as_str())
                == ("baremetalhosts", NAMESPACE, name)
    };
    bank.audit
        .read(0)
        .unwrap()
        .iter()
        .find(|request| is_delete(request))
        .map(|request| seconds(&request.received))
}

/// A line by which the operator says that it begins to reconcile.
fn reconcile(line: &str) -> Option<Act> {
    let line: Value = serde_json::from_str(line).ok()?;
    let object = WITNESSES.iter().find_map(|kind| line.get(kind))?;
    (line["msg"] == "start" && object["namespace"] == NAMESPACE)
        .then(|| Some(Act { at: line["ts"].as_f64()?, what: format!("reconciles {}", object["name"]) }))?
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit")]
fn seconds(timestamp: &str) -> f64 {
    let timestamp: Timestamp = timestamp.parse().unwrap();
    timestamp.as_microsecond() as f64 / 1e6
}

/// Asserts that the operator of one cluster had done its last before that of the other did its first, and that both acted.
pub(super) fn never_both(first: &Bank, then: &Bank, since: f64) {
    let (before, after) = (acts(first, since), acts(then, since));
    let (last, next) = (before.last().expect("it acted before"), after.first().expect("it acts now"));
    assert!(
        last.at < next.at,
        "both acted: {} in {} at {}, {} in {} at {}",
        last.what,
        first.name,
        last.at,
        next.what,
        then.name,
        next.at
    );
}

/// Asserts that from the first try that the fence of a cluster denied on, until its end, no write of the operator passed there.
pub(super) fn no_write_behind_the_fence(bank: &Bank, since: f64) {
    let requests = bank.audit.read(0).unwrap();
    let proofs = requests.iter().filter(|request| request.uri.contains("dryRun=All") && request.is_refused());
    let proof = proofs.map(|request| seconds(&request.received)).find(|at| *at >= since);
    let proof = proof.expect("the fence was proven");
    let late: Vec<_> =
        acts(bank, proof).into_iter().filter(|act| !act.what.starts_with("reconciles")).collect();
    assert_eq!(late, [], "behind the fence of {}", bank.name);
}

/// Every state that a host was seen in, in either cluster.
pub(crate) struct States {
    seen: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    watchers: JoinSet<()>,
}

impl States {
    pub(crate) fn watch(clusters: [&PlaneClient; 2]) -> Self {
        let seen = Arc::default();
        let mut watchers = JoinSet::new();
        for cluster in clusters {
            watchers.spawn(look(cluster.clone(), Arc::clone(&seen)));
        }
        Self { seen, watchers }
    }

    /// Asserts that no host ever left the state it was in.
    pub(crate) async fn never_changed(mut self, before: &BTreeMap<String, Value>) {
        self.watchers.shutdown().await;
        let seen = self.seen.lock().unwrap();
        for (name, host) in before {
            assert_eq!(seen[name], BTreeSet::from([state(host).to_owned()]), "{name} left its state");
        }
    }
}

async fn look(client: PlaneClient, seen: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>) {
    loop {
        for host in client.list(Gvk::BARE_METAL_HOST, Some(NAMESPACE)).await.unwrap_or_default() {
            let name = host["metadata"]["name"].as_str().unwrap_or_default();
            // One that was just created has no status yet.
            if !state(&host).is_empty() {
                seen.lock().unwrap().entry(name.to_owned()).or_default().insert(state(&host).to_owned());
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}
