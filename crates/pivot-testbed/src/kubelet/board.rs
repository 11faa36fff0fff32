//! What is known of a pod's containers, and the status that follows from it.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Mutex, PoisonError},
};

use k8s_openapi::{
    api::core::v1::{Container, PodSpec},
    jiff::Timestamp,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Where a container is.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// It does not run, for this reason, with a message for people.
    Waiting(&'static str, String),
    /// It runs since then, with this process id.
    Running(Timestamp, u32),
    /// It ran from then to then and ended with this code.
    Terminated(Timestamp, Timestamp, i32),
}

/// A container on the board.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    name: String,
    image: String,
    pub(super) phase: Phase,
    /// How its last run ended.
    pub(super) last: Option<Phase>,
    pub(super) ready: bool,
    /// What its readiness probe found, where it is not ready for that.
    pub(super) complaint: String,
    pub(super) restarts: u32,
}

impl Entry {
    fn new(container: &Container) -> Self {
        Self {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            phase: Phase::Waiting("PodInitializing", String::new()),
            last: None,
            ready: false,
            complaint: String::new(),
            restarts: 0,
        }
    }

    fn status(&self) -> Value {
        json!({
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "containerID": match &self.phase {
                Phase::Running(_, pid) => format!("process://{pid}"),
                _ => String::new(),
            },
            "ready": self.ready,
            "started": matches!(self.phase, Phase::Running(..)),
            "restartCount": self.restarts,
            "state": state(&self.phase),
            "lastState": self.last.as_ref().map_or(json!({}), state),
        })
    }
}

fn state(phase: &Phase) -> Value {
    match phase {
        Phase::Waiting(reason, message) => json!({"waiting": {"reason": reason, "message": message}}),
        Phase::Running(since, _) => json!({"running": {"startedAt": time(*since)}}),
        Phase::Terminated(from, to, code) => json!({"terminated": {
            "startedAt": time(*from),
            "finishedAt": time(*to),
            "exitCode": code,
            "reason": if *code == 0 { "Completed" } else { "Error" },
        }}),
    }
}

/// Which of a pod's lists a container stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Init,
    Main,
}

#[derive(Debug)]
struct State {
    init: Vec<Entry>,
    main: Vec<Entry>,
    initialized: bool,
    /// Set once no container will run any more: whether all went well.
    over: Option<bool>,
    /// The conditions, each with the time of its last change.
    conditions: BTreeMap<&'static str, (bool, Timestamp)>,
}

/// The board of one pod.
#[derive(Debug)]
pub(super) struct Board {
    address: Ipv4Addr,
    host: Ipv4Addr,
    started: Timestamp,
    state: Mutex<State>,
    changed: Notify,
}

impl Board {
    pub(super) fn new(spec: &PodSpec, address: Ipv4Addr, host: Ipv4Addr) -> Self {
        let state = State {
            init: spec.init_containers.iter().flatten().map(Entry::new).collect(),
            main: spec.containers.iter().map(Entry::new).collect(),
            initialized: false,
            over: None,
            conditions: BTreeMap::new(),
        };
        let changed = Notify::new();
        // What is there to tell at first.
        changed.notify_one();
        Self { address, host, started: Timestamp::now(), state: Mutex::new(state), changed }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
        result
    }

    /// Changes the entry of one container.
    pub(super) fn entry(&self, stage: Stage, index: usize, change: impl FnOnce(&mut Entry)) {
        self.change(|state| {
            let entries = match stage {
                Stage::Init => &mut state.init,
                Stage::Main => &mut state.main,
            };
            entries.get_mut(index).map(change);
        });
    }

    /// All containers wait for the same.
    pub(super) fn all_wait(&self, reason: &'static str, message: &str) {
        self.change(|state| {
            for entry in state.init.iter_mut().chain(&mut state.main) {
                entry.phase = Phase::Waiting(reason, message.to_owned());
            }
        });
    }

    /// The init containers are through.
    pub(super) fn initialized(&self) {
        self.change(|state| state.initialized = true);
    }

    /// No container will run any more.
    pub(super) fn over(&self, well: bool) {
        self.change(|state| state.over = Some(well));
    }

    /// Waits until there is something new to tell.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The pod's status.
    pub(super) fn status(&self) -> Value {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = state
            .main
            .iter()
            .any(|entry| !matches!(entry.phase, Phase::Waiting("PodInitializing" | "ContainerCreating", _)));
        let phase = match state.over {
            Some(true) => "Succeeded",
            Some(false) => "Failed",
            None if begun && state.initialized => "Running",
            None => "Pending",
        };
        let ready = state.over.is_none() && state.main.iter().all(|entry| entry.ready);
        let initialized = state.initialized;
        let complaints: Vec<String> = state
            .main
            .iter()
            .filter(|entry| !entry.ready && !entry.complaint.is_empty())
            .map(|entry| format!("{}: {}", entry.name, entry.complaint))
            .collect();
        let complaints = complaints.join("; ");
        let conditions: Vec<Value> = [
            ("PodScheduled", true),
            ("Initialized", initialized),
            ("ContainersReady", ready),
            ("Ready", ready),
        ]
        .into_iter()
        .map(|(kind, holds)| {
            let entry = state.conditions.entry(kind).or_insert_with(|| (holds, Timestamp::now()));
            if entry.0 != holds {
                *entry = (holds, Timestamp::now());
            }
            let status = if holds { "True" } else { "False" };
            let message = if holds { "" } else { &complaints };
            json!({"type": kind, "status": status, "lastTransitionTime": time(entry.1), "message": message})
        })
        .collect();
        json!({
            "phase": phase,
            "hostIP": self.host,
            "hostIPs": [{"ip": self.host}],
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": time(self.started),
            "conditions": conditions,
            "initContainerStatuses": state.init.iter().map(Entry::status).collect::<Vec<_>>(),
            "containerStatuses": state.main.iter().map(Entry::status).collect::<Vec<_>>(),
        })
    }
}

/// A time as the API writes it, in whole seconds.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        let container = Container { name: "c".to_owned(), ..Container::default() };
        let spec = PodSpec { containers: vec![container], ..PodSpec::default() };
        Board::new(&spec, Ipv4Addr::new(10, 200, 1, 2), Ipv4Addr::new(10, 200, 1, 1))
    }

    fn ready(status: &Value) -> &Value {
        let conditions = status["conditions"].as_array().unwrap();
        &conditions.iter().find(|condition| condition["type"] == "Ready").unwrap()["status"]
    }

    #[test]
    fn a_pod_runs_with_its_first_container_and_is_ready_with_all() {
        let board = board();
        assert_eq!(board.status()["phase"], "Pending");
        board.initialized();
        board.entry(Stage::Main, 0, |entry| entry.phase = Phase::Running(Timestamp::now(), 1));
        let status = board.status();
        assert_eq!(status["phase"], "Running");
        assert_eq!(ready(&status), "False");
        board.entry(Stage::Main, 0, |entry| entry.ready = true);
        assert_eq!(ready(&board.status()), "True");
        board.over(false);
        let status = board.status();
        assert_eq!(status["phase"], "Failed");
        assert_eq!(ready(&status), "False");
    }
}
