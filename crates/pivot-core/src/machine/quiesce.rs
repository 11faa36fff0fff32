//! QUIESCE: pause, and wait until controllers have acknowledged.

use std::time::Duration;

use serde_json::{Value, json};

use super::effect::{Op, Outcome, RefusalClass, Revision, Write};
use super::notice::{Notice, Side};
use super::observe::describe_pause;
use super::retry::Tries;
use super::script::Then;
use super::step::Step;
use super::{Machine, Phase};
use crate::check::BLOCK_MOVE;
use crate::inventory::{Inventory, Object};
use crate::kind::{CLUSTER_NAME_LABEL, GroupKind};
use crate::object::{Manifest, ObjectKey, Uid};
use crate::pause::{CLUSTER_API_PAUSED, PauseField};
use crate::plan::Origin;
use crate::record::Pause;
use crate::rewrite::OWN_MANAGER;
use crate::select::Action;

/// Wait between two looks at the source.
const POLL: Duration = Duration::from_millis(500);

/// An object that we paused, or are about to.
#[derive(Clone, Debug)]
pub(super) struct Paused {
    pub(super) field: PauseField,
    /// Value before; `null` when there was none.
    pub(super) original: Value,
    uid: Uid,
    /// Revision that must hold for the pause, then the one it made.
    resource_version: String,
    progress: Progress,
}

/// How far a pause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// To be set.
    Open,
    /// The value before turned out to be another one: that is saved first.
    Unsaved,
    /// Set, by us or by somebody else.
    Set,
}

impl Machine {
    /// What is going to be paused, with the values before.
    pub(super) fn note_pauses(&mut self) {
        if self.blueprint.origin == Origin::Directory {
            return;
        }
        let paused = |object: &Object, field: PauseField| Paused {
            field,
            original: field.read(&object.manifest),
            uid: object.uid.clone(),
            resource_version: object.manifest.resource_version().to_owned(),
            progress: Progress::Open,
        };
        let todo: Vec<_> = self
            .blueprint
            .to_pause()
            .map(|(_, object, field)| (object.key.clone(), paused(object, field)))
            .collect();
        self.paused.extend(todo);
    }

    /// What an earlier run paused, or was about to. An object that is gone, or another one by now, is nobody's concern.
    pub(super) fn remember_pauses(&mut self, pauses: &[Pause]) {
        for pause in pauses {
            let Some(field) = PauseField::of(&pause.key.kind) else { continue };
            let found = self.blueprint.source.inventory.get(&pause.key);
            let paused = Paused {
                field,
                original: pause.original.clone(),
                uid: found.map_or_else(|| Uid(String::new()), |object| object.uid.clone()),
                resource_version: found
                    .map(|object| object.manifest.resource_version().to_owned())
                    .unwrap_or_default(),
                progress: Progress::Set,
            };
            self.paused.insert(pause.key.clone(), paused);
        }
    }

    /// Original values are saved before anything is paused.
    pub(super) fn begin_quiesce(&mut self) {
        self.note_pauses();
        let waves = vec![self.save(Side::Source)];
        self.play(waves, Then::PausesSaved);
    }

    pub(super) fn pauses_saved(&mut self) {
        let open: Vec<_> = self
            .paused
            .iter_mut()
            .filter(|(_, paused)| paused.progress != Progress::Set)
            .map(|(key, paused)| {
                paused.progress = Progress::Open;
                key.clone()
            })
            .collect();
        for key in open {
            self.push(Step::Pause(key));
        }
        self.quiesced();
    }

    pub(super) fn pause_write(&self, key: &ObjectKey) -> Write {
        let paused = self.paused_object(key);
        let patch = guarded(
            paused.field.patch(&paused.field.paused(&self.options.pivot_id)),
            &paused.resource_version,
        );
        Write {
            side: Side::Source,
            key: key.clone(),
            op: Op::Merge { patch, manager: OWN_MANAGER.to_owned() },
        }
    }

