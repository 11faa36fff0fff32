//! What the kubelet knows of the processes of one pod, for whoever looks at them or disturbs them.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::process::ContainerProcess;

/// One pod's processes and logs.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    logs: PathBuf,
    containers: Mutex<BTreeMap<String, (Arc<ContainerProcess>, PathBuf)>>,
}

impl Part {
    pub(super) fn new(namespace: &str, name: &str, address: Ipv4Addr, logs: &Path) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            address,
            logs: logs.to_owned(),
            containers: Mutex::default(),
        }
    }

    /// The file for what a container prints in one of its runs.
    pub(super) fn log(&self, container: &str, restarts: u32) -> PathBuf {
        self.logs.join(format!("{container}.{restarts}.log"))
    }

    /// A container has a new process.
    pub(super) fn began(&self, container: &str, process: Arc<ContainerProcess>, log: PathBuf) {
        self.containers().insert(container.to_owned(), (process, log));
    }

    /// The processes that run.
    pub(super) fn processes(&self) -> Vec<Arc<ContainerProcess>> {
        let containers = self.containers();
        containers.values().map(|(process, _)| Arc::clone(process)).filter(|process| process.runs()).collect()
    }

    /// The process of a container, which may have ended.
    pub(super) fn process(&self, container: &str) -> Option<Arc<ContainerProcess>> {
        self.containers().get(container).map(|(process, _)| Arc::clone(process))
    }

    /// The log of a container's last run.
    pub(super) fn last_log(&self, container: &str) -> Option<PathBuf> {
        self.containers().get(container).map(|(_, log)| log.clone())
    }

    fn containers(&self) -> MutexGuard<'_, BTreeMap<String, (Arc<ContainerProcess>, PathBuf)>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
