//! DHCP leases of Ironic's Deployments: those in the pods, which die with them, and those in the ConfigMaps beside them.

use std::time::Duration;

use pivot_core::ironic::{IronicDeployment, IronicPart, lease_command};
use pivot_core::kind::GroupKind;
use pivot_core::lease::{CONFIG_MAP, LeaseFile, merge};
use pivot_core::object::{Manifest, ObjectKey};
use serde_json::Value;
use tokio::time::sleep;

use super::cluster::{ClusterIronic, ClusterIronicError};
use super::resource::lease_namespaces;
use crate::cluster::{Cluster, ExecError, well_known};
use crate::host::{ABSENT, FIRST_FILE, FoundFile, LEASE_FILES};
use crate::leases::{Place, Stored};

/// Between two looks at a lease file, and how many there are at most.
const LOOK: Duration = Duration::from_millis(100);
const LOOKS: u32 = 5;

/// Why the leases of a pod are not known.
#[derive(Debug, thiserror::Error)]
pub enum PodLeasesError {
    /// No command ran in it.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The command failed.
    #[error("reading its lease file ended with {code}: {complaint}")]
    Command {
        /// The exit code.
        code: i32,
        /// What it said.
        complaint: String,
    },
}

/// A pod that has leases which could not be read.
#[derive(Debug)]
pub struct UnreadPod {
    /// The pod.
    pub pod: ObjectKey,
    /// Why.
    pub why: PodLeasesError,
    /// Its Deployment.
    deployment: ObjectKey,
    /// The container that serves DHCP.
    container: String,
    /// True where the ConfigMap beside it holds leases, which may be older.
    is_saved: bool,
}

impl UnreadPod {
    /// In one line, for people.
    pub fn told(&self) -> String {
        format!("the leases of pod {} cannot be read: {}", self.pod.path(), self.why)
    }
}

/// The leases of one namespace.
#[derive(Debug)]
struct InNamespace {
    namespace: String,
    stored: Option<Stored>,
    /// In the ConfigMap.
    there: LeaseFile,
    /// In pods.
    pods: LeaseFile,
    /// In both.
    all: LeaseFile,
}

/// The leases of a cluster's Ironic.
#[derive(Debug, Default)]
pub struct FoundLeases {
    namespaces: Vec<InNamespace>,
    unread: Vec<UnreadPod>,
    aside: Vec<String>,
}

/// Leases that were put into a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedLeases {
    /// Namespace and name of the ConfigMap.
    pub config_map: String,
    /// How many it holds now.
    pub leases: usize,
}

impl FoundLeases {
    /// All of them; of two that exclude each other the one that ends last.
    pub fn file(&self) -> LeaseFile {
        self.namespaces.iter().fold(LeaseFile::default(), |file, one| merge(&one.all, &file).file)
    }

    /// Those that were read of pods.
    pub fn of_pods(&self) -> LeaseFile {
        self.namespaces.iter().fold(LeaseFile::default(), |file, one| merge(&one.pods, &file).file)
    }

    /// Lines of lease files that are no leases, with what is wrong.
    pub fn aside(&self) -> &[String] {
        &self.aside
    }

    /// Pods whose leases could not be read.
    pub fn unread(&self) -> &[UnreadPod] {
        &self.unread
    }

    /// Those of them beside which a ConfigMap holds leases, which may be older.
    pub fn saved_before(&self) -> impl Iterator<Item = &UnreadPod> {
        self.unread.iter().filter(|unread| unread.is_saved)
    }

    fn set_aside(&mut self, file: &LeaseFile) {
        self.aside.extend(file.aside().iter().map(ToString::to_string));
    }

    /// What would be lost with pods that are stopped now.
    pub(super) fn lost(&self, cluster: &Cluster) -> impl Iterator<Item = ClusterIronicError> {
        let lost = self.unread.iter().filter(|unread| !unread.is_saved);
        lost.map(|unread| ClusterIronicError::Unsaved {
            cluster: cluster.name().to_owned(),
            name: unread.deployment.path(),
            why: unread.told(),
            command: lease_command(&unread.pod, &unread.container),
        })
    }

