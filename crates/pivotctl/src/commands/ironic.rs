//! `ironic`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pivot::host::{Host, Removal};
use pivot::ironic::{Found, IronicError, Order, Seeded, find, start, stop};
use pivot_core::ironic::SavedIronic;

use super::leases::{parsed, tell_dropped};
use super::partly::{changing, told};
use super::{Session, ironic_cluster};
use crate::args::{EngineChoice, HostArgs, Output, WaitLimit};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::amount::Amount;
use crate::report::data;
use crate::report::ironic::{IronicReport, leases, unasked};
use crate::ui::last_line;
use crate::ui::theme::WARNING;

/// How long pods may take where nobody says otherwise.
const PODS: Duration = Duration::from_secs(300);

/// Look at Ironic, stop it with evidence, or start it again
#[derive(Debug, clap::Args)]
pub(crate) struct IronicArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Status(StatusArgs),
    Stop(StopArgs),
    Start(StartArgs),
}

/// Show what is there of Ironic on a machine or in a cluster, without changing anything
///
/// Containers of podman and docker are known by the names that Metal3's scripts gave them over the years. A name that others use too, such as httpd,
/// counts only with an image of Metal3's.
#[derive(Debug, clap::Args)]
struct StatusArgs {
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,

    #[command(flatten)]
    place: PlaceArgs,
}

/// Stop Ironic on a machine or in a cluster, and prove that nothing of it is left
///
/// On a machine leases are read first and saved with what ran, so that `ironic start` brings the very same back. Then the containers are stopped,
/// DHCP first and the endpoint last, and looked for: no process, no open port, the endpoint address on no interface and answered by nobody, and, where Ironic served DHCP,
/// nobody who serves it.
///
/// In a cluster the leases in the pods are put into the ConfigMap dnsmasq-leases-configmap beside them, which takes `create` and `get` of pods/exec. Then Deployments are scaled to
/// zero, the Ironic Standalone Operator before what it keeps, and every pod is seen to go.
///
/// A stop that failed or was killed goes on where it was left.
#[derive(Debug, clap::Args)]
struct StopArgs {
    /// Endpoint address of Ironic [default: the PROVISIONING_IP that the containers were told]
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Option<IpAddr>,

    /// Let the leases of a Deployment die with its pod
    #[arg(long)]
    without_leases: bool,

    /// How long pods may take to go
    #[arg(long, value_name = "DURATION", default_value_t = WaitLimit(PODS))]
    wait: WaitLimit,

    #[command(flatten)]
    state: StateArgs,

    #[command(flatten)]
    place: PlaceArgs,
}

/// Start the Ironic that was stopped on a machine or in a cluster, as it was
///
/// What ran before runs again, with its restart policies and addresses; what did not, does not.
///
/// On a machine nothing is started where another machine has the endpoint address or serves DHCP, or where keepalived would find no static address. Then
/// the endpoint address, an answer of the API and one of DHCP are awaited.
///
/// A target machine whose containers were created and never started is begun with --all, and with the leases of the source with --leases.
#[derive(Debug, clap::Args)]
struct StartArgs {
    /// Endpoint address of Ironic [default: the PROVISIONING_IP that the containers were told]
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Option<IpAddr>,

    /// Leases of dnsmasq with which DHCP begins, beside those that it has; of two that exclude each other the one that ends last stays
    #[arg(long, value_name = "FILE")]
    leases: Option<PathBuf>,

    /// Start every container of Ironic that is there, also where nothing was stopped by `ironic stop`
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    state: StateArgs,

    #[command(flatten)]
    host: HostArgs,

    #[command(flatten)]
    form: FormArgs,

    /// How long pods, or each of endpoint, API and DHCP, may take to be ready
    #[arg(long, value_name = "DURATION", default_value_t = WaitLimit(PODS))]
    wait: WaitLimit,
}

#[derive(Debug, clap::Args)]
struct FormArgs {
    /// Where Ironic is
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    form: Form,
}

/// Where Ironic is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// In the cluster that --kubeconfig or --kubeconfig-context names, else containers
    #[default]
    Auto,
    /// Containers of a machine
    Containers,
    /// A Deployment, also one that the Ironic Standalone Operator keeps
    Cluster,
}

