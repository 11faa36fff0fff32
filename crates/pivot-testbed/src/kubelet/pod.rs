//! The life of one pod, from the moment it is bound to the node until its object is gone.

use std::{convert::Infallible, fs, net::SocketAddrV4, path::PathBuf, sync::Arc, time::Duration};

use futures::future;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Volume};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;
use tokio::{select, sync::watch, time::sleep};

use super::{
    Images, Setback, Shared,
    board::{Board, Stage},
    container::{self, Restart},
    part::Part,
    source::{Sources, bounded},
    volume,
};
use crate::plane::PodLink;

/// How long until what could not be done is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The longest time a pod gets to end, whatever it asks for.
const LONGEST_GRACE: Duration = Duration::from_secs(30);

/// What a running pod is made of.
pub(super) struct Run {
    pub(super) pod: Pod,
    pub(super) images: Images,
    pub(super) sources: Sources,
    /// Where the API server is.
    pub(super) server: SocketAddrV4,
    pub(super) link: PodLink,
    /// Volumes and scratch folders.
    pub(super) folder: PathBuf,
    pub(super) board: Board,
    pub(super) part: Arc<Part>,
}

impl Run {
    fn spec(&self) -> &PodSpec {
        self.pod.spec.as_ref().expect("BUG: a pod without a spec is not started")
    }

    /// The pod's volumes.
    pub(super) fn volumes(&self) -> &[Volume] {
        self.spec().volumes.as_deref().unwrap_or_default()
    }
}

/// What the cluster says of a pod: the object as it is, or `None` once it is gone.
pub(super) type Notice = Option<Arc<Pod>>;

/// Runs a pod to its end. `uid` names it.
pub(super) async fn live(shared: Arc<Shared>, uid: String, mut notices: watch::Receiver<Notice>) {
    let Some(pod) = notices.borrow_and_update().clone() else { return };
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let name = pod.metadata.name.clone().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(shared.client.clone(), &namespace);
    if let Some(run) = prepare(&shared, &pod, &uid).await {
        shared.parts().insert(uid.clone(), Arc::clone(&run.part));
        let grace = select! {
            never = act(&run, &api, &uid) => match never {},
            grace = asked_to_go(&mut notices) => grace,
        };
        let processes = run.part.processes();
        future::join_all(processes.iter().map(|process| process.terminate(grace))).await;
        clear(&shared, &run).await;
        shared.parts().remove(&uid);
    } else {
        asked_to_go(&mut notices).await;
    }
    forget(&api, &name, &uid).await;
}

/// Makes what a pod runs in; `None` for a pod that has run to its end or is going already.
async fn prepare(shared: &Shared, pod: &Pod, uid: &str) -> Option<Run> {
    let spec = pod.spec.as_ref()?;
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if pod.metadata.deletion_timestamp.is_some() || matches!(phase, Some("Succeeded" | "Failed")) {
        return None;
    }
    let link = loop {
        match shared.network.join().await {
            Ok(link) => break link,
            Err(_) => sleep(RETRY).await,
        }
    };
    let (namespace, name) = (pod.metadata.namespace.as_deref()?, pod.metadata.name.as_deref()?);
    let root = shared.folder.path();
    let logs = root.join("logs").join(format!("{namespace}_{name}_{uid}"));
    fs::create_dir_all(&logs).ok()?;
    let host = shared.network.gateway();
    // What the pod reads of itself includes its address, which its object does not carry yet.
    let mut pod = pod.clone();
    let status = pod.status.get_or_insert_default();
    status.pod_ip = Some(link.address.to_string());
    status.host_ip = Some(host.to_string());
    Some(Run {
        board: Board::new(spec, link.address, host),
        part: Arc::new(Part::new(namespace, name, link.address, &logs)),
        sources: Sources::new(shared.client.clone(), namespace),
        images: shared.images.clone(),
        server: shared.server,
        folder: root.join("pods").join(uid),
        link,
        pod,
    })
}