    /// Puts what was read of pods into the ConfigMaps beside them, where it is not there yet.
    pub async fn save(&self, cluster: &Cluster) -> Result<Vec<SavedLeases>, ClusterIronicError> {
        let mut saved = Vec::new();
        let new = |one: &&InNamespace| one.all.text() != one.there.text();
        for InNamespace { namespace, stored, all, .. } in self.namespaces.iter().filter(new) {
            let place = Place { cluster, namespace, name: CONFIG_MAP };
            place.write(all, stored.as_ref()).await?;
            saved.push(SavedLeases { config_map: format!("{namespace}/{CONFIG_MAP}"), leases: all.len() });
        }
        Ok(saved)
    }
}

/// The container that serves DHCP.
fn dhcp(found: &IronicDeployment) -> Option<&str> {
    match &found.part {
        IronicPart::Ironic { dhcp, .. } => dhcp.as_deref(),
        IronicPart::Operator => None,
    }
}

impl ClusterIronic<'_> {
    /// The leases in the pods of Deployments that serve DHCP, and in the ConfigMaps beside them.
    pub async fn leases(&self, found: &[IronicDeployment]) -> Result<FoundLeases, ClusterIronicError> {
        let mut leases = FoundLeases::default();
        for namespace in lease_namespaces(found) {
            let place = Place { cluster: self.cluster, namespace: &namespace, name: CONFIG_MAP };
            let stored = place.read().await?;
            let there = match &stored {
                Some(stored) => LeaseFile::parse(stored.text()?.as_bytes()),
                None => LeaseFile::default(),
            };
            leases.set_aside(&there);
            let is_saved = stored.is_some();
            let mut one =
                InNamespace { pods: LeaseFile::default(), all: there.clone(), namespace, stored, there };
            let here = |found: &&IronicDeployment| found.key.namespace.as_ref() == Some(&one.namespace);
            let running: Vec<_> = found.iter().filter(here).filter(|found| found.runs()).collect();
            for deployment in running {
                let Some(container) = dhcp(deployment) else { continue };
                for pod in self.pods(deployment).await? {
                    match self.leases_in(&pod, container).await {
                        Ok(file) => {
                            leases.set_aside(&file);
                            one.pods = merge(&file, &one.pods).file;
                        }
                        Err(why) => leases.unread.push(UnreadPod {
                            pod,
                            why,
                            deployment: deployment.key.clone(),
                            container: container.to_owned(),
                            is_saved,
                        }),
                    }
                }
            }
            one.all = merge(&one.pods, &one.there).file;
            leases.namespaces.push(one);
        }
        Ok(leases)
    }

    /// The leases in a container; none where it has no lease file.
    ///
    /// dnsmasq empties its file before it writes it: what two looks agree on is whole.
    async fn leases_in(&self, pod: &ObjectKey, container: &str) -> Result<LeaseFile, PodLeasesError> {
        let mut last = self.look_at_leases(pod, container).await?;
        for _ in 1..LOOKS {
            sleep(LOOK).await;
            let now = self.look_at_leases(pod, container).await?;
            if now == last {
                break;
            }
            last = now;
        }
        Ok(LeaseFile::parse(&last))
    }

    async fn look_at_leases(&self, pod: &ObjectKey, container: &str) -> Result<Vec<u8>, PodLeasesError> {
        let command = [&["sh", "-c", FIRST_FILE, "first-file"], LEASE_FILES.as_slice()].concat();
        let error = match self.cluster.exec(pod, container, &command).await {
            Ok(ended) if ended.code == 0 => return Ok(FoundFile::of(&ended.output).content),
            Ok(ended) if ended.code == ABSENT => return Ok(Vec::new()),
            Ok(ended) => PodLeasesError::Command { code: ended.code, complaint: ended.complaint },
            Err(error) => error.into(),
        };
        let kind = well_known(&GroupKind::new("", "Pod")).expect("BUG: pods are well known");
        match self.cluster.get(kind, "v1", pod.namespace.as_deref(), &pod.name).await {
            Ok(None) => Ok(Vec::new()),
            Ok(Some(pod)) if never_ran(&pod, container) => Ok(Vec::new()),
            Ok(Some(_)) | Err(_) => Err(error),
        }
    }
}

/// True for a container that waits for its first start: it gave no address to anybody.
fn never_ran(pod: &Manifest, container: &str) -> bool {
    let all = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let status = all.into_iter().flatten().find(|status| status["name"] == container);
    status.is_none_or(|status| {
        status.pointer("/state/waiting").is_some()
            && status["restartCount"].as_i64() == Some(0)
            && status.pointer("/lastState/terminated").is_none()
    })
}