impl FormArgs {
    /// True where it is in a cluster.
    fn is_cluster(&self, session: &Session, machine: bool) -> Result<bool, CommandError> {
        let is_cluster = match self.form {
            Form::Auto => session.is_source_named(),
            Form::Containers => false,
            Form::Cluster => true,
        };
        if is_cluster && machine {
            return Err(CommandError::flags_conflict("--host, --netns and --sudo", "a cluster"));
        }
        Ok(is_cluster)
    }
}

#[derive(Debug, clap::Args)]
struct StateArgs {
    /// File that says what was stopped [default: one a machine, beside the journals]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// Who runs the containers
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    engine: EngineChoice,

    #[command(flatten)]
    host: HostArgs,

    #[command(flatten)]
    form: FormArgs,
}

impl PlaceArgs {
    fn is_cluster(&self, session: &Session) -> Result<bool, CommandError> {
        self.form.is_cluster(session, self.host.is_given())
    }
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &IronicArgs) -> Result<Exit, CommandError> {
    match &args.what {
        What::Status(args) => status(session, args).await,
        What::Stop(args) => stop_it(session, args).await,
        What::Start(args) => start_it(session, args).await,
    }
}

async fn status(session: &Session, args: &StatusArgs) -> Result<Exit, CommandError> {
    if args.place.is_cluster(session)? {
        return ironic_cluster::status(session, args.output).await;
    }
    let host = session.machine(&args.place.host).await?;
    let found = session.interruptible(Box::pin(find(&host, args.place.engine.named()))).await??;
    let report = IronicReport::of(&host, &found);
    if found.containers.is_empty() && found.open.is_empty() && args.output == Output::Text {
        return Err(CommandError::no_ironic(&host.to_string()));
    }
    session.print(&match args.output {
        Output::Text => report.text(),
        Output::Json => data::json(&report),
        Output::Yaml => data::yaml(&report),
    })?;
    session.printer.note(last_line::NOTHING_CHANGED);
    Ok(Exit::Done)
}

async fn stop_it(session: &Session, args: &StopArgs) -> Result<Exit, CommandError> {
    if args.place.is_cluster(session)? {
        return ironic_cluster::stop(session, args.wait.0, args.without_leases).await;
    }
    let host = session.machine(&args.place.host).await?;
    let path = state_file(session, &args.state, &host)?;
    let earlier = read(&path, &host)?;
    let found: Found = session.interruptible(Box::pin(find(&host, args.place.engine.named()))).await??;
    if found.containers.is_empty() && earlier.is_none() {
        return Err(CommandError::no_ironic(&host.to_string()));
    }
    let mut saved = found.saved(&host);
    if let Some(earlier) = earlier {
        saved = saved.continued(earlier);
    }
    // Before anything is stopped: with the container its leases die.
    write(&path, &saved)?;
    session.printer.note(format_args!(
        "saved to {}: what runs, and {}",
        path.display(),
        leases(saved.leases.as_deref())
    ));
    let endpoint = args.endpoint.or(found.endpoint);
    let work = Box::pin(stop(&host, &found, endpoint, &mut saved));
    let stopped = changing(session, work, |error| matches!(error, IronicError::Vanishes { .. })).await;
    let kept = write(&path, &saved);
    let still = match (stopped?, kept) {
        (Ok(still), Ok(())) => still,
        (Ok(_), Err(error)) => return Ok(told(session, &error)),
        (Err(exit), _) => return Ok(exit),
    };
    for line in still.evidence(endpoint) {
        session.printer.note(line);
    }
    let warn = |line: String| session.printer.note(format_args!("{WARNING}warning{WARNING:#}: {line}"));
    if let Some(Removal::Done { interface, net, .. }) = &still.removal {
        warn(format!("{net} was left on {interface}, and was taken off"));
    }
    for name in &still.at_boot {
        warn(format!("{name} is started again when the machine starts: its engine cannot turn that off"));
    }
    if let Some(why) = unasked(still.dhcp.as_ref()) {
        warn(why);
    }
    if endpoint.is_none() {
        warn("nobody was asked for the endpoint address: name it with --endpoint".to_owned());
    }
    session.printer.note(last_line::STILL_ACTIVE);
    Ok(Exit::Done)
}

