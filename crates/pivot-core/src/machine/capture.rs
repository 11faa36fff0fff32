//! The managers. While the fences stand, those that elect a leader lose their Lease to us, and those that do not are stopped; once the
//! target acts, its own are started and the source's stay down. A pivot that is undone gives everything back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::Machine;
use super::effect::{Act, Op, Outcome, RefusalClass, Write};
use super::notice::{Notice, Side};
use super::quiesce::guarded;
use super::retry::Tries;
use super::step::Step;
use crate::fence::{self, Controller};
use crate::object::{Manifest, ObjectKey, Uid};
use crate::pods::pods_of;
use crate::record::{Captured, Ending, Part};
use crate::rewrite::OWN_MANAGER;

/// Wait between two looks at a manager.
const POLL: Duration = Duration::from_millis(500);

/// How a Lease or Deployment is to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// As the fence wants it.
    Held,
    /// As an end of the pivot wants it.
    Ended(Ending),
}

/// What the last look at a Lease or Deployment told.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight {
    resource_version: String,
    /// Instance of a Deployment: its pods are told by it.
    uid: Option<Uid>,
    /// Wait after which a former leader can no longer act.
    patience: Duration,
    /// Pods that were there.
    pods: BTreeSet<Uid>,
    /// How long it was waited for.
    waited: Duration,
}

/// What the fences of both sides have to do with.
#[derive(Debug, Default)]
pub(super) struct Captures {
    sides: BTreeMap<Side, Vec<Captured>>,
    sights: BTreeMap<(Side, usize), Sight>,
}

impl Captures {
    /// What an earlier run wrote down.
    pub(super) fn remember(&mut self, side: Side, captured: Vec<Captured>) {
        self.sides.insert(side, captured);
    }

    pub(super) fn of(&self, side: Side) -> &[Captured] {
        self.sides.get(&side).map_or(&[], Vec::as_slice)
    }

    fn get(&self, side: Side, index: usize) -> &Captured {
        &self.sides[&side][index]
    }

    fn sight(&mut self, side: Side, index: usize) -> &mut Sight {
        self.sights.entry((side, index)).or_default()
    }

    pub(super) fn key(&self, side: Side, index: usize) -> &ObjectKey {
        &self.get(side, index).key
    }

    fn select(&self, side: Side, which: impl Fn(&Captured) -> bool) -> Vec<usize> {
        self.of(side)
            .iter()
            .enumerate()
            .filter_map(|(index, captured)| which(captured).then_some(index))
            .collect()
    }

    /// Leases that are ours while the fence stands.
    pub(super) fn leases(&self, side: Side) -> Vec<ObjectKey> {
        self.of(side).iter().filter(|one| one.is_lease()).map(|one| one.key.clone()).collect()
    }

    /// Deployments that stand still while the fence does.
    pub(super) fn stopped(&self, side: Side) -> Vec<ObjectKey> {
        let stopped = self.of(side).iter().filter(|one| one.part == Part::Stopped);
        stopped.map(|one| one.key.clone()).collect()
    }

    /// Pods of them that were seen to leave.
    pub(super) fn pods(&self, side: Side) -> BTreeSet<Uid> {
        let sights = self.sights.iter().filter(|((at, _), _)| *at == side);
        sights.flat_map(|(_, sight)| sight.pods.iter().cloned()).collect()
    }
}

/// What a pivot does to one manager.
fn parts_of(side: Side, manager: &Controller) -> Vec<Captured> {
    let rank = manager.rank();
    let mut parts: Vec<_> = manager
        .leases
        .iter()
        .map(|lease| Captured {
            key: lease.key.clone(),
            original: fence::original(lease),
            part: Part::Lent,
            rank,
        })
        .collect();
    let part = match (side, manager.asleep) {
        (Side::Source, _) if manager.replicas == 0 => None,
        (Side::Source, _) if manager.elects() => {
            let leases = manager.leases.iter().map(|lease| lease.key.name.clone()).collect();
            Some(Part::Dismissed { leases })
        }
        (Side::Source, _) => Some(Part::Stopped),
        (Side::Target, Some(replicas)) if manager.elects() => Some(Part::Woken { replicas }),
        (Side::Target, Some(replicas)) => Some(Part::Started { replicas }),
        // It goes on serving webhooks; the policy refuses whatever else it does.
        (Side::Target, None) => None,
    };
    let original = json!({"replicas": manager.replicas});
    parts.extend(part.map(|part| Captured { key: manager.deployment.clone(), original, part, rank }));
    parts
}

impl Machine {
    /// What the fences have to do with, as it is now; from the records where an earlier run wrote it down.
    pub(super) fn note_captures(&mut self) {
        for side in [Side::Source, Side::Target] {
            if self.captures.sides.contains_key(&side) || !self.is_fenced_fully() {
                continue;
            }
            let managers = self.options.controllers.get(&side).into_iter().flatten();
            let captured = managers.flat_map(|manager| parts_of(side, manager)).collect();
            self.captures.remember(side, captured);
        }
    }

