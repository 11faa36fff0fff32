//! A coordinator: one machine, the effects that it has under way, and who it is to the servers.

use std::collections::{BTreeSet, VecDeque};

use pivot_core::fence::{binding_key, canary_key};
use pivot_core::machine::{
    Act, Effect, Machine, Notice, Onlooker, Op, Outcome, Phase, RefusalClass, Seen, Side, Write,
};
use pivot_core::object::{ObjectKey, Uid};
use pivot_core::record::{FenceMode, NAMESPACE};
use pivot_core::select::Action;

use crate::admission::Author;
use crate::chance::Fate;
use crate::clusters::Clusters;
use crate::ironic;
use crate::laws;
use crate::server::includes;

/// A coordinator.
pub(crate) struct Hand {
    pub(crate) machine: Machine,
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) fence: FenceMode,
    room: usize,
    pub(crate) in_flight: Vec<Effect>,
    pub(crate) sightings: VecDeque<Seen>,
    /// Revision of the latest list of the source, and up to which the watch has seen.
    listed: u64,
    watched: Option<u64>,
    /// Objects of which it does not know whether its last write was applied.
    unknown: BTreeSet<(Side, ObjectKey)>,
    pub(crate) phase: Phase,
    pub(crate) rolling_back: bool,
    /// Somebody else has taken over: what it still asks for must come to nothing.
    pub(crate) is_zombie: bool,
    /// Requests of it that a fence refused, and records that it lost.
    pub(crate) repelled: usize,
}

impl Hand {
    pub(crate) fn new(
        machine: Machine,
        (id, token): (&str, String),
        fence: FenceMode,
        room: usize,
        clusters: &mut Clusters,
    ) -> Self {
        let phase = Phase::Plan;
        let mut hand = Self {
            machine,
            id: id.to_owned(),
            token,
            fence,
            room,
            in_flight: Vec::new(),
            sightings: VecDeque::new(),
            listed: 0,
            watched: None,
            unknown: BTreeSet::new(),
            phase,
            rolling_back: false,
            is_zombie: false,
            repelled: 0,
        };
        hand.listen(clusters);
        hand
    }

    fn author(&self) -> Author {
        match self.fence {
            FenceMode::Full => Author::Pivot { id: self.id.clone(), token: self.token.clone() },
            FenceMode::Pause => Author::Anybody,
        }
    }

    /// Starts what there is to start; false once it has ended.
    pub(crate) fn begin(&mut self) -> bool {
        if self.machine.end().is_some() {
            return false;
        }
        self.in_flight.extend(self.machine.next(self.room - self.in_flight.len()));
        assert!(!self.in_flight.is_empty(), "nothing to do, and no end");
        true
    }

    /// One of the effects under way ends.
    pub(crate) fn finish(&mut self, clusters: &mut Clusters, pick: usize, fate: Fate) {
        let effect = self.in_flight.swap_remove(pick % self.in_flight.len());
        let outcome = self.outcome(clusters, &effect.act, fate);
        self.machine.apply(effect.id, outcome);
        self.after(clusters);
    }

    /// What a step of anybody leads to.
    pub(crate) fn after(&mut self, clusters: &mut Clusters) {
        clusters.collect();
        self.watch(clusters);
        self.listen(clusters);
        laws::after_step(clusters);
    }

    /// An effect under way reaches its server, and its outcome reaches nobody.
    pub(crate) fn apply_unseen(&mut self, clusters: &mut Clusters, pick: usize) {
        let effect = self.in_flight.swap_remove(pick % self.in_flight.len());
        self.outcome(clusters, &effect.act, Fate::Lost);
        clusters.collect();
    }

    pub(crate) fn sight(&mut self) {
        if let Some(seen) = self.sightings.pop_front() {
            self.machine.changed(&seen);
        }
    }

