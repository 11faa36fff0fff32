//! The managers: those that elect a leader lose their Lease to us, those that do not are stopped. Both are given back.

use std::time::Duration;

use serde_json::{Value, json};

use super::Machine;
use super::effect::{Act, Op, Outcome, RefusalClass, Write};
use super::notice::Side;
use super::quiesce::guarded;
use super::retry::Tries;
use super::step::Step;
use crate::fence;
use crate::object::{Manifest, ObjectKey};
use crate::record::Captured;
use crate::rewrite::OWN_MANAGER;

/// Wait between two looks at a manager that is being stopped.
const POLL: Duration = Duration::from_millis(500);

/// What the last look at a Lease or Deployment told.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight {
    resource_version: String,
    /// Wait after which a former leader can no longer act.
    patience: Duration,
}

impl Machine {
    /// What the fences are going to take, with what is there now; from the records where an earlier run wrote it down.
    pub(super) fn note_captures(&mut self) {
        for side in [Side::Source, Side::Target] {
            if self.captures.contains_key(&side) || !self.is_fenced_fully() {
                continue;
            }
            let managers = self.options.controllers.get(&side).into_iter().flatten();
            let captured = managers.flat_map(|manager| {
                let leases = manager.leases.iter();
                let mut taken: Vec<_> = leases
                    .map(|lease| Captured { key: lease.key.clone(), original: fence::original(lease) })
                    .collect();
                // The target's managers go on serving webhooks; its policy refuses whatever else they do.
                if !manager.elects() && side == Side::Source {
                    let original = json!({"replicas": manager.replicas});
                    taken.push(Captured { key: manager.deployment.clone(), original });
                }
                taken
            });
            let captured: Vec<_> = captured.collect();
            self.captures.insert(side, captured);
        }
    }

    /// The waves that take the managers of one side, and wait until none of them can act.
    pub(super) fn hold(&mut self, side: Side) -> Vec<Vec<Step>> {
        let count = self.captures.get(&side).map_or(0, Vec::len);
        vec![
            (0..count).map(|index| Step::Hold(side, index)).collect(),
            (0..count).map(|index| Step::Idle(side, index)).collect(),
        ]
    }

    /// The wave that gives them back.
    pub(super) fn free(&mut self, side: Side) -> Vec<Vec<Step>> {
        let count = self.captures.get(&side).map_or(0, Vec::len);
        vec![(0..count).map(|index| Step::Free(side, index)).collect()]
    }

    fn captures_of(&self, side: Side, kind: &str) -> Vec<ObjectKey> {
        let captured = self.captures.get(&side).into_iter().flatten();
        captured
            .filter(|captured| captured.key.kind.kind == kind)
            .map(|captured| captured.key.clone())
            .collect()
    }

    pub(super) fn held_leases(&self, side: Side) -> Vec<ObjectKey> {
        self.captures_of(side, "Lease")
    }

    pub(super) fn stopped_deployments(&self, side: Side) -> Vec<ObjectKey> {
        self.captures_of(side, "Deployment")
    }

    fn capture(&self, side: Side, index: usize) -> &Captured {
        &self.captures[&side][index]
    }

    fn is_lease(&self, side: Side, index: usize) -> bool {
        self.capture(side, index).key.kind.kind == "Lease"
    }

    /// The `spec` fields while the fence holds them.
    fn held_fields(&self, side: Side, index: usize) -> Value {
        if self.is_lease(side, index) {
            fence::captured_spec(&self.options.pivot_id)
        } else {
            json!({"replicas": 0})
        }
    }

    /// The `spec` fields to come back to. Nobody holds a Lease that is given back: its former holder has left long since.
    fn free_fields(&self, side: Side, index: usize) -> Value {
        let mut fields = self.capture(side, index).original.clone();
        if self.is_lease(side, index) {
            fields["holderIdentity"] = "".into();
        }
        fields
    }

    fn spec_write(&self, side: Side, index: usize, fields: &Value) -> Write {
        let key = self.capture(side, index).key.clone();
        let revision = self.sights.get(&(side, index)).map_or("", |sight| sight.resource_version.as_str());
        // Without a revision the write would meet whatever is there: an impossible one makes the server tell it first.
        let patch = guarded(json!({ "spec": fields }), if revision.is_empty() { "1" } else { revision });
        Write { side, key, op: Op::Merge { patch, manager: OWN_MANAGER.to_owned() } }
    }

    pub(super) fn hold_write(&self, side: Side, index: usize) -> Write {
        self.spec_write(side, index, &self.held_fields(side, index))
    }