    pub(super) fn settle_pause(&mut self, key: ObjectKey, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Written(revision) => self.is_paused(&key, &revision),
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Pause(key), tries, &message);
            }
            // It went away meanwhile; the snapshot will not find it.
            Outcome::Refused { class: RefusalClass::NotFound, .. } => self.forget_paused(&key),
            other => self.refused(&format!("pausing {key}"), other),
        }
    }

    pub(super) fn read_back_pause(&mut self, key: ObjectKey, tries: Tries, found: Option<&Manifest>) {
        let ours = self.paused_object(&key).field.paused(&self.options.pivot_id);
        let paused = self.paused.get_mut(&key).expect("BUG: no such paused object");
        match found {
            Some(found) if found.uid() == paused.uid => {
                let now = paused.field.read(found);
                if now == ours {
                    self.is_paused(&key, &Revision::of(found));
                } else if paused.field.is_paused(&now) {
                    // Somebody paused it in between: that value is the one to come back to.
                    paused.original = now;
                    self.is_paused(&key, &Revision::of(found));
                } else if now == paused.original {
                    found.resource_version().clone_into(&mut paused.resource_version);
                    self.again(Step::Pause(key), tries);
                } else {
                    paused.original = now;
                    found.resource_version().clone_into(&mut paused.resource_version);
                    paused.progress = Progress::Unsaved;
                    self.quiesced();
                }
            }
            _ => self.forget_paused(&key),
        }
    }

    fn is_paused(&mut self, key: &ObjectKey, revision: &Revision) {
        let paused = self.paused.get_mut(key).expect("BUG: no such paused object");
        paused.resource_version.clone_from(&revision.resource_version);
        paused.progress = Progress::Set;
        self.quiesced();
    }

    fn forget_paused(&mut self, key: &ObjectKey) {
        self.paused.remove(key);
        self.quiesced();
    }

    fn quiesced(&mut self) {
        if self.is_failing() || self.paused.values().any(|paused| paused.progress == Progress::Open) {
            return;
        }
        // A value before that was found another one must be known to whoever undoes this.
        let save = self.save(Side::Source);
        if !save.is_empty() || self.paused.values().any(|paused| paused.progress == Progress::Unsaved) {
            self.play(vec![save], Then::PausesSaved);
        } else if self.awaits_acknowledgement() {
            self.push(Step::Acknowledge);
        } else {
            self.end_quiesce();
        }
    }

    fn end_quiesce(&mut self) {
        self.advance(format!("{} objects paused", self.paused.len()));
    }

    /// Without controllers nobody would ever answer.
    fn awaits_acknowledgement(&self) -> bool {
        let blocked = |object: &Object| object.manifest.annotation(BLOCK_MOVE).is_some();
        !self.options.live_providers.is_empty()
            || self.blueprint.staged_objects().any(|(_, object)| blocked(object))
    }

    pub(super) fn settle_acknowledge(&mut self, outcome: Outcome) {
        let inventory = match outcome {
            Outcome::Inventory(inventory) => inventory,
            other => return self.refused("listing the source", other),
        };
        let waiting = self.not_acknowledged(&inventory);
        if waiting.is_empty() {
            self.end_quiesce();
            return;
        }
        let shown: Vec<_> = waiting.iter().take(5).cloned().collect();
        if self.waited >= self.options.wait {
            let names: Vec<_> = shown.iter().map(ToString::to_string).collect();
            self.fail(format!(
                "{} objects did not acknowledge the pause within {} s: {}",
                waiting.len(),
                self.options.wait.as_secs(),
                names.join(", ")
            ));
            return;
        }
        let what = format!("{} objects to acknowledge the pause", waiting.len());
        self.notices.push(Notice::Waiting { what, objects: shown });
        self.waited += POLL;
        self.push(Step::Acknowledge.delayed(POLL));
    }

    fn not_acknowledged(&self, inventory: &Inventory) -> Vec<ObjectKey> {
        let staged = self.blueprint.staged_objects().filter_map(|(_, object)| inventory.get(&object.key));
        staged
            .filter(|object| !self.is_acknowledged(inventory, object))
            .map(|object| object.key.clone())
            .collect()
    }

    fn is_acknowledged(&self, inventory: &Inventory, object: &Object) -> bool {
        if object.manifest.annotation(BLOCK_MOVE).is_some() {
            return false;
        }
        if !is_told(&object.key.kind, &object.manifest) {
            return true;
        }
        let provider = inventory.kinds.get(&object.key.kind).and_then(|info| info.provider());
        if !provider.is_some_and(|provider| self.options.live_providers.contains(provider)) {
            return true;
        }
        let conditions = object.manifest.pointer("/status/conditions").and_then(Value::as_array);
        let paused = conditions
            .into_iter()
            .flatten()
            .find(|c| c.get("type").and_then(Value::as_str) == Some("Paused"));
        // Contract v1beta1 has no such condition: its controllers cannot answer.
        paused.is_none_or(|condition| {
            let observed = condition.get("observedGeneration").and_then(Value::as_i64).unwrap_or(i64::MAX);
            condition.get("status").and_then(Value::as_str) == Some("True")
                && observed >= object.manifest.generation()
        })
    }

    pub(super) fn paused_object(&self, key: &ObjectKey) -> &Paused {
        self.paused.get(key).expect("BUG: no such paused object")
    }

    /// After a snapshot: objects that came unpaused in the meantime.
    pub(super) fn has_unpaused(&self) -> bool {
        self.blueprint.to_pause().next().is_some()
    }

    /// After a snapshot: a pause that somebody else has set to a value of his own is not ours to take back. One that seems to be gone
    /// stays known: it is set again, and a list may be older than the pause.
    pub(super) fn forget_pauses_of_others(&mut self) {
        let inventory = &self.blueprint.source.inventory;
        let id = &self.options.pivot_id;
        let mut warnings = Vec::new();
        self.paused.retain(|key, paused| {
            let Some(object) = inventory.get(key) else { return false };
            let now = paused.field.read(&object.manifest);
            let theirs = now != paused.field.paused(id) && paused.field.is_paused(&now);
            if theirs && now != paused.original {
                let message =
                    format!("somebody else paused it with {}; that pause stays", describe_pause(&now));
                warnings.push(Notice::Warning { object: Some(key.clone()), message });
            }
            !theirs
        });
        self.notices.extend(warnings);
    }

    /// After a snapshot: an object that we paused and that stays now. Only a rollback gives it back.
    pub(super) fn paused_in_vain(&self) -> Option<ObjectKey> {
        let moves = |key: &ObjectKey| {
            let id = self.blueprint.source.inventory.find(key);
            id.is_some_and(|id| self.blueprint.selection.action(id) == Action::Move)
        };
        self.paused.keys().find(|key| !moves(key)).cloned()
    }

    pub(super) fn back_to_quiesce(&mut self) {
        let unpaused: Vec<_> = self.blueprint.to_pause().map(|(_, object, _)| object.key.clone()).collect();
        if self.changes_too_often(&unpaused) {
            return;
        }
        self.phase = Phase::Quiesce;
        self.notices.push(Notice::PhaseStarted { phase: Phase::Quiesce });
        self.begin_quiesce();
    }
}

