//! The runs of one container.

use std::{
    convert::Infallible,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    time::Duration,
};

use futures::future;
use k8s_openapi::{
    api::core::v1::{Container, Volume, VolumeMount},
    jiff::Timestamp,
};
use tokio::{select, time::sleep};

use super::{
    Setback,
    board::{Phase, Stage},
    environment,
    mount::Mount,
    pod::Run,
    probe::{Finding, Patient, Rounds},
    process::{ContainerProcess, Launch},
};

/// How long until what could not be done is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// How long a container that ended waits for its next run: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long a container may take to end after its liveness probe failed.
const GRACE: Duration = Duration::from_secs(10);

/// When a container that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    Always,
    OnFailure,
    Never,
}

/// Runs a container until it is not to be started again; true if it ended well.
pub(super) async fn run(
    run: &Run,
    container: &Container,
    stage: Stage,
    index: usize,
    restart: Restart,
) -> bool {
    let board = &run.board;
    let mut pause = FIRST_PAUSE;
    let mut restarts = 0;
    loop {
        let process = loop {
            match start(run, container, restarts).await {
                Ok(process) => break process,
                Err((reason, setback)) => {
                    let phase = Phase::Waiting(reason, setback.to_string());
                    board.entry(stage, index, |entry| entry.phase = phase);
                    sleep(RETRY).await;
                }
            }
        };
        let begun = Timestamp::now();
        board.entry(stage, index, |entry| entry.phase = Phase::Running(begun, process.pid()));
        let patient = Patient { container, address: run.link.address, pid: process.pid() };
        let found = |finding: Finding| {
            board.entry(stage, index, |entry| match finding {
                Finding::Well => (entry.ready, entry.complaint) = (true, String::new()),
                Finding::Ill(why) => (entry.ready, entry.complaint) = (false, why),
            });
        };
        let (status, complaint) = select! {
            status = process.ended() => (status, None),
            complaint = ailing(&patient, &found) => (process.terminate(GRACE).await, Some(complaint)),
        };
        let well = status.success();
        let ended = Phase::Terminated(begun, Timestamp::now(), exit_code(status));
        let again = match restart {
            Restart::Always => true,
            Restart::OnFailure => !well,
            Restart::Never => false,
        };
        board.entry(stage, index, |entry| {
            // An init container that went well counts as ready.
            entry.ready = stage == Stage::Init && well && !again;
            if again {
                entry.last = Some(ended);
                entry.restarts += 1;
                let why = complaint.unwrap_or_else(|| format!("ended with {status}"));
                entry.phase = Phase::Waiting("CrashLoopBackOff", why);
            } else {
                entry.phase = ended;
            }
        });
        if !again {
            return well;
        }
        restarts += 1;
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// As a shell tells it: a signal counts from 128.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// Tells when the container is ready and when not. Ends, with the reason, when it should be started anew.
async fn ailing(patient: &Patient<'_>, found: &impl Fn(Finding)) -> String {
    let container = patient.container;
    if let Some(startup) = &container.startup_probe
        && let Finding::Ill(why) = Rounds::begin(startup, patient).next().await
    {
        return format!("startup probe: {why}");
    }
    let Some(liveness) = &container.liveness_probe else { match readiness(patient, found).await {} };
    let mut rounds = Rounds::begin(liveness, patient);
    let dead = async {
        loop {
            if let Finding::Ill(why) = rounds.next().await {
                return format!("liveness probe: {why}");
            }
        }
    };
    select! {
        why = dead => why,
        never = readiness(patient, found) => match never {},
    }
}

async fn readiness(patient: &Patient<'_>, found: &impl Fn(Finding)) -> Infallible {
    let Some(probe) = &patient.container.readiness_probe else {
        found(Finding::Well);
        return future::pending().await;
    };
    let mut rounds = Rounds::begin(probe, patient);
    loop {
        found(rounds.next().await);
    }
}

/// Starts the container's process, or tells why not, with the reason for the status.
async fn start(
    run: &Run,
    container: &Container,
    restarts: u32,
) -> Result<Arc<ContainerProcess>, (&'static str, Setback)> {
    let image = container.image.as_deref().unwrap_or_default();
    let program = run
        .images
        .program(image)
        .ok_or_else(|| ("ErrImagePull", Setback::new(format!("no program stands for image {image}"))))?;
    let not_configured = |setback| ("CreateContainerConfigError", setback);
    let environment =
        environment::of(container, &run.pod, &run.sources, run.server).await.map_err(not_configured)?;
    let mounts = mounts(run, container).map_err(not_configured)?;
    // The first word of a command names the program in the image, for which ours stands.
    let words = container.command.iter().flatten().skip(1).chain(container.args.iter().flatten());
    let launch = Launch {
        namespace: run.link.namespace.clone(),
        scratch: run.folder.join("scratch").join(&container.name),
        working: container.working_dir.as_ref().map_or(PathBuf::from("/"), PathBuf::from),
        mounts,
        args: words.map(|word| environment::expand(word, &environment)).collect(),
        environment,
        program: program.to_owned(),
        log: run.part.log(&container.name, restarts),
    };
    let not_started = |setback| ("RunContainerError", setback);
    fs::create_dir_all(&launch.scratch)
        .map_err(|error| not_started(Setback::file(&launch.scratch, &error)))?;
    let process = Arc::new(ContainerProcess::start(&launch).map_err(not_started)?);
    run.part.began(&container.name, Arc::clone(&process), launch.log);
    Ok(process)
}

fn mounts(run: &Run, container: &Container) -> Result<Vec<Mount>, Setback> {
    let volumes = run.volumes();
    container.volume_mounts.iter().flatten().map(|mount| source_of(mount, volumes, &run.folder)).collect()
}

fn source_of(mount: &VolumeMount, volumes: &[Volume], folder: &Path) -> Result<Mount, Setback> {
    if !volumes.iter().any(|volume| volume.name == mount.name) {
        return Err(Setback::new(format!("no volume {}", mount.name)));
    }
    let volume = volume_folder(folder, &mount.name);
    let part = mount.sub_path.as_deref().unwrap_or_default();
    Ok(Mount {
        source: if part.is_empty() { volume } else { volume.join(part) },
        target: PathBuf::from(&mount.mount_path),
        read_only: mount.read_only == Some(true),
    })
}

/// The folder of a volume in that of its pod.
pub(super) fn volume_folder(folder: &Path, name: &str) -> PathBuf {
    folder.join("volumes").join(name)
}