    /// The waves that take the managers of one side, wait until none of them can act, and start those that have to serve.
    pub(super) fn hold(&mut self, side: Side) -> Vec<Vec<Step>> {
        let taken = self.captures.select(side, |one| matches!(one.part, Part::Lent | Part::Stopped));
        let woken = self.captures.select(side, |one| matches!(one.part, Part::Woken { .. }));
        let hold = |&index: &usize| Step::Hold(side, index);
        let idle = |&index: &usize| Step::Idle(side, index, Stand::Held);
        vec![
            taken.iter().map(hold).collect(),
            taken.iter().map(idle).collect(),
            woken.iter().map(hold).collect(),
            woken.iter().map(idle).collect(),
        ]
    }

    /// The waves that bring them to an end. No Lease is given back while a pod is left that must not lead.
    pub(super) fn free(&mut self, side: Side, ending: Ending) -> Vec<Vec<Step>> {
        let free = |&index: &usize| Step::Free(side, index, ending);
        if (side, ending) == (Side::Target, Ending::Done) {
            let ranks: BTreeSet<u8> = self.captures.of(side).iter().map(|one| one.rank).collect();
            let wave = |rank| self.captures.select(side, |one| one.rank == rank).iter().map(free).collect();
            return ranks.into_iter().map(wave).collect();
        }
        let is_down = |one: &Captured| {
            !one.is_lease() && one.ended(ending).is_some_and(|end| end["spec"]["replicas"] == 0)
        };
        let down = self.captures.select(side, is_down);
        let others = self.captures.select(side, |one| !is_down(one));
        vec![
            down.iter().map(free).collect(),
            down.iter().map(|&index| Step::Idle(side, index, Stand::Ended(ending))).collect(),
            others.iter().map(free).collect(),
        ]
    }

    /// The patch that lets it stand so; `None` where it is left alone.
    fn stand(&self, side: Side, index: usize, stand: Stand) -> Option<Value> {
        let captured = self.captures.get(side, index);
        match stand {
            Stand::Held => captured.held(&self.options.pivot_id),
            Stand::Ended(ending) => captured.ended(ending),
        }
    }

    pub(super) fn manager_write(&self, side: Side, index: usize, stand: Stand) -> Write {
        let key = self.captures.key(side, index).clone();
        let sight = self.captures.sights.get(&(side, index));
        // Without a revision the write would meet whatever is there: an impossible one makes the server tell it first.
        let revision = sight.map(|sight| sight.resource_version.as_str()).filter(|known| !known.is_empty());
        let patch = self.stand(side, index, stand).unwrap_or_else(|| json!({}));
        let patch = guarded(patch, revision.unwrap_or("1"));
        Write { side, key, op: Op::Merge { patch, manager: OWN_MANAGER.to_owned() } }
    }

    /// True where the object says what a patch wants it to say.
    fn says(found: &Manifest, patch: &Value) -> bool {
        let spec = patch["spec"].as_object().into_iter().flatten().all(|(name, value)| {
            let now = found.pointer(&format!("/spec/{name}")).unwrap_or(&Value::Null);
            now == value || (value == "" && now.is_null())
        });
        let annotations = patch["metadata"]["annotations"].as_object();
        spec && annotations
            .into_iter()
            .flatten()
            .all(|(name, value)| found.annotation(name) == value.as_str())
    }

