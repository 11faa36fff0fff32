//! `leases`.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pivot::cluster::Cluster;
use pivot::host::{Container, Engine, Host, LEASE_FILES};
use pivot::leases::{LeasesError, Place};
use pivot_core::lease::{CONFIG_MAP, DNSMASQ_LIMIT, LeaseFile, Merged, merge, parts};

use super::partly::told;
use super::{Session, ironic_cluster};
use crate::args::{EngineChoice, HostArgs, Output};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::amount::Amount;
use crate::report::data;
use crate::report::leases::LeasesReport;
use crate::ui::last_line;
use crate::ui::theme::WARNING;

/// Name of the container that holds the leases, in 2021 as today.
const CONTAINER: &str = "dnsmasq";

/// Show and carry the DHCP leases of Ironic's dnsmasq
#[derive(Debug, clap::Args)]
pub(crate) struct LeasesArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Show(ShowArgs),
    Export(ExportArgs),
    Import(ImportArgs),
}

/// Show leases, without changing anything
///
/// Lines that are no leases are told and passed over: dnsmasq itself would lose every lease behind them.
#[derive(Debug, clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// How to print them
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,
}

/// Write leases to a file, or as the ConfigMap that carries them
///
/// Read them before Ironic is stopped: they die with the container of dnsmasq.
#[derive(Debug, clap::Args)]
struct ExportArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// As what to write them
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Form,

    /// Leases of another dnsmasq of the same network to add; of two that exclude each other the one that ends last stays
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,

    /// Take no lease at all for an answer
    #[arg(long)]
    allow_empty: bool,
}

/// Write leases into a cluster, as the ConfigMap from which Ironic's dnsmasq there begins
///
/// They go to the cluster of --to-kubeconfig, else to that of --kubeconfig. More than a ConfigMap holds go into several.
#[derive(Debug, clap::Args)]
struct ImportArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// Name of the ConfigMap to write
    #[arg(long, value_name = "NAME", default_value = CONFIG_MAP)]
    name: String,

    /// Add to the leases that are there; of two that exclude each other the one that ends last stays
    #[arg(long, conflicts_with = "replace")]
    merge: bool,

    /// Drop the leases that are there
    #[arg(long)]
    replace: bool,

    /// Take no lease at all for an answer
    #[arg(long)]
    allow_empty: bool,

    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Where leases come from.
#[derive(Debug, clap::Args)]
struct SourceArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// File in the container to read instead of those that ironic-image uses
    #[arg(long, value_name = "FILE", requires = "container")]
    path: Option<String>,

    /// Who runs the container
    #[arg(long, value_enum, value_name = "NAME", default_value_t, requires = "container")]
    engine: EngineChoice,

    #[command(flatten)]
    host: HostArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct PlaceArgs {
    /// Lease file of dnsmasq, on the machine that --host names; `-` is standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// ConfigMap in the cluster of --kubeconfig [default: dnsmasq-leases-configmap]
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = CONFIG_MAP)]
    configmap: Option<String>,

    /// Pods of Ironic that run in the cluster of --kubeconfig
    #[arg(long)]
    pods: bool,

    /// Container of dnsmasq, whether it runs or not [default: dnsmasq]
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = CONTAINER)]
    container: Option<String>,
}

/// As what leases are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// The lease file of dnsmasq
    #[default]
    Leases,
    /// A ConfigMap, or several, for `kubectl apply`
    Configmap,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &LeasesArgs) -> Result<Exit, CommandError> {
    match &args.what {
        What::Show(args) => show(session, args).await,
        What::Export(args) => export(session, args).await,
        What::Import(args) => import(session, args).await,
    }
}

async fn show(session: &Session, args: &ShowArgs) -> Result<Exit, CommandError> {
    let (file, _) = read(session, &args.source).await?;
    let report = LeasesReport::of(&file, now());
    session.print(&match args.output {
        Output::Text => report.text(now()),
        Output::Json => data::json(&report),
        Output::Yaml => data::yaml(&report),
    })?;
    session.printer.note(last_line::NOTHING_CHANGED);
    Ok(Exit::Done)
}

