//! The instants of a pivot: each write of it, found by letting one go undisturbed.

use std::{collections::BTreeMap, fmt};

use super::{ground::SYSTEM, role::Role};
use crate::{
    proxy::{Proxy, Stage},
    traffic::{Call, Entry, Target, Verb},
};

/// Where an object of a pivot lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    /// Among the records.
    System,
    /// In the namespace of what moves.
    Moved,
    /// In no namespace.
    Cluster,
}

/// One write of a pivot, named so that it is found again in another run, whatever happens in between.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Point {
    /// Where it is sent.
    pub role: Role,
    /// What it does.
    pub verb: Verb,
    /// To what: the kind, and the subresource behind it.
    pub kind: String,
    /// Where that is.
    pub place: Place,
    /// Its number among its like, from 1.
    pub nth: usize,
}

/// A [`Point`] and what is known of it from a run that was not disturbed.
#[derive(Debug, Clone)]
pub(super) struct Landmark {
    /// The point.
    pub point: Point,
    /// What the pivot is doing there.
    pub part: Part,
    /// True for the first and the last write of each part, and for every write of a record or of the fence.
    pub border: bool,
    /// True where only a cluster that never saw a pivot gets this write.
    pub first_only: bool,
}

/// What a pivot does with a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    /// Namespace and Leases of the coordinator.
    Seat,
    /// Records and ownership.
    Record,
    /// Policy and binding.
    Fence,
    /// Proof that the fence holds: a create that is only tried.
    Canary,
    /// Pauses.
    Quiesce,
    /// The source's promise not to act again by itself.
    Prepare,
    /// The one commit point.
    Commit,
    /// Chunks of the snapshot.
    Snapshot,
    /// Creates, statuses and seals.
    Stage,
    /// Pauses taken back in the target.
    Activate,
    /// Finalizers and deletes in the source.
    Retire,
}

impl Part {
    /// All, about in the order in which they come.
    pub(super) const ALL: [Self; 11] = [
        Self::Seat,
        Self::Record,
        Self::Fence,
        Self::Canary,
        Self::Quiesce,
        Self::Snapshot,
        Self::Stage,
        Self::Prepare,
        Self::Commit,
        Self::Activate,
        Self::Retire,
    ];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seat => "seat",
            Self::Record => "record",
            Self::Fence => "fence",
            Self::Canary => "canary",
            Self::Quiesce => "quiesce",
            Self::Snapshot => "snapshot",
            Self::Prepare => "prepare",
            Self::Commit => "commit",
            Self::Stage => "stage",
            Self::Activate => "activate",
            Self::Retire => "retire",
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, verb, kind, place, nth } = self;
        let place = if *place == Place::System { " of a record" } else { "" };
        write!(f, "{role} {verb} {kind}{place} #{nth}")
    }
}

impl Point {
    /// The requests among which it is counted.
    pub(super) fn target(&self, namespace: &str) -> Target {
        let target = Target::new(self.verb, &self.kind);
        match self.place {
            Place::System => target.namespace(SYSTEM),
            Place::Moved => target.namespace(namespace),
            Place::Cluster => target.namespace(""),
        }
    }

    /// Stops a run there.
    pub(super) fn halt(&self, proxy: &Proxy, stage: Stage, namespace: &str) -> crate::proxy::Gate {
        proxy.halt(stage, self.target(namespace), self.nth)
    }
}

/// The writes of a run that was not disturbed, in the order in which they came on each side.
pub(super) fn landmarks(role: Role, history: &[Entry]) -> Vec<Landmark> {
    let mut counts: BTreeMap<(Verb, String, Place), usize> = BTreeMap::new();
    let mut committed = false;
    let mut landmarks: Vec<Landmark> = Vec::new();
    for call in
        history.iter().map(|entry| &*entry.call).filter(|call| call.verb.is_write() && !only_asks(call))
    {
        let place = match call.namespace.as_str() {
            SYSTEM => Place::System,
            "" => Place::Cluster,
            _ => Place::Moved,
        };
        let kind = match call.subresource.as_str() {
            "" => call.kind.clone(),
            subresource => format!("{}/{subresource}", call.kind),
        };
        let nth = counts.entry((call.verb, kind.clone(), place)).or_default();
        *nth += 1;
        committed |= says(call, "committed");
        let point = Point { role, verb: call.verb, kind, place, nth: *nth };
        landmarks.push(Landmark {
            part: part(&point, committed, call),
            point,
            border: false,
            first_only: false,
        });
    }
    mark_borders(&mut landmarks);
    landmarks
}

fn part(point: &Point, committed: bool, call: &Call) -> Part {
    match (point.place, point.kind.as_str(), point.role) {
        _ if !call.query("dryRun").is_empty() => Part::Canary,
        _ if call.group == "admissionregistration.k8s.io" => Part::Fence,
        (Place::System, "Secret", _) => Part::Snapshot,
        (Place::System, "ConfigMap", _) if says(call, "prepared") => Part::Prepare,
        (Place::System, "ConfigMap", _) if says(call, "committed") => Part::Commit,
        (Place::System, "ConfigMap", _) => Part::Record,
        (Place::System, ..) => Part::Seat,
        _ if call.namespace == SYSTEM => Part::Seat,
        (_, _, Role::Target) => {
            if committed {
                Part::Activate
            } else {
                Part::Stage
            }
        }
        (_, _, Role::Source) if retires(call) => Part::Retire,
        (_, _, Role::Source) => Part::Quiesce,
    }
}

/// True for a question in the form of a create.
fn only_asks(call: &Call) -> bool {
    call.group.ends_with(".k8s.io") && call.kind.ends_with("Review")
}

fn retires(call: &Call) -> bool {
    let body = call.body.as_ref();
    call.verb == Verb::Delete || body.is_some_and(|body| body["metadata"].get("finalizers").is_some())
}

/// True for a record that says how far the pivot is.
fn says(call: &Call, state: &str) -> bool {
    let text = call.body.as_ref().and_then(|body| body["data"]["record.json"].as_str());
    text.is_some_and(|text| text.contains(&format!(r#""state": "{state}""#)))
}

fn mark_borders(landmarks: &mut [Landmark]) {
    // Canaries are tried all the time: they part nothing.
    let steps: Vec<usize> = (0..landmarks.len()).filter(|at| landmarks[*at].part != Part::Canary).collect();
    let parts: Vec<Part> = steps.iter().map(|at| landmarks[*at].part).collect();
    for (place, at) in steps.iter().enumerate() {
        let part = parts[place];
        let differs = |other: Option<&Part>| other != Some(&part);
        let ends = differs(place.checked_sub(1).and_then(|before| parts.get(before)))
            || differs(parts.get(place + 1));
        landmarks[*at].border =
            ends || matches!(part, Part::Record | Part::Fence | Part::Prepare | Part::Commit);
    }
    if let Some(canary) = landmarks.iter_mut().find(|landmark| landmark.part == Part::Canary) {
        canary.border = true;
    }
}

/// The landmarks of a first pivot and of a later one together.
pub(super) fn united(first: Vec<Landmark>, later: &[Landmark]) -> Vec<Landmark> {
    let has = |all: &[Landmark], point: &Point| all.iter().any(|landmark| landmark.point == *point);
    let more: Vec<_> = later.iter().filter(|landmark| !has(&first, &landmark.point)).cloned().collect();
    let first = first.into_iter().map(|landmark| {
        let first_only = !has(later, &landmark.point);
        Landmark { first_only, ..landmark }
    });
    first.chain(more).collect()
}