    pub(super) fn free_write(&self, side: Side, index: usize) -> Write {
        self.spec_write(side, index, &self.free_fields(side, index))
    }

    /// What the object says of the fields that a write wants to set.
    fn says(found: &Manifest, fields: &Value) -> bool {
        let fields = fields.as_object().into_iter().flatten();
        fields.into_iter().all(|(name, value)| {
            let now = found.pointer(&format!("/spec/{name}")).unwrap_or(&Value::Null);
            now == value || (value == "" && now.is_null())
        })
    }

    pub(super) fn settle_hold(&mut self, side: Side, index: usize, tries: Tries, outcome: Outcome) {
        match outcome {
            // A manager that is not there acts on nothing.
            Outcome::Written(_) | Outcome::Refused { class: RefusalClass::NotFound, .. } => self.scripted(),
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Hold(side, index), tries, &message);
            }
            other => self.refused(&format!("taking {}", self.capture(side, index).key), other),
        }
    }

    pub(super) fn read_back_hold(
        &mut self,
        side: Side,
        index: usize,
        tries: Tries,
        found: Option<&Manifest>,
    ) {
        let fields = self.held_fields(side, index);
        match found {
            Some(found) if !Self::says(found, &fields) => {
                let holder =
                    found.pointer("/spec/holderIdentity").and_then(Value::as_str).unwrap_or_default();
                let seconds =
                    found.pointer("/spec/leaseDurationSeconds").and_then(Value::as_u64).unwrap_or(0);
                let patience = if holder.is_empty() { Duration::ZERO } else { Duration::from_secs(seconds) };
                let resource_version = found.resource_version().to_owned();
                self.sights.insert((side, index), Sight { resource_version, patience });
                self.again(Step::Hold(side, index), tries);
            }
            _ => self.scripted(),
        }
    }

    pub(super) fn idle_act(&self, side: Side, index: usize) -> Act {
        Act::Read { side, key: self.capture(side, index).key.clone() }
    }

    /// A leader that cannot renew leaves within the duration of its own Lease; a stopped Deployment says when its pods are gone.
    pub(super) fn settle_idle(&mut self, side: Side, index: usize, outcome: Outcome) {
        let found = match outcome {
            Outcome::Read(found) => found,
            other => return self.refused("looking at a manager", other),
        };
        let Some(found) = found else { return self.scripted() };
        let fields = self.held_fields(side, index);
        if !Self::says(&found, &fields) {
            let key = &self.capture(side, index).key;
            return self
                .fail(format!("{key} on the {side} was taken back by somebody else; stop what does so"));
        }
        let idle = if self.is_lease(side, index) {
            self.sights.get(&(side, index)).is_none_or(|sight| sight.patience.is_zero())
        } else {
            let count = |pointer| found.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
            count("/status/replicas") == 0 && count("/status/observedGeneration") >= found.generation()
        };
        if idle {
            return self.scripted();
        }
        let sight = self.sights.entry((side, index)).or_default();
        let wait = if sight.patience.is_zero() { POLL } else { std::mem::take(&mut sight.patience) };
        if self.waited >= self.options.wait {
            let key = &self.capture(side, index).key;
            let limit = self.options.wait.as_secs();
            return self.fail(format!("{key} on the {side} did not come to rest within {limit} s"));
        }
        self.waited += wait;
        let key = self.capture(side, index).key.clone();
        let what = format!("the former holder of {key} to leave ({} s)", wait.as_secs());
        self.notices.push(super::Notice::Waiting { what, objects: vec![key] });
        self.push(Step::Idle(side, index).delayed(wait));
    }

    pub(super) fn settle_free(&mut self, side: Side, index: usize, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Written(_) | Outcome::Refused { class: RefusalClass::NotFound, .. } => self.scripted(),
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Free(side, index), tries, &message);
            }
            other => self.refused(&format!("giving back {}", self.capture(side, index).key), other),
        }
    }

    /// What somebody else set meanwhile is left as it is (R5).
    pub(super) fn read_back_free(
        &mut self,
        side: Side,
        index: usize,
        tries: Tries,
        found: Option<&Manifest>,
    ) {
        let held = self.held_fields(side, index);
        match found {
            Some(found) if Self::says(found, &held) => {
                let resource_version = found.resource_version().to_owned();
                self.sights.insert((side, index), Sight { resource_version, patience: Duration::ZERO });
                self.again(Step::Free(side, index), tries);
            }
            _ => self.scripted(),
        }
    }
}