async fn export(session: &Session, args: &ExportArgs) -> Result<Exit, CommandError> {
    let (mut file, from) = read(session, &args.source).await?;
    if let Some(other) = &args.merge {
        let text = fs::read(other).map_err(|error| CommandError::unreadable("lease file", other, &error))?;
        let other = parsed(session, &text, &other.display().to_string())?;
        file = merged(session, &file, &other);
    }
    if file.is_empty() && !args.allow_empty {
        return Err(CommandError::no_leases(&from));
    }
    let text = match args.output {
        Form::Leases => file.text(),
        Form::Configmap => {
            let namespace = namespace(session, None)?;
            let documents = parts(&file, &namespace, CONFIG_MAP);
            documents.iter().map(data::yaml).collect::<Vec<_>>().join("---\n")
        }
    };
    match &args.out {
        None => session.print(&text)?,
        Some(path) => {
            write(path, text.as_bytes())
                .map_err(|error| CommandError::unwritable("leases to", path, &error))?;
            session.printer.note(format_args!("{} to {}", Amount(file.len(), "lease"), path.display()));
        }
    }
    session.printer.note(last_line::NOTHING_CHANGED);
    Ok(Exit::Done)
}

async fn import(session: &Session, args: &ImportArgs) -> Result<Exit, CommandError> {
    let target = session.target().await?;
    if args.source.place.configmap.is_some() && target.is_none() {
        return Err(CommandError::usage("target-missing", "no cluster named to import the ConfigMap into")
            .hinted("name it with --to-kubeconfig, --to-kubeconfig-context or both"));
    }
    let (new, from) = read(session, &args.source).await?;
    if new.is_empty() && !args.allow_empty {
        return Err(CommandError::no_leases(&from));
    }
    let cluster = match target {
        Some(target) => target,
        None => session.source().await?,
    };
    let namespace = namespace(session, Some(cluster.namespace()))?;
    let place = Place { cluster: &cluster, namespace: &namespace, name: &args.name };
    let before = session.interruptible(place.read()).await??;
    let path = format!("{namespace}/{}", args.name);
    let mut file = new;
    // What cannot be read is only ever replaced.
    if let Some(stored) = before.as_ref().filter(|_| !args.replace) {
        let there = LeaseFile::parse(stored.text()?.as_bytes());
        if args.merge {
            file = merged(session, &file, &there);
        } else if there.text() != file.text() && !there.is_empty() {
            return Err(CommandError::leases_exist(cluster.name(), &path, there.len(), file.len()));
        }
    }
    let is_same = match &before {
        Some(stored) => stored.text().is_ok_and(|text| text == file.text()),
        None => false,
    };
    let amount = Amount(file.len(), "lease");
    let done = if is_same {
        format!("{amount} were already in ConfigMap {path} of {}", cluster.name())
    } else if args.dry_run {
        format!("{amount} would go into ConfigMap {path} of {}", cluster.name())
    } else {
        // Not given up half way: it is written in a moment.
        let written = match place.write(&file, before.as_ref()).await {
            Ok(written) => written,
            Err(error @ LeasesError::Write { .. }) => return Ok(told(session, &error.into())),
            Err(error) => return Err(error.into()),
        };
        let more = if written > 1 { format!(" and {} more", written - 1) } else { String::new() };
        format!("{amount} in ConfigMap {path}{more} of {}", cluster.name())
    };
    session.printer.note(done);
    session.printer.note(last_line::STILL_ACTIVE);
    Ok(Exit::Done)
}

/// Reads the leases, tells what is wrong with them, and how the place is called.
async fn read(session: &Session, args: &SourceArgs) -> Result<(LeaseFile, String), CommandError> {
    let PlaceArgs { file, configmap, container, pods } = &args.place;
    if *pods {
        if args.host.is_given() {
            return Err(CommandError::flags_conflict("--pods", "--host, --netns and --sudo"));
        }
        return ironic_cluster::leases_of_pods(session).await;
    }
    let host = session.machine(&args.host).await?;
    let (text, from) = match (file, configmap, container) {
        (Some(file), ..) => session.interruptible(of_file(&host, args.host.is_given(), file)).await??,
        (None, Some(name), _) => {
            if args.host.is_given() {
                return Err(CommandError::flags_conflict("--configmap", "--host, --netns and --sudo"));
            }
            let cluster = session.source().await?;
            session.interruptible(Box::pin(of_config_map(session, &cluster, name))).await??
        }
        (None, None, container) => {
            let name = container.as_deref().unwrap_or(CONTAINER);
            session.interruptible(Box::pin(of_container(&host, args, name))).await??
        }
    };
    Ok((parsed(session, &text, &from)?, from))
}

/// Reads a file, here or on the machine, and tells how messages call it.
pub(super) async fn of_file(
    host: &Host,
    elsewhere: bool,
    file: &Path,
) -> Result<(Vec<u8>, String), CommandError> {
    if file == Path::new("-") {
        let mut text = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut text);
        read.map_err(|error| CommandError::unreadable("leases from", Path::new("standard input"), &error))?;
        return Ok((text, "standard input".to_owned()));
    }
    let shown = file.display().to_string();
    if !elsewhere {
        let text = fs::read(file).map_err(|error| CommandError::unreadable("lease file", file, &error))?;
        return Ok((text, shown));
    }
    let place = format!("{shown} on {host}");
    match host.first_file(&[&shown]).await? {
        Some(found) => Ok((found.content, place)),
        None => Err(CommandError::no_lease_path(&host.to_string(), &[&shown])),
    }
}

