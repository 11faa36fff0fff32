//! Waiting until what is to be moved stands still, before anything is written.

use std::collections::BTreeSet;
use std::time::Duration;

use pivot::cluster::Cluster;
use pivot::survey::{Options, Survey, survey};
use pivot_core::check::Finding;
use tokio::time::{Instant, sleep};

use super::Session;
use crate::error::CommandError;

/// Between two looks.
const POLL: Duration = Duration::from_secs(5);
/// Findings that are told at once. There may be one a host.
const SHOWN: usize = 10;

/// A survey, and how long it took.
pub(super) struct Looked {
    pub(super) survey: Survey,
    pub(super) took: Duration,
}

/// Surveys; where nothing but something under way stands in the way, again and again, for at most `limit`.
pub(super) async fn look(
    session: &Session,
    source: &Cluster,
    target: Option<&Cluster>,
    options: &Options,
    limit: Duration,
) -> Result<Looked, CommandError> {
    let until = Instant::now() + limit;
    let mut told = BTreeSet::new();
    loop {
        let began = Instant::now();
        let survey = session.busy(Box::pin(survey(source, target, options))).await??;
        let looked = Looked { took: began.elapsed(), survey };
        let waits_for = under_way(looked.survey.report().errors());
        let left = until.saturating_duration_since(Instant::now());
        if waits_for.is_empty() || left.is_zero() {
            return Ok(looked);
        }
        for line in news(&told, &waits_for) {
            session.printer.note(format_args!("waiting: {line}"));
        }
        told = waits_for;
        session.interruptible(sleep(POLL.min(left))).await?;
    }
}

/// What a wait may help against; nothing where something else stands in the way as well.
fn under_way<'a>(errors: impl Iterator<Item = &'a Finding>) -> BTreeSet<String> {
    let (passing, others): (Vec<_>, Vec<_>) = errors.partition(|error| error.id.may_pass());
    if others.is_empty() { passing.into_iter().map(ToString::to_string).collect() } else { BTreeSet::new() }
}

/// What is to be told after another look: what has come, and how much has gone.
pub(super) fn news(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let mut lines: Vec<String> = now.difference(before).take(SHOWN).cloned().collect();
    let untold = now.difference(before).count() - lines.len();
    if untold > 0 {
        lines.push(format!("and {untold} more"));
    }
    let gone = before.difference(now).count();
    if gone > 0 && before.len() > 1 {
        lines.push(format!("{gone} of {} ended, {} left", before.len(), now.len()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use pivot_core::check::CheckId;

    use super::*;

    #[test]
    fn only_what_ends_by_itself_is_waited_for() {
        let finding = |id| Finding::error(id, None, "x", "y");
        let (host, permission) = (finding(CheckId::HostNotSteady), finding(CheckId::SourcePermission));
        // A rollout deletes Machines.
        let deleted = finding(CheckId::ObjectTerminating);
        assert_eq!(under_way([&host, &deleted].into_iter()).len(), 2);
        assert!(under_way([&host, &permission].into_iter()).is_empty());
        assert!(under_way(std::iter::empty()).is_empty());
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!(news(&set(&[]), &set(&["a", "b"])), ["a", "b"]);
        assert_eq!(news(&set(&["a", "b"]), &set(&["a", "b"])), [""; 0]);
        assert_eq!(news(&set(&["a", "b"]), &set(&["b", "c"])), ["c", "1 of 2 ended, 2 left"]);
        assert_eq!(news(&set(&["a"]), &set(&["b"])), ["b"], "of one the next tells enough");
        let many: BTreeSet<String> = (10..25).map(|n| n.to_string()).collect();
        assert_eq!(news(&set(&[]), &many).last().unwrap(), "and 5 more");
    }
}