    pub(super) fn settle_hold(&mut self, side: Side, index: usize, tries: Tries, outcome: Outcome) {
        match outcome {
            // A manager that is not there acts on nothing.
            Outcome::Written(_) | Outcome::Refused { class: RefusalClass::NotFound, .. } => self.scripted(),
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Hold(side, index), tries, &message);
            }
            other => self.refused(&format!("taking {}", self.captures.key(side, index)), other),
        }
    }

    pub(super) fn read_back_hold(
        &mut self,
        side: Side,
        index: usize,
        tries: Tries,
        found: Option<&Manifest>,
    ) {
        let wanted = self.stand(side, index, Stand::Held);
        match found.zip(wanted) {
            Some((found, wanted)) if !Self::says(found, &wanted) => {
                let holder =
                    found.pointer("/spec/holderIdentity").and_then(Value::as_str).unwrap_or_default();
                let seconds =
                    found.pointer("/spec/leaseDurationSeconds").and_then(Value::as_u64).unwrap_or(0);
                let sight = self.captures.sight(side, index);
                sight.patience =
                    if holder.is_empty() { Duration::ZERO } else { Duration::from_secs(seconds) };
                found.resource_version().clone_into(&mut sight.resource_version);
                self.again(Step::Hold(side, index), tries);
            }
            _ => self.scripted(),
        }
    }

    pub(super) fn look_at_manager(&self, side: Side, index: usize) -> Act {
        Act::Read { side, key: self.captures.key(side, index).clone() }
    }

    /// A leader that cannot renew leaves within the duration of its own Lease; a Deployment says how many pods it has.
    pub(super) fn settle_idle(&mut self, side: Side, index: usize, stand: Stand, outcome: Outcome) {
        let found = match outcome {
            Outcome::Read(found) => found,
            other => return self.refused("looking at a manager", other),
        };
        let wanted = self.stand(side, index, stand);
        let Some((found, wanted)) = found.zip(wanted) else { return self.scripted() };
        let key = found.key();
        if !Self::says(&found, &wanted) {
            // At the end that was told before (`settle_free`), and what its pods do is somebody else's affair.
            return match stand {
                Stand::Ended(_) => self.scripted(),
                Stand::Held => self
                    .fail(format!("{key} on the {side} was taken back by somebody else; stop what does so")),
            };
        }
        let is_lease = self.captures.get(side, index).is_lease();
        let sight = self.captures.sight(side, index);
        let count = |pointer| found.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
        let (rests, what) = if is_lease {
            (
                sight.patience.is_zero(),
                format!("the former holder of {key} to leave ({} s)", sight.patience.as_secs()),
            )
        } else {
            sight.uid = Some(found.uid());
            let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
            let is_seen = count("/status/observedGeneration") >= found.generation();
            if replicas == 0 {
                (is_seen && count("/status/replicas") == 0, format!("{key} to stop"))
            } else {
                (is_seen && count("/status/availableReplicas") >= 1, format!("{key} to start"))
            }
        };
        match (rests, wanted["spec"]["replicas"] == 0) {
            (true, true) => self.push(Step::Left(side, index, stand)),
            (true, false) => self.rests(side, index),
            (false, _) => {
                let wait = if sight.patience.is_zero() { POLL } else { std::mem::take(&mut sight.patience) };
                self.wait_for(side, index, stand, what, wait);
            }
        }
    }

    pub(super) fn look_at_pods(&self, side: Side, index: usize) -> Act {
        let namespace = self.captures.key(side, index).namespace.clone().unwrap_or_default();
        Act::Pods { side, namespace }
    }

    /// A pod that is on its way out no longer counts for its Deployment, and its processes still run.
    pub(super) fn settle_left(&mut self, side: Side, index: usize, stand: Stand, outcome: Outcome) {
        let seen = match outcome {
            Outcome::Glance(seen) => seen,
            other => return self.refused("listing the pods of a manager", other),
        };
        let key = self.captures.key(side, index).clone();
        let sight = self.captures.sight(side, index);
        let Some(deployment) = &sight.uid else { return self.scripted() };
        let pods: BTreeSet<Uid> = pods_of(deployment, &seen).map(|pod| pod.uid.clone()).collect();
        let left = pods.len();
        sight.pods.extend(pods);
        if left == 0 {
            return self.rests(side, index);
        }
        // With another look at the Deployment: somebody else may want it to run by now.
        self.wait_for(side, index, stand, format!("{left} pods of {key} to end"), POLL);
    }

    /// The same look again, within the limit.
    fn wait_for(&mut self, side: Side, index: usize, stand: Stand, what: String, wait: Duration) {
        let limit = self.options.wait;
        let sight = self.captures.sight(side, index);
        if sight.waited >= limit {
            let limit = limit.as_secs();
            return self.fail(format!("waited {limit} s on the {side} for {what}"));
        }
        let told = !sight.waited.is_zero();
        sight.waited += wait;
        if !told {
            let objects = vec![self.captures.key(side, index).clone()];
            self.notices.push(Notice::Waiting { what, objects });
        }
        self.push(Step::Idle(side, index, stand).delayed(wait));
    }

    /// It stands as it should: the next wait begins anew.
    fn rests(&mut self, side: Side, index: usize) {
        self.captures.sight(side, index).waited = Duration::ZERO;
        self.scripted();
    }

    pub(super) fn settle_free(
        &mut self,
        side: Side,
        index: usize,
        ending: Ending,
        tries: Tries,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Written(_) | Outcome::Refused { class: RefusalClass::NotFound, .. } => self.scripted(),
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Free(side, index, ending), tries, &message);
            }
            other => self.refused(&format!("giving back {}", self.captures.key(side, index)), other),
        }
    }

    /// What somebody else set meanwhile is left as it is (R5).
    pub(super) fn read_back_free(
        &mut self,
        side: Side,
        index: usize,
        ending: Ending,
        tries: Tries,
        found: Option<&Manifest>,
    ) {
        let captured = self.captures.get(side, index);
        let Some((found, wanted)) = found.zip(captured.ended(ending)) else { return self.scripted() };
        let expected = captured.expected(&self.options.pivot_id);
        if Self::says(found, &expected) {
            let sight = self.captures.sight(side, index);
            found.resource_version().clone_into(&mut sight.resource_version);
            return self.again(Step::Free(side, index, ending), tries);
        }
        if !captured.is_lease() && !Self::says(found, &wanted) {
            let message = format!("was scaled by somebody else on the {side}; left as it is");
            self.notices.push(Notice::Warning { object: Some(found.key()), message });
        }
        self.scripted();
    }
}
