//! Where things stand by what the clusters tell, as a last line.

use std::time::Duration;

use pivot::cluster::Cluster;
use pivot::memory::remember;
use pivot::status::{DriverStatus, IsDead, SideStatus, StatusReport};
use pivot_core::plan::Origin;
use pivot_core::record::Standing;
use pivot_core::record::outlook::{Acting, Next};

use super::next::NextCommand;
use super::{Session, Verb};
use crate::driver::driver;
use crate::report::age::Age;
use crate::ui::last_line;

/// A driver that was heard of so lately may be at work. This only chooses the advice: who drives is settled by the Leases.
const LATELY: i64 = 30;

/// Which side is active and, if a pivot is not finished, the one next command.
pub(super) fn last_line(session: &Session, report: &StatusReport) -> String {
    let active = active(report);
    match next(session, report) {
        Some(next) => format!("{active}; {}", last_line::next(next.line())),
        None => active,
    }
}

/// What the clusters remember now.
pub(super) async fn recorded(
    session: &Session,
    source: Option<&Cluster>,
    target: Option<&Cluster>,
) -> StatusReport {
    let memory = Box::pin(remember(source, target, Duration::ZERO)).await;
    let driver = driver(&session.environment);
    StatusReport::of_records(&memory, IsDead(&*driver.is_dead))
}

/// True where both sides answered.
pub(super) fn is_whole(report: &StatusReport) -> bool {
    report.source.id.is_some() && report.target.as_ref().is_some_and(|target| target.id.is_some())
}

fn active(report: &StatusReport) -> String {
    let target = report.target.as_ref();
    match report.active {
        None => last_line::NOTHING_TO_ACT_ON.to_owned(),
        Some(Acting::Unknown) => {
            format!("{}{}", last_line::active(Acting::Unknown, "", None), why_unknown(report))
        }
        Some(acting) => {
            let (from, to) = names(report);
            last_line::active(acting, &from, target.map_or(to.as_deref(), |target| Some(&target.name)))
        }
    }
}

/// What the named sides are called; a side that was not named by the record of the pivot.
fn names(report: &StatusReport) -> (String, Option<String>) {
    let recorded = report.pivot.as_ref().map(|pivot| {
        let sides = (pivot.from.clone(), pivot.to.clone());
        if pivot.backwards { (sides.1, sides.0) } else { sides }
    });
    let (from, to) = recorded.unzip();
    let source =
        if report.source.name.is_empty() { from.unwrap_or_default() } else { report.source.name.clone() };
    (source, report.target.as_ref().map(|target| target.name.clone()).or(to))
}

fn why_unknown(report: &StatusReport) -> String {
    let is_silent = |side: &&SideStatus| side.silent.is_some() && !side.name.is_empty();
    let silent: Vec<_> = [Some(&report.source), report.target.as_ref()]
        .into_iter()
        .flatten()
        .filter(is_silent)
        .map(|side| side.name.as_str())
        .collect();
    if !silent.is_empty() {
        return format!(": {} cannot be read", silent.join(" and "));
    }
    if report.source.standing == Some(Standing::Retired) {
        return format!("; source {} is retired", report.source.name);
    }
    if report.source.name.is_empty() {
        return ": name the source with --kubeconfig".to_owned();
    }
    if report.target.is_none() {
        return ": name the target with --to-kubeconfig".to_owned();
    }
    String::new()
}

/// The one next command.
fn next(session: &Session, report: &StatusReport) -> Option<NextCommand> {
    let verb = match report.next? {
        // Somebody is at it.
        Next::Resume if report.driver.as_ref().is_some_and(is_at_work) => Verb::Status,
        Next::Resume => Verb::Resume,
        Next::Finalize => Verb::Finalize,
    };
    let Some(pivot) = &report.pivot else { return Some(session.on_clusters(verb)) };
    if pivot.origin == Origin::Directory {
        return Some(session.on_target(verb));
    }
    Some(take_up(session, verb, pivot.backwards))
}

/// A command for a pivot that the records know. Where it leads the other way round, so do its flags.
pub(super) fn take_up(session: &Session, verb: Verb, backwards: bool) -> NextCommand {
    if backwards && session.is_target_named() {
        return session.on_exchanged_clusters(verb);
    }
    let next = session.on_clusters(verb);
    match (backwards, session.is_target_named()) {
        (_, true) => next,
        (false, false) => next.with("--to-kubeconfig", "FILE"),
        // The one cluster that was named is the target.
        (true, false) => session.on_exchanged_clusters(verb).with("--kubeconfig", "FILE"),
    }
}

fn is_at_work(driver: &DriverStatus) -> bool {
    let last = driver.last_sign_of_life.as_deref().and_then(Age::since);
    !driver.gone && last.is_some_and(|age| age.0 < LATELY)
}
