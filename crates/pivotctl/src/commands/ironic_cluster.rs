//! `ironic` where it is a Deployment of a cluster.

use std::time::Duration;

use pivot::cluster::Cluster;
use pivot::ironic::{ClusterIronic, ClusterIronicError, FoundLeases, SavedLeases};
use pivot_core::ironic::IronicDeployment;
use pivot_core::lease::{CONFIG_MAP, LeaseFile};

use super::Session;
use super::partly::changing;
use crate::args::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::amount::Amount;
use crate::report::data;
use crate::report::ironic_cluster::{reports, text};
use crate::ui::last_line;
use crate::ui::theme::WARNING;

/// How long a look may wait for pods: it does not.
const NO_WAIT: Duration = Duration::ZERO;

/// Shows the Deployments.
pub(super) async fn status(session: &Session, output: Output) -> Result<Exit, CommandError> {
    let cluster = session.source().await?;
    let found = find(session, &cluster).await?;
    let reports = reports(&found);
    if found.is_empty() && output == Output::Text {
        return Err(CommandError::no_ironic_deployment(cluster.name()));
    }
    session.print(&match output {
        Output::Text => text(&reports),
        Output::Json => data::json(&reports),
        Output::Yaml => data::yaml(&reports),
    })?;
    session.printer.note(last_line::NOTHING_CHANGED);
    Ok(Exit::Done)
}

/// Scales them to zero.
pub(super) async fn stop(
    session: &Session,
    wait: Duration,
    without_leases: bool,
) -> Result<Exit, CommandError> {
    let cluster = session.source().await?;
    let found = find(session, &cluster).await?;
    if found.is_empty() {
        return Err(CommandError::no_ironic_deployment(cluster.name()));
    }
    let namespace = namespace(session)?;
    let ironic = ClusterIronic { cluster: &cluster, namespace: namespace.as_deref(), wait };
    let leases = if without_leases {
        None
    } else {
        Some(session.interruptible(Box::pin(ironic.leases(&found))).await??)
    };
    if let Some(refusal) = ironic.refusals(&found, leases.as_ref()).into_iter().next() {
        return Err(refusal.into());
    }
    if let Some(leases) = &leases {
        tell(session, leases);
        let saved = match changing(session, Box::pin(leases.save(&cluster)), |_| false).await? {
            Ok(saved) => saved,
            Err(exit) => return Ok(exit),
        };
        for SavedLeases { config_map, leases } in saved {
            let leases = Amount(leases, "lease");
            session.printer.note(format_args!("{leases} in ConfigMap {config_map} of {}", cluster.name()));
        }
    }
    let work = Box::pin(ironic.stop(&found, leases.as_ref()));
    let stopped = match changing(session, work, ClusterIronicError::is_refusal).await? {
        Ok(stopped) => stopped,
        Err(exit) => return Ok(exit),
    };
    session.printer.note(format_args!("stopped, and every pod gone: {}", stopped.join(", ")));
    session.printer.note(last_line::STILL_ACTIVE);
    Ok(Exit::Done)
}

/// Tells what of the leases does not go along.
fn tell(session: &Session, leases: &FoundLeases) {
    let warn = |line: String| session.printer.note(format_args!("{WARNING}warning{WARNING:#}: {line}"));
    for unread in leases.unread() {
        warn(format!("{}; only those in ConfigMap {CONFIG_MAP} stay", unread.told()));
    }
    for line in leases.aside() {
        warn(format!("no lease, and left out: {line}"));
    }
}

/// The leases of pods that run, and how messages call their place.
pub(super) async fn leases_of_pods(session: &Session) -> Result<(LeaseFile, String), CommandError> {
    let cluster = session.source().await?;
    let found = find(session, &cluster).await?;
    let namespace = namespace(session)?;
    let ironic = ClusterIronic { cluster: &cluster, namespace: namespace.as_deref(), wait: NO_WAIT };
    let leases = session.interruptible(Box::pin(ironic.leases(&found))).await??;
    if let Some(unread) = leases.unread().first() {
        return Err(CommandError::leases_unread(cluster.name(), unread));
    }
    tell(session, &leases);
    Ok((leases.of_pods(), format!("the lease file of Ironic's pods in {}", cluster.name())))
}

/// Gives them back the replicas that they had.
pub(super) async fn start(session: &Session, wait: Duration) -> Result<Exit, CommandError> {
    let cluster = session.source().await?;
    let found = find(session, &cluster).await?;
    if !found.iter().any(|found| found.stopped.is_some()) {
        return Err(CommandError::nothing_stopped(cluster.name()));
    }
    let namespace = namespace(session)?;
    let ironic = ClusterIronic { cluster: &cluster, namespace: namespace.as_deref(), wait };
    let started = match changing(session, Box::pin(ironic.start(&found)), |_| false).await? {
        Ok(started) => started,
        Err(exit) => return Ok(exit),
    };
    session.printer.note(format_args!("running as before: {}", started.join(", ")));
    session.printer.note(last_line::STILL_ACTIVE);
    Ok(Exit::Done)
}

async fn find(session: &Session, cluster: &Cluster) -> Result<Vec<IronicDeployment>, CommandError> {
    let namespace = namespace(session)?;
    let ironic = ClusterIronic { cluster, namespace: namespace.as_deref(), wait: NO_WAIT };
    Ok(session.interruptible(Box::pin(ironic.find())).await??)
}

/// The namespace of Ironic where one is named; it is looked for everywhere otherwise.
fn namespace(session: &Session) -> Result<Option<String>, CommandError> {
    match session.global.namespaces.as_slice() {
        [] => Ok(None),
        [name] => Ok(Some(name.clone())),
        _ => Err(CommandError::one_namespace()),
    }
}