async fn start_it(session: &Session, args: &StartArgs) -> Result<Exit, CommandError> {
    if args.form.is_cluster(session, args.host.is_given())? {
        if args.all || args.leases.is_some() || args.endpoint.is_some() {
            return Err(CommandError::flags_conflict("--all, --leases and --endpoint", "a cluster"));
        }
        return ironic_cluster::start(session, args.wait.0).await;
    }
    let host = session.machine(&args.host).await?;
    let path = state_file(session, &args.state, &host)?;
    let saved = to_start(session, args, &host, &path).await?;
    let leases = match &args.leases {
        None => None,
        Some(file) => {
            let text =
                fs::read(file).map_err(|error| CommandError::unreadable("lease file", file, &error))?;
            Some(parsed(session, &text, &file.display().to_string())?)
        }
    };
    let order = Order { endpoint: args.endpoint, wait: args.wait.0, leases: leases.as_ref() };
    let work = Box::pin(start(&host, &saved, order));
    let harmless = |error: &IronicError| matches!(error, IronicError::Gone { .. } | IronicError::NotBegun(_));
    let started = match changing(session, work, harmless).await? {
        Ok(started) => started,
        Err(exit) => return Ok(exit),
    };
    let how = if args.all { "running" } else { "running as before" };
    session.printer.note(format_args!("{how}: {}", started.names.join(", ")));
    if let Some(seeded) = &started.seeded {
        tell_dropped(session, &seeded.merged);
    }
    for line in started.evidence() {
        session.printer.note(line);
    }
    let warn = |line: String| session.printer.note(format_args!("{WARNING}warning{WARNING:#}: {line}"));
    if let Some(Seeded { aside: aside @ 1.., .. }) = &started.seeded {
        warn(format!(
            "left out of what was in the container, since it is no lease: {}",
            Amount(*aside, "line")
        ));
    }
    if let Some(why) = &started.unasked {
        warn(format!("whether another server answered DHCP before is not known: {why}"));
    }
    if let Some(why) = unasked(started.dhcp.as_ref()) {
        warn(why);
    }
    if started.endpoint.is_none() {
        warn("nobody was asked for the endpoint address: name it with --endpoint".to_owned());
    }
    if let Err(error) = fs::remove_file(&path)
        && !(args.all && error.kind() == ErrorKind::NotFound)
    {
        return Ok(told(session, &CommandError::unwritable("that it is done with", &path, &error)));
    }
    session.printer.note(last_line::STILL_ACTIVE);
    Ok(Exit::Done)
}

/// What is to be started: what ran before, or all that is there.
async fn to_start(
    session: &Session,
    args: &StartArgs,
    host: &Host,
    path: &Path,
) -> Result<SavedIronic, CommandError> {
    let earlier = read(path, host)?;
    if !args.all {
        return earlier.ok_or_else(|| CommandError::nothing_saved(path));
    }
    let found = session.interruptible(Box::pin(find(host, None))).await??;
    if found.containers.is_empty() && earlier.is_none() {
        return Err(CommandError::no_ironic(&host.to_string()));
    }
    let saved = found.saved(host);
    let saved = match earlier {
        Some(earlier) => saved.continued(earlier),
        None => saved,
    };
    Ok(saved.all_running())
}

/// Where it stands what was stopped on a machine.
fn state_file(session: &Session, args: &StateArgs, host: &Host) -> Result<PathBuf, CommandError> {
    if let Some(path) = &args.state {
        return Ok(path.clone());
    }
    let folder = session.environment.state_directory().ok_or_else(CommandError::no_state_folder)?;
    let machine = host.ssh.as_ref().map_or("local", |ssh| ssh.destination.as_str());
    let name = [Some(machine), host.namespace.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("+");
    // A destination may be a URL.
    Ok(folder.join("ironic").join(format!("{}.json", name.replace('/', "%2F"))))
}

fn read(path: &Path, host: &Host) -> Result<Option<SavedIronic>, CommandError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::unreadable("what was stopped in", path, &error)),
    };
    let saved = SavedIronic::parse(&text).map_err(|error| CommandError::saved_ironic(path, &error))?;
    if saved.place != host.to_string() {
        return Err(CommandError::saved_elsewhere(path, &saved.place, &host.to_string()));
    }
    Ok(Some(saved))
}

/// In one step, for its owner alone.
fn write(path: &Path, saved: &SavedIronic) -> Result<(), CommandError> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(saved.text().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    });
    written.map_err(|error| CommandError::unwritable("what is stopped to", path, &error))
}