/// A merge patch that holds only for this revision. The revision of an object that was created anew under the same name is another one;
/// a uid besides would turn the conflict (409) into an invalid request (422).
pub(super) fn guarded(mut patch: Value, resource_version: &str) -> Value {
    if !patch["metadata"].is_object() {
        patch["metadata"] = json!({});
    }
    patch["metadata"]["resourceVersion"] = resource_version.into();
    patch
}

/// True for objects whose controller hears of the pause: by the object itself, or by the Cluster that it belongs to. A ClusterResourceSet that
/// belongs to many goes on, and says so (`Paused` is `False`).
fn is_told(kind: &GroupKind, manifest: &Manifest) -> bool {
    PauseField::of(kind).is_some()
        || manifest.annotation(CLUSTER_API_PAUSED).is_some()
        || manifest.label(CLUSTER_NAME_LABEL).is_some()
        || manifest.pointer("/spec/clusterName").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_who_hears_of_a_pause_acknowledges_it() {
        let told = |kind: &str, object: Value| {
            is_told(&GroupKind::new("cluster.x-k8s.io", kind), &Manifest::new(object))
        };
        assert!(told("Cluster", json!({"metadata": {}})));
        assert!(told("MachineSet", json!({"metadata": {}, "spec": {"clusterName": "c"}})));
        assert!(told("Extension", json!({"metadata": {"labels": {CLUSTER_NAME_LABEL: "c"}}})));
        assert!(told("Extension", json!({"metadata": {"annotations": {CLUSTER_API_PAUSED: ""}}})));
        assert!(!told("ClusterResourceSet", json!({"metadata": {}, "spec": {"clusterSelector": {}}})));
    }
}