    fn outcome(&mut self, clusters: &mut Clusters, act: &Act, fate: Fate) -> Outcome {
        if let Some(side) = side_of(act)
            && clusters.silent.contains(&side)
        {
            return Outcome::Unknown("no answer".to_owned());
        }
        if let Act::Write(Write { side, key, .. }) = act {
            // A record is guarded by what is known of it; whoever lost sight of it loses the write.
            let known = is_record(key) || !self.unknown.contains(&(*side, key.clone()));
            assert!(known, "{key} is written again on the {side} without a look");
            if matches!(fate, Fate::Lost | Fate::Broken) {
                self.unknown.insert((*side, key.clone()));
            }
        }
        let refused = |class| Outcome::Refused {
            class,
            message: "as chance would have it".to_owned(),
            retry_after: None,
        };
        if let Act::Ironic { side, job } = act
            && !matches!(fate, Fate::Busy | Fate::Denied)
        {
            if self.is_zombie {
                return ironic::kept_away();
            }
            return ironic::perform(clusters, &self.id, (*side, job), fate);
        }
        match fate {
            Fate::Busy => return refused(RefusalClass::Busy),
            Fate::Broken => return Outcome::Unknown("broken".to_owned()),
            Fate::Denied if !matches!(act, Act::Unwatch) => return refused(RefusalClass::Denied),
            Fate::Conflict if matches!(act, Act::Write(Write { op: Op::Create { .. }, .. })) => {}
            Fate::Conflict if matches!(act, Act::Write(_)) => return refused(RefusalClass::Conflict),
            Fate::Done | Fate::Lost | Fate::Denied | Fate::Conflict => {}
        }
        let outcome = self.perform(clusters, act);
        if fate == Fate::Lost { Outcome::Unknown("lost".to_owned()) } else { outcome }
    }

    fn perform(&mut self, clusters: &mut Clusters, act: &Act) -> Outcome {
        match act {
            Act::Write(write) => self.write(clusters, write),
            Act::Read { side, key } => {
                self.unknown.remove(&(*side, key.clone()));
                clusters.server_mut(*side).tick();
                Outcome::Read(clusters.server(*side).read(key).map(Box::new))
            }
            Act::Inventory { .. } => {
                self.unknown.retain(|(side, _)| *side == Side::Target);
                self.listed = clusters.source.revision;
                Outcome::Inventory(Box::new(clusters.source.inventory(None)))
            }
            Act::ListTarget(extent) => {
                self.unknown.retain(|(side, key)| *side == Side::Source || !includes(extent, key));
                Outcome::Inventory(Box::new(clusters.target.inventory(Some(extent))))
            }
            Act::Glance { side, extent } => {
                Outcome::Glance(clusters.server(*side).glance(|key| includes(extent, key)))
            }
            Act::Occupants(namespace) => {
                if namespace == NAMESPACE {
                    clusters.lowered.insert(Side::Target);
                }
                let inside = |key: &ObjectKey| key.namespace.as_deref() == Some(namespace.as_str());
                Outcome::Glance(clusters.target.glance(inside))
            }
            Act::Pods { side, namespace } => {
                let server = clusters.server_mut(*side);
                server.tick();
                Outcome::Glance(server.pods(namespace))
            }
            Act::Ironic { .. } => unreachable!("its fate was seen to before"),
            Act::Watch => {
                self.watched = Some(self.listed);
                Outcome::Watching
            }
            Act::Unwatch => {
                self.watched = None;
                Outcome::Watching
            }
            Act::Canary { side, onlooker } => {
                let author = match onlooker {
                    Onlooker::Anybody => Author::Anybody,
                    Onlooker::Ourselves => self.author(),
                    Onlooker::Former(token) => Author::Pivot { id: self.id.clone(), token: token.clone() },
                };
                let server = clusters.server_mut(*side);
                server.tick();
                Outcome::Canary { denied: server.refuses(&author, &canary_key(&self.id), false) }
            }
        }
    }

    fn write(&mut self, clusters: &mut Clusters, write: &Write) -> Outcome {
        if self.is_zombie {
            return self.write_as_zombie(clusters, write);
        }
        laws::before_write(self, clusters, write);
        let outcome = clusters.server_mut(write.side).write(&self.author(), write);
        if write.key == binding_key(&self.id) && matches!(outcome, Outcome::Removed) {
            clusters.lowered.insert(write.side);
        }
        laws::after_write(self, clusters, write);
        outcome
    }