#[cfg(test)]
mod tests {
    use pivot_core::object::Uid;
    use serde_json::json;

    use super::*;
    use crate::cluster::fake;

    const POD: &str = "/api/v1/namespaces/metal3/pods/ironic-0";

    fn deployment() -> IronicDeployment {
        IronicDeployment {
            key: ObjectKey::new(GroupKind::new("apps", "Deployment"), Some("metal3"), "ironic"),
            uid: Uid("d".to_owned()),
            resource_version: "1".to_owned(),
            replicas: 1,
            ready: 1,
            stopped: None,
            part: IronicPart::Ironic { dhcp: Some("dnsmasq".to_owned()), resource: None },
            rescaler: None,
            keeps: Vec::new(),
        }
    }

    /// A cluster that lets nobody run commands; `map` is the ConfigMap beside the pod, `state` that of the container.
    fn cluster(map: Option<&'static str>, state: &'static str) -> Cluster {
        let (cluster, _) = fake::cluster(move |request| {
            let owned = |name: &str, owner: &str| {
                let owners = json!([{"apiVersion": "apps/v1", "kind": "X", "name": "x", "uid": owner}]);
                json!({"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {
                    "name": name, "namespace": "metal3", "uid": format!("uid-{name}"), "resourceVersion": "1",
                    "ownerReferences": owners}}]})
            };
            let (path, _) = request.trim_start_matches("GET ").split_once('?').unwrap_or((&request[4..], ""));
            let status = json!({"name": "dnsmasq", "restartCount": 0, "state": {state: {}}});
            match path {
                "/api/v1/namespaces/metal3/configmaps/dnsmasq-leases-configmap" => match map {
                    Some(leases) => fake::json(200, &json!({"data": {"dnsmasq.leases": leases}})),
                    None => fake::refusal(404, "NotFound"),
                },
                "/api/v1/namespaces/metal3/pods" => fake::json(200, &owned("ironic-0", "uid-set")),
                "/apis/apps/v1/namespaces/metal3/replicasets" => fake::json(200, &owned("set", "d")),
                POD if state.is_empty() => fake::refusal(404, "NotFound"),
                POD => fake::json(200, &json!({"status": {"containerStatuses": [status]}})),
                path if path == format!("{POD}/exec") => fake::refusal(403, "Forbidden"),
                other => panic!("{other}"),
            }
        });
        cluster
    }

    /// What keeps from a stop, how many leases there are, and what is told of those that could not be read.
    async fn seen(map: Option<&'static str>, state: &'static str) -> (Vec<String>, usize, Vec<String>) {
        let cluster = cluster(map, state);
        let ironic = ClusterIronic { cluster: &cluster, namespace: None, wait: Duration::ZERO };
        let found = [deployment()];
        let leases = ironic.leases(&found).await.unwrap();
        let refusals = ironic.refusals(&found, Some(&leases));
        let remedies = refusals.iter().map(|refusal| format!("{refusal}: {}", refusal.remedy().unwrap()));
        let told = leases.saved_before().map(UnreadPod::told).collect();
        (remedies.collect(), leases.file().len(), told)
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_lost_only_where_no_configmap_has_it() {
        let (refusals, leases, told) = seen(None, "running").await;
        let [refusal] = &refusals[..] else { panic!("{refusals:?}") };
        for part in
            ["pod metal3/ironic-0", "`create` and `get` of pods/exec", "kubectl exec -n metal3 ironic-0"]
        {
            assert!(refusal.contains(part), "{part}: {refusal}");
        }
        assert_eq!((leases, told), (0, Vec::new()));
        let (refusals, leases, told) = seen(Some("0 52:54:00:00:00:01 172.22.0.10 * *\n"), "running").await;
        assert_eq!((refusals, leases), (Vec::new(), 1));
        assert!(told.len() == 1 && told[0].contains("pods/exec"), "{told:?}");
    }

    #[tokio::test]
    async fn a_server_that_never_ran_or_is_gone_has_no_leases() {
        for state in ["waiting", ""] {
            assert_eq!(seen(None, state).await, (Vec::new(), 0, Vec::new()), "{state}");
        }
    }
}