async fn of_config_map(
    session: &Session,
    cluster: &Cluster,
    name: &str,
) -> Result<(Vec<u8>, String), CommandError> {
    let namespace = namespace(session, Some(cluster.namespace()))?;
    let path = format!("{namespace}/{name}");
    let stored = Place { cluster, namespace: &namespace, name }.read().await?;
    let stored = stored.ok_or_else(|| CommandError::no_config_map(cluster.name(), &path))?;
    Ok((stored.text()?.into_bytes(), format!("ConfigMap {path} of {}", cluster.name())))
}

async fn of_container(host: &Host, args: &SourceArgs, name: &str) -> Result<(Vec<u8>, String), CommandError> {
    let container = container(host, args.engine.named(), name).await?;
    let own = args.path.as_deref();
    let paths = own.as_ref().map_or(LEASE_FILES.as_slice(), std::slice::from_ref);
    let place = format!("container {name} of {host}");
    match host.file_in(&container, paths).await? {
        Some(found) => Ok((found.content, format!("{} in {place}", found.path))),
        None => Err(CommandError::no_lease_path(&place, paths)),
    }
}

async fn container(host: &Host, engine: Option<Engine>, name: &str) -> Result<Container, CommandError> {
    let engines = match engine {
        Some(engine) => vec![engine],
        None => host.engines().await?,
    };
    if engines.is_empty() {
        return Err(CommandError::no_engine(&host.to_string()));
    }
    for engine in &engines {
        if let Some(container) = host.container(*engine, name).await? {
            return Ok(container);
        }
    }
    let engines: Vec<String> = engines.iter().map(ToString::to_string).collect();
    Err(CommandError::no_container(name, &host.to_string(), &engines.join(" or ")))
}

/// Reads a lease file and tells what will not work as its owner may think.
pub(super) fn parsed(session: &Session, text: &[u8], from: &str) -> Result<LeaseFile, CommandError> {
    let file = LeaseFile::parse(text);
    if let Some(likeness) = file.likeness() {
        return Err(CommandError::no_lease_file(from, likeness, &file));
    }
    let warn = |line: String| session.printer.note(format_args!("{WARNING}warning{WARNING:#}: {line}"));
    for aside in file.aside() {
        warn(format!("{from}, {aside}; set aside: {}", aside.text));
    }
    let expired = file.expired(now());
    if expired > 0 {
        warn(format!("{from}: {} expired; dnsmasq will not take them up", Amount(expired, "lease")));
    }
    if file.len() > DNSMASQ_LIMIT {
        warn(format!(
            "{from}: {}; dnsmasq starts with at most {DNSMASQ_LIMIT} unless its option `dhcp-lease-max` allows more",
            Amount(file.len(), "lease")
        ));
    }
    Ok(file)
}

/// Two files in one, told what gave way.
fn merged(session: &Session, first: &LeaseFile, second: &LeaseFile) -> LeaseFile {
    let merged = merge(first, second);
    tell_dropped(session, &merged);
    merged.file
}

/// Tells what gave way.
pub(super) fn tell_dropped(session: &Session, Merged { dropped, other_duid, .. }: &Merged) {
    let warn = |line: String| session.printer.note(format_args!("{WARNING}warning{WARNING:#}: {line}"));
    for dropped in dropped.iter().filter(|dropped| dropped.lease.to_string() != dropped.kept.to_string()) {
        warn(format!("`{}` gives way to `{}`", dropped.lease, dropped.kept));
    }
    if let Some(other) = other_duid {
        warn(format!("the servers have different DUIDs; clients of `{other}` will ask anew"));
    }
}

/// The one namespace of the ConfigMap; `default` is that of the cluster's context, where there is a cluster.
fn namespace(session: &Session, default: Option<&str>) -> Result<String, CommandError> {
    let mut names: Vec<String> =
        session.namespaces(default.unwrap_or_default()).into_iter().flatten().collect();
    match (names.pop(), names.is_empty()) {
        (Some(name), true) if !name.is_empty() => Ok(name),
        _ => Err(CommandError::one_namespace()),
    }
}

/// Writes a file in one step: a reader finds the old one or the new one.
fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Seconds since 1970.
fn now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or_default()
}