/// Waits until the pod is to end; returns how long it may take.
async fn asked_to_go(notices: &mut watch::Receiver<Notice>) -> Duration {
    let going = |notice: &Notice| notice.as_ref().is_none_or(|pod| pod.metadata.deletion_timestamp.is_some());
    // An error means that nobody will tell any more: the kubelet ends.
    let Ok(notice) = notices.wait_for(going).await else { return Duration::ZERO };
    let seconds = notice.as_ref().and_then(|pod| pod.metadata.deletion_grace_period_seconds).unwrap_or(0);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(LONGEST_GRACE)
}

/// Runs the containers and tells the cluster.
async fn act(run: &Run, api: &Api<Pod>, uid: &str) -> Infallible {
    let containers = async {
        fill_volumes(run).await;
        let well = run_containers(run).await;
        run.board.over(well);
        future::pending::<Infallible>().await
    };
    select! {
        never = containers => never,
        never = tell(run, api, uid) => never,
    }
}

async fn fill_volumes(run: &Run) {
    for volume in run.volumes() {
        let folder = container::volume_folder(&run.folder, &volume.name);
        while let Err(setback) = volume::fill(volume, &run.pod, &run.sources, &folder).await {
            run.board.all_wait("ContainerCreating", &setback.to_string());
            sleep(RETRY).await;
        }
    }
}

/// The init containers one after the other, then the others together; true if all went well.
async fn run_containers(run: &Run) -> bool {
    let spec = run.spec();
    let restart = match spec.restart_policy.as_deref() {
        Some("Never") => Restart::Never,
        Some("OnFailure") => Restart::OnFailure,
        _ => Restart::Always,
    };
    // An init container runs once, unless it fails.
    let init = if restart == Restart::Never { Restart::Never } else { Restart::OnFailure };
    for (index, container) in spec.init_containers.iter().flatten().enumerate() {
        if !container::run(run, container, Stage::Init, index, init).await {
            return false;
        }
    }
    run.board.initialized();
    let main = |(index, container): (usize, &'_ Container)| {
        let container = container.clone();
        async move { container::run(run, &container, Stage::Main, index, restart).await }
    };
    let ends = future::join_all(spec.containers.iter().enumerate().map(main)).await;
    ends.into_iter().all(|well| well)
}

/// Writes the status whenever it changes.
async fn tell(run: &Run, api: &Api<Pod>, uid: &str) -> Infallible {
    let name = run.part.name.as_str();
    loop {
        run.board.changed().await;
        // The uid keeps the status from a later pod of the same name.
        let patch = json!({"metadata": {"uid": uid}, "status": run.board.status()});
        let parameters = PatchParams { field_manager: Some("kubelet".to_owned()), ..PatchParams::default() };
        while bounded(api.patch_status(name, &parameters, &Patch::Strategic(&patch))).await.is_err() {
            sleep(RETRY).await;
            if matches!(bounded(api.get_opt(name)).await, Ok(None)) {
                break;
            }
        }
    }
}

/// Takes away what the pod ran in.
async fn clear(shared: &Shared, run: &Run) {
    // What cannot be taken away now goes with the plane's network and the kubelet's folder.
    shared.network.leave(&run.link).await.ok();
    fs::remove_dir_all(&run.folder).ok();
}

/// Deletes the object of a pod that has ended, unless another one has its name.
async fn forget(api: &Api<Pod>, name: &str, uid: &str) {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let parameters = DeleteParams::default().grace_period(0).preconditions(preconditions);
    while let Err(setback) = delete(api, name, &parameters).await {
        drop(setback);
        sleep(RETRY).await;
    }
}

async fn delete(api: &Api<Pod>, name: &str, parameters: &DeleteParams) -> Result<(), Setback> {
    let request = async {
        match api.delete(name, parameters).await {
            // Not there, or another pod.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            answer => answer.map(drop),
        }
    };
    bounded(request).await
}
