//! A model of Ironic on both sides: two parts that run or do not, and leases that die with the first.

use std::collections::BTreeMap;

use pivot_core::ironic::{HandOver, IronicDone, IronicJob, IronicPlace, PackedLeases, Stack};
use pivot_core::kind::GroupKind;
use pivot_core::machine::{Outcome, RefusalClass, Side};
use pivot_core::object::ObjectKey;

use crate::chance::Fate;
use crate::clusters::Clusters;

/// What the source's DHCP server has given out.
const LEASES: &str = "0 52:54:00:00:00:01 172.22.0.10 node-0 *\n";
const PARTS: [&str; 2] = ["dhcp", "api"];

/// One side's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ironic {
    runs: [bool; 2],
    leases: String,
}

fn deployment(part: &str) -> ObjectKey {
    ObjectKey::new(GroupKind::new("apps", "Deployment"), Some("ironic"), part)
}

/// Where it is, as the records tell.
pub(crate) fn hand_over() -> HandOver {
    let place = IronicPlace::Cluster { namespace: None };
    HandOver { source: place.clone(), target: place, endpoint: None }
}

/// It runs in the source, and is prepared in the target.
pub(crate) fn both() -> BTreeMap<Side, Ironic> {
    let source = Ironic { runs: [true; 2], leases: LEASES.to_owned() };
    let target = Ironic { runs: [false; 2], leases: String::new() };
    BTreeMap::from([(Side::Source, source), (Side::Target, target)])
}

fn runs(clusters: &Clusters, side: Side) -> bool {
    clusters.ironic.get(&side).is_some_and(|ironic| ironic.runs.contains(&true))
}

/// Does a job, or half of it where the connection breaks.
pub(crate) fn perform(
    clusters: &mut Clusters,
    id: &str,
    (side, job): (Side, &IronicJob),
    fate: Fate,
) -> Outcome {
    let parts = if fate == Fate::Broken { 1 } else { 2 };
    let mut done = IronicDone::default();
    match job {
        IronicJob::Look => {
            let ironic = &clusters.ironic[&side];
            let there = PARTS.into_iter().zip(ironic.runs).filter(|(_, runs)| *runs);
            done.stack.deployments = there.map(|(part, _)| deployment(part)).collect();
            done.stack.leases = PackedLeases::pack(&ironic.leases);
        }
        IronicJob::Stop(stack) => {
            assert_eq!(side, Side::Source, "the target's Ironic is stopped");
            is_saved(clusters, id, stack);
            let ironic = clusters.ironic.get_mut(&side).unwrap();
            ironic.runs[..parts].fill(false);
            ironic.leases.clear();
        }
        IronicJob::Start { leases, .. } => {
            may_start(clusters, id, side);
            let ironic = clusters.ironic.get_mut(&side).unwrap();
            ironic.runs[..parts].fill(true);
            if let Some(leases) = leases {
                ironic.leases = leases.text().unwrap();
            }
        }
    }
    done.evidence.push(format!("{job:?}"));
    match fate {
        Fate::Broken | Fate::Lost => Outcome::Unknown("broken off".to_owned()),
        Fate::Done | Fate::Busy | Fate::Conflict | Fate::Denied => Outcome::Ironic(Box::new(done)),
    }
}

/// The seat keeps whoever was taken for dead away from machines.
pub(crate) fn kept_away() -> Outcome {
    Outcome::Refused {
        class: RefusalClass::Denied,
        message: "the seat is lost".to_owned(),
        retry_after: None,
    }
}

/// Before anything is stopped both records know what it was, with its leases.
fn is_saved(clusters: &Clusters, id: &str, stack: &Stack) {
    for side in [Side::Source, Side::Target] {
        let saved = clusters.record(side, id).and_then(|record| record.ironic);
        let saved =
            saved.unwrap_or_else(|| panic!("Ironic is stopped, and the {side}'s record does not know it"));
        assert_eq!(saved, *stack);
        assert_eq!(saved.leases.unwrap().text().as_deref(), Ok(LEASES), "leases are lost with the stop");
        assert_eq!(saved.deployments.len(), PARTS.len(), "what ran is forgotten");
    }
}

/// Never two, and only where the decision has fallen.
fn may_start(clusters: &Clusters, id: &str, side: Side) {
    let other = match side {
        Side::Source => Side::Target,
        Side::Target => Side::Source,
    };
    if clusters.dead.contains(&other) {
        return;
    }
    assert!(!runs(clusters, other), "a second Ironic is started, on the {side}");
    assert_eq!(side == Side::Target, clusters.is_committed(id), "Ironic is started on the {side}");
}

/// I1: one Ironic at most.
pub(crate) fn after_step(clusters: &Clusters) {
    let both = runs(clusters, Side::Source) && runs(clusters, Side::Target);
    assert!(!both || !clusters.dead.is_empty(), "both sides run Ironic");
}

/// It is up where the active side is, with its leases, and down elsewhere.
pub(crate) fn assert_up(clusters: &Clusters, up: Side) {
    if !clusters.dead.is_empty() {
        return;
    }
    for (side, ironic) in &clusters.ironic {
        let wanted = *side == up;
        assert_eq!(ironic.runs, [wanted; 2], "Ironic of the {side}");
        if wanted {
            assert_eq!(ironic.leases, LEASES, "leases of the {side}");
        }
    }
}