    /// Nothing forbids a zombie to ask. What it gets is what the laws are about.
    fn write_as_zombie(&mut self, clusters: &mut Clusters, write: &Write) -> Outcome {
        let driven_by =
            |clusters: &Clusters| clusters.record(write.side, &self.id).map(|record| record.token);
        let before = driven_by(clusters);
        // Once the fence has gone, only the limits of the seat keep away what was on its way when it fell asleep.
        let is_late = clusters.lowered.contains(&write.side)
            && before.as_ref().is_none_or(|token| *token != self.token);
        let outcome = clusters.server_mut(write.side).write(&self.author(), write);
        if is_late && matches!(outcome, Outcome::Written(_)) {
            clusters.ghosts.insert((write.side, write.key.clone()));
        }
        let after = driven_by(clusters);
        let number =
            |token: &str| token.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0u32);
        let won = before != after && before.is_some_and(|token| number(&token) > number(&self.token));
        assert!(!won, "a coordinator wrote the record of whoever took over from it");
        laws::after_write(self, clusters, write);
        let lost =
            matches!(&outcome, Outcome::Refused { class: RefusalClass::Conflict | RefusalClass::Denied, .. });
        self.repelled += usize::from(lost);
        outcome
    }

    fn watch(&mut self, clusters: &Clusters) {
        let source = &clusters.source;
        let Some(seen) = self.watched.replace(source.revision) else {
            self.watched = None;
            return;
        };
        let new = source.changes.iter().rev().take_while(|(revision, _)| *revision > seen);
        let new: Vec<_> = new.filter(|(_, key)| key.namespace.as_deref() != Some(NAMESPACE)).collect();
        self.sightings.extend(new.into_iter().rev().map(|(revision, key)| {
            let found = source.objects.contains_key(key).then(|| source.glance(|other| other == key).pop());
            let (uid, owners) = found
                .flatten()
                .map_or_else(|| (Uid(String::new()), Vec::new()), |seen| (seen.uid, seen.owners));
            Seen { key: key.clone(), uid, resource_version: revision.to_string(), owners, terminating: false }
        }));
    }

    pub(crate) fn listen(&mut self, clusters: &mut Clusters) {
        for notice in self.machine.notices() {
            match notice {
                Notice::PhaseStarted { phase } => {
                    let back =
                        matches!(phase, Phase::Quiesce | Phase::Snapshot) && self.phase <= Phase::Verify;
                    assert!(phase > self.phase || back, "{phase} after {}", self.phase);
                    assert!(!self.rolling_back, "{phase} while it is rolled back");
                    self.phase = phase;
                    let blueprint = self.machine.blueprint();
                    let moving = blueprint.with(Action::Move).map(|(_, object)| object.key.clone());
                    clusters.history.entry(self.id.clone()).or_default().movable.extend(moving);
                }
                Notice::RollingBack { .. } => {
                    let by_us = clusters.history(&self.id).decided_by.as_ref() == Some(&self.token);
                    assert!(!by_us, "rolled back after the decision");
                    assert!(self.in_flight.is_empty(), "rolled back while effects are in flight");
                    self.rolling_back = true;
                }
                Notice::Warning { message, .. } => assert!(!message.contains("BUG"), "{message}"),
                _ => {}
            }
        }
    }
}

/// True for the documents of a pivot, and what its fence holds.
pub(crate) fn is_record(key: &ObjectKey) -> bool {
    key.namespace.as_deref() == Some(NAMESPACE)
        || matches!(key.kind.group.as_str(), "admissionregistration.k8s.io" | "coordination.k8s.io" | "apps")
}

fn side_of(act: &Act) -> Option<Side> {
    match act {
        Act::Write(Write { side, .. })
        | Act::Read { side, .. }
        | Act::Glance { side, .. }
        | Act::Pods { side, .. }
        | Act::Ironic { side, .. }
        | Act::Canary { side, .. } => Some(*side),
        Act::Inventory { .. } | Act::Watch => Some(Side::Source),
        Act::ListTarget(_) | Act::Occupants(_) => Some(Side::Target),
        Act::Unwatch => None,
    }
}
