//! A pivot that somebody left is taken up again, by what the records say.

use super::effect::{Outcome, Revision};
use super::ledger::Doc;
use super::lock::{Past, PastSide};
use super::notice::{Notice, Side};
use super::proof::Committed;
use super::script::Then;
use super::stage::namespace_key;
use super::{Machine, Options, Phase};
use crate::fence;
use crate::marks;
use crate::pause::PauseField;
use crate::plan::Blueprint;
use crate::record::{Attested, Course, FenceMode, State};

impl Machine {
    /// Goes on with a pivot along the course that its records allow. A decided one, and one whose source is gone, needs a blueprint of
    /// the snapshot that the target keeps.
    pub fn resume(
        blueprint: Blueprint,
        options: Options,
        past: &Past,
        course: Course,
        attested: Attested,
    ) -> Self {
        let mut machine = Self::idle(blueprint, options, past);
        machine.gone.source_attested = attested.source_dead;
        machine.gone.target_attested = attested.target_dead;
        match course {
            Course::Ended { .. } | Course::Forward => machine.advance("resumed".to_owned()),
            Course::ForwardFromSnapshot => {
                machine.gone.source = true;
                machine.advance("resumed from the snapshot".to_owned());
            }
            Course::Decided { source } => {
                machine.gone.source = !source;
                machine.phase = Phase::Commit;
                machine.rejoin(past);
            }
            Course::Close => {
                machine.phase = Phase::Retire;
                let mark = past.target.record.as_ref().and_then(|(record, _)| record.snapshot.as_ref());
                machine.moved_before = mark.map_or(0, |mark| mark.objects);
                machine.close();
            }
            Course::Back { target } => {
                machine.gone.target = !target;
                machine.fences.keep_scope();
                let records = [&past.source.record, &past.target.record].into_iter().flatten();
                let (phase, cause) = records
                    .map(|(record, _)| (record.phase, record.cause.clone()))
                    .max_by_key(|(phase, _)| *phase)
                    .unwrap_or((Phase::Lock, None));
                machine.phase = phase.min(Phase::Commit);
                let cause = cause.unwrap_or_else(|| "rollback was asked for".to_owned());
                machine.begin_rollback_of_another(phase, cause);
            }
        }
        machine
    }

    /// Takes in what an earlier run wrote down.
    pub(super) fn remember(&mut self, past: &Past) {
        for (side, found) in [(Side::Source, &past.source), (Side::Target, &past.target)] {
            self.remember_side(side, found);
        }
        if let Some((record, _)) = &past.source.record {
            self.remember_pauses(&record.pauses);
        } else {
            self.remember_pauses(&past.pauses);
        }
        if let Some((record, _)) = &past.target.record {
            self.reach = record.reach.clone().unwrap_or_default();
            self.stage.asked_namespaces.extend(record.asked.iter().map(|name| namespace_key(name)));
            self.fences.remember(Side::Source, record.source_fence.clone());
        }
        self.remember_ironic(past);
    }

    fn remember_side(&mut self, side: Side, found: &PastSide) {
        if let Some((ownership, object)) = &found.ownership {
            self.ledger.found(side, Doc::Ownership, object);
            if ownership.pivot == self.options.pivot_id {
                self.ledger.claim(side, Doc::Ownership);
            }
        }
        for (doc, object) in [(Doc::Policy, &found.policy), (Doc::Binding, &found.binding)] {
            if let Some(object) = object {
                self.ledger.found(side, doc, object);
            }
        }
        for (number, object) in found.chunks.iter().enumerate() {
            self.ledger.found(side, Doc::Chunk(number), object);
        }
        let Some((record, object)) = &found.record else { return };
        self.ledger.found(side, Doc::Record, object);
        if !record.captured.is_empty() {
            self.captures.remember(side, record.captured.clone());
        }
        let asked = found.policy.as_ref().and_then(fence::token_of);
        for token in asked.into_iter().chain([record.token.as_str()]) {
            if record.fenced && token != self.options.token {
                self.fences.succeed(side, token);
            }
        }
        let left = [&found.policy, &found.binding].map(|object| object.as_ref().map(|o| o.value().clone()));
        self.fences.leave(side, left);
    }

    /// After the commit: records and fences become ours, then the target is looked at.
    fn rejoin(&mut self, past: &Past) {
        self.committed = past.target.record.as_ref().and_then(|(record, _)| Committed::of(record));
        self.fences.keep_scope();
        // One that kept the source's objects had finished: from here on it is open again.
        let mut waves = vec![self.enter(Side::Target, State::Committed)];
        if self.is_recorded(Side::Source) {
            waves.push(self.enter(Side::Source, State::Prepared));
        }
        for side in [Side::Target, Side::Source] {
            // Without its binding, which is the first to go, it is on its way out.
            if self.ledger.has(side, Doc::Binding) {
                waves.extend(self.raise_again(side));
            }
        }
        self.play(waves, Then::Rejoined);
    }

    /// What stands in the target: instances, and whether they were opened.
    pub(super) fn settle_rejoin(&mut self, outcome: Outcome) {
        let found = match outcome {
            Outcome::Inventory(inventory) => inventory,
            other => return self.refused("listing the target", other),
        };
        self.build_items();
        // The fence is the last that ACTIVATE removes: without it the target has been acting since.
        let open =
            self.options.terms.fence == FenceMode::Full && !self.ledger.has(Side::Target, Doc::Binding);
        let id = self.options.pivot_id.clone();
        for index in 0..self.stage.items.len() {
            let key = self.stage.items[index].key.clone();
            let Some(existing) = found.get(&key) else {
                // With the pause alone nobody was ever kept from the target.
                if open || self.options.terms.fence == FenceMode::Pause {
                    let message =
                        "is no longer in the target, which has been acting since the commit".to_owned();
                    self.notices.push(Notice::Warning { object: Some(key), message });
                    self.stage.items[index].opened = true;
                    continue;
                }
                return self.fail(format!("{key} vanished from the target after the commit"));
            };
            let source_uid = self.blueprint.object(self.stage.items[index].id).uid.clone();
            self.stage.owners.insert(source_uid, existing.uid.clone());
            let item = &mut self.stage.items[index];
            item.target = Some(Revision::of(&existing.manifest));
            item.foreign = !marks::is_ours(&existing.manifest, &id);
            item.ready = true;
            item.opened = PauseField::of(&key.kind)
                .is_some_and(|field| field.read(&existing.manifest) != field.paused(&id));
        }
        self.stage.ready = self.stage.items.len();
        if open {
            self.open = true;
            self.phase = Phase::Activate;
            self.let_act();
        } else {
            self.advance("resumed".to_owned());
        }
    }
}
