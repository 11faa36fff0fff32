//! STAGE: make the target equal to the snapshot, as a dataflow over the links: each object as soon as what it depends on is ready.
//!
//! It reconciles: what is there already and ours is adopted or corrected, what is ours and no longer in the snapshot is removed, what
//! is there and not ours is a conflict. Nothing foreign is ever overwritten.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::defect::Defect;
use super::effect::{Outcome, Revision};
use super::ledger::Doc;
use super::notice::Side;
use super::removal::Removal;
use super::script::Then;
use super::step::Step;
use super::{Machine, Phase};
use crate::check::cannot_stay;
use crate::content::{FieldDifference, comparable, differences};
use crate::digest::Digest;
use crate::inventory::{Inventory, ObjectId};
use crate::kind::GroupKind;
use crate::marks;
use crate::object::{Manifest, ObjectKey, Uid};
use crate::pause::PauseField;
use crate::record::StoredSnapshot;
use crate::select::{Action, is_named_by_content};

/// An object to be staged.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) key: ObjectKey,
    pub(super) id: ObjectId,
    /// What must be ready before: objects and namespaces.
    pub(super) waits: usize,
    pub(super) releases: Vec<usize>,
    /// Owners whose references close a cycle: they are set with the seal, once the owners exist.
    pub(super) deferred: BTreeSet<Uid>,
    /// The object in the target, once it is there.
    pub(super) target: Option<Revision>,
    /// Found in the target and left as it is: a copy that was there before.
    pub(super) foreign: bool,
    /// It has its original pause value already.
    pub(super) opened: bool,
    /// Under way, or done.
    pub(super) started: bool,
    /// What depends on it may follow.
    pub(super) released: bool,
    /// Complete.
    pub(super) ready: bool,
    /// The instance in the source, and what it said when this was complete.
    pub(super) source: Uid,
    pub(super) made_of: String,
    /// Revision in the target that was found equal to it.
    pub(super) verified: Option<String>,
}

/// The state of STAGE; what it learned of the target serves the later phases.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage {
    pub(super) items: Vec<Item>,
    by_key: HashMap<ObjectKey, usize>,
    /// Live uid in the target of each staged object, by its uid in the source.
    pub(super) owners: HashMap<Uid, Uid>,
    /// Items whose seal waits for the rest of a cycle of owners.
    pub(super) open: BTreeSet<usize>,
    /// Items that wait for a namespace.
    pub(super) namespaces: BTreeMap<String, Vec<usize>>,
    /// Namespaces that are there.
    pub(super) known_namespaces: HashSet<String>,
    /// Namespaces that we were to create: those with our mark are ours.
    pub(super) asked_namespaces: BTreeSet<ObjectKey>,
    pub(super) ready: usize,
    /// True once it is decided for each item what is to be done.
    pub(super) reconciled: bool,
}

pub(super) fn namespace_key(name: &str) -> ObjectKey {
    ObjectKey::new(GroupKind::new("", "Namespace"), None, name)
}

impl Stage {
    pub(super) fn item(&self, index: usize) -> &Item {
        &self.items[index]
    }

    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    pub(super) fn position(&self, key: &ObjectKey) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    pub(super) fn find(&self, key: &ObjectKey) -> Option<&Item> {
        self.position(key).map(|index| &self.items[index])
    }

    pub(super) fn update(&mut self, key: &ObjectKey, revision: Revision) {
        if let Some(&index) = self.by_key.get(key) {
            self.items[index].target = Some(revision);
        }
    }
}

impl Machine {
    /// What is about to be created is saved first, and the fences are made to cover it.
    pub(super) fn begin_stage(&mut self) {
        self.note_asked();
        self.reach = self.extent();
        self.stage.reconciled = false;
        let mut waves = vec![self.save(Side::Target)];
        waves.extend(self.raise_again(Side::Target));
        if self.phase == Phase::Stage {
            waves.extend(self.raise_again(Side::Source));
        }
        self.play(waves, Then::ReachSaved);
    }

    /// What PLAN saw of the target serves the first time: nothing of this pivot can be there that it did not see, and a name that
    /// was taken since is refused to the create. Afterwards the target is listed, and always where somebody else may have staged.
    pub(super) fn stage_now(&mut self) {
        let is_last = self.phase == Phase::Stage;
        if !self.gone.source && (is_last || self.is_bulk()) {
            self.store_snapshot(is_last);
        }
        match self.blueprint.target.as_ref().map(Arc::clone) {
            Some(facts) if self.stage.items.is_empty() && self.blueprint.pivot.is_none() => {
                self.reconcile(&facts.inventory);
            }
            _ if self.carries_over() => {}
            _ => self.push(Step::ListStaged),
        }
    }

    /// Too much to be compared and kept while nobody acts.
    pub(super) fn is_bulk(&self) -> bool {
        self.blueprint.staged.len() >= self.options.bulk
    }

    /// Goes on from what this run staged before behind the target's fence, without another look: what the source still says is
    /// complete. False where only a list can tell what is to be done.
    fn carries_over(&mut self) -> bool {
        if !self.is_fenced_fully() || self.stage.items.is_empty() || self.stage.ready < self.stage.items.len()
        {
            return false;
        }
        let before = std::mem::take(&mut self.stage);
        self.stage.asked_namespaces.clone_from(&before.asked_namespaces);
        self.stage.known_namespaces.clone_from(&before.known_namespaces);
        self.build_items();
        let mut complete = Vec::new();
        for old in before.items {
            let Some(index) = self.stage.position(&old.key) else { return false };
            let item = &self.stage.items[index];
            let same = old.made_of == self.source_version(index) && old.deferred == item.deferred;
            if old.source != item.source || (old.foreign && !same) {
                return false;
            }
            let uid = old.target.as_ref().map(|revision| revision.uid.clone());
            self.stage.owners.extend(uid.map(|uid| (old.source, uid)));
            let item = &mut self.stage.items[index];
            (item.target, item.foreign) = (old.target, old.foreign);
            if same {
                item.verified = old.verified;
                item.started = true;
                complete.push(index);
            }
        }
        self.stage_rest(complete);
        true
    }

    /// The target keeps what it may need once the source can no longer be asked. Staging goes on meanwhile. Only the last one counts;
    /// an early one makes that one short.
    fn store_snapshot(&mut self, is_last: bool) {
        let snapshot = StoredSnapshot::of(&self.blueprint, self.pauses());
        self.packed = snapshot.pack(&self.packed);
        let (mark, chunks) = self.packed.secrets(&self.options.pivot_id);
        let chunks: Vec<Step> = chunks
            .into_iter()
            .enumerate()
            .filter_map(|(number, (_, body))| self.want(Side::Target, Doc::Chunk(number), Some(body)))
            .collect();
        let mut waves = vec![chunks];
        if is_last {
            self.entries.snapshot = Some(mark);
            waves.push(self.save(Side::Target));
        }
        self.play(waves, Then::SnapshotStored);
    }

    /// Namespaces that are not in the target: those of them that carry our mark are ours to remove.
    pub(super) fn note_asked(&mut self) {
        let known = self.blueprint.target.as_ref().map(|target| &target.namespaces);
        let missing = self.blueprint.staged_namespaces().into_iter().filter(|name| {
            !self.stage.known_namespaces.contains(*name)
                && !known.is_some_and(|known| known.contains_key(*name))
        });
        let missing: Vec<_> = missing.map(namespace_key).collect();
        self.stage.asked_namespaces.extend(missing);
    }

    pub(super) fn settle_list_staged(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Inventory(found) => self.reconcile(&found),
            other => self.refused("listing the target", other),
        }
    }

    /// Makes items of the snapshot, and decides for each by what the target holds.
    fn reconcile(&mut self, found: &Inventory) {
        self.build_items();
        let leftovers: Vec<_> =
            found.iter().filter(|(_, object)| self.is_leftover(&object.manifest, &object.key)).collect();
        if !leftovers.is_empty() {
            self.removal =
                Some(Removal::by_owners(Side::Target, leftovers.into_iter().map(|(_, object)| object)));
            self.start_removal();
        }
        let mut complete = Vec::new();
        for index in 0..self.stage.items.len() {
            let Some(existing) = found.get(&self.stage.items[index].key) else { continue };
            match self.adopt(index, &existing.manifest) {
                Ok(true) => {
                    // Not to be written again when what it depends on is found complete as well.
                    self.stage.items[index].started = true;
                    complete.push(index);
                }
                Ok(false) => {}
                Err(cause) => return self.fail(cause),
            }
        }
        self.stage_rest(complete);
    }

    /// These are complete, the others are staged.
    fn stage_rest(&mut self, complete: Vec<usize>) {
        self.create_namespaces();
        for index in complete {
            self.is_ready(index);
        }
        for index in 0..self.stage.items.len() {
            let item = &self.stage.items[index];
            if item.waits == 0 {
                self.start_item(index);
            }
        }
        self.stage.reconciled = true;
        self.staged_all();
    }

    /// Ends STAGE once everything is complete and nothing superfluous is left.
    pub(super) fn staged_all(&mut self) {
        let cleaned = self.removal.as_ref().is_none_or(Removal::is_finished);
        if !matches!(self.phase, Phase::PreCopy | Phase::Stage)
            || self.script.is_some()
            || !self.stage.reconciled
            || self.stage.ready < self.stage.items.len()
            || !cleaned
            || self.is_failing()
        {
            return;
        }
        self.removal = None;
        if self.phase == Phase::PreCopy && self.is_bulk() {
            self.pending = 1;
            self.push(Step::ListTarget);
        } else if self.dirty.is_empty() || self.phase == Phase::PreCopy {
            self.staged();
        } else {
            self.resnapshot();
        }
    }

    pub(super) fn staged(&mut self) {
        self.advance(format!("{} objects are complete in the target", self.stage.ready));
    }

    pub(super) fn build_items(&mut self) {
        let blueprint = &self.blueprint;
        let mut known: HashSet<String> =
            blueprint.target.as_ref().map(|t| t.namespaces.keys().cloned().collect()).unwrap_or_default();
        known.extend(self.stage.known_namespaces.iter().cloned());
        let mut stage = Stage {
            asked_namespaces: self.stage.asked_namespaces.clone(),
            known_namespaces: known,
            ..Stage::default()
        };
        let mut position: BTreeMap<ObjectId, usize> = BTreeMap::new();
        for id in blueprint.order.sequence() {
            let key = blueprint.object(id).key.clone();
            position.insert(id, stage.items.len());
            stage.by_key.insert(key.clone(), stage.items.len());
            let deferred =
                blueprint.order.deferred_owners.range((id, ObjectId(0))..=(id, ObjectId(u32::MAX)));
            let deferred = deferred.map(|(_, owner)| blueprint.object(*owner).uid.clone()).collect();
            let item = Item {
                key,
                id,
                waits: 0,
                releases: Vec::new(),
                deferred,
                target: None,
                foreign: false,
                opened: false,
                started: false,
                released: false,
                ready: false,
                source: blueprint.object(id).uid.clone(),
                made_of: String::new(),
                verified: None,
            };
            stage.items.push(item);
        }
        for (id, needs) in &blueprint.order.needs {
            let index = position[id];
            stage.items[index].waits = needs.len();
            for need in needs {
                stage.items[position[need]].releases.push(index);
            }
            if let Some(namespace) = &stage.items[index].key.namespace
                && !stage.known_namespaces.contains(namespace)
            {
                stage.namespaces.entry(namespace.clone()).or_default().push(index);
                stage.items[index].waits += 1;
            }
        }
        self.stage = stage;
    }

    /// Ours, and no longer in the snapshot.
    fn is_leftover(&self, manifest: &Manifest, key: &ObjectKey) -> bool {
        marks::is_ours(manifest, &self.options.pivot_id) && !self.stage.by_key.contains_key(key)
    }

    /// What to do with an object that is in the target already. True where it is complete as it is.
    pub(super) fn adopt(&mut self, index: usize, existing: &Manifest) -> Result<bool, String> {
        let item = &self.stage.items[index];
        let source = &self.blueprint.object(item.id).manifest;
        let ours = marks::is_ours(existing, &self.options.pivot_id)
            && existing.annotation(marks::SOURCE_UID) == Some(source.uid().0.as_str());
        if !ours && !Defect::OverwriteOnConflict.is_made() {
            if self.blueprint.selection.action(item.id) != Action::Copy
                && !is_named_by_content(&item.key.kind)
            {
                return Err(format!(
                    "{} exists in the target and is not of this pivot; nothing foreign is overwritten",
                    item.key
                ));
            }
            if let Some(problem) = cannot_stay(self.blueprint.origin, source, existing) {
                return Err(format!("{} exists in the target and {problem}", item.key));
            }
        }
        let source_uid = source.uid();
        let complete = (!ours && !Defect::OverwriteOnConflict.is_made())
            || (marks::is_ready(existing, &self.options.pivot_id)
                && self.is_current(index, existing)
                && self.losses(index, existing).is_empty());
        self.stage.owners.insert(source_uid, existing.uid());
        let item = &mut self.stage.items[index];
        item.foreign = !ours;
        item.target = Some(Revision::of(existing));
        Ok(complete)
    }

    /// What the object is in the source, for comparison with what it was when it was staged: a field that is gone since is in the
    /// target only, like one that the target's server adds by itself. Whether we have paused it makes no difference.
    pub(super) fn source_version(&self, index: usize) -> String {
        let item = &self.stage.items[index];
        let source = &self.blueprint.object(item.id).manifest;
        let Some(field) = PauseField::of(&item.key.kind) else { return source.resource_version().to_owned() };
        let mut content = comparable(source, self.settled_generation(item));
        if !field.is_paused(&field.read(source)) {
            field.write(&mut content, &field.paused(&self.options.pivot_id));
        }
        Digest::of(content.to_string().as_bytes()).to_string()
    }

    /// True where the body of an object in the target was made of what the source says now.
    pub(super) fn is_current(&self, index: usize, existing: &Manifest) -> bool {
        existing.annotation(marks::SOURCE_VERSION) == Some(self.source_version(index).as_str())
    }

    /// Where an object in the target differs from what was to be staged.
    pub(super) fn losses(&self, index: usize, existing: &Manifest) -> Vec<FieldDifference> {
        self.field_differences(index, existing).into_iter().filter(FieldDifference::is_loss).collect()
    }

    pub(super) fn field_differences(&self, index: usize, existing: &Manifest) -> Vec<FieldDifference> {
        let item = &self.stage.items[index];
        let source = &self.blueprint.object(item.id).manifest;
        let mut expected = comparable(source, self.settled_generation(item));
        // An owner that is not carried is in the plan as a finding; it is no difference.
        if let Some(owners) = expected.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut)
        {
            let carried: HashSet<_> = source
                .owner_references()
                .into_iter()
                .filter(|owner| self.stage.owners.contains_key(&owner.uid))
                .map(|owner| (owner.kind, owner.name))
                .collect();
            owners.retain(|owner| {
                let text = |field: &str| owner.get(field).and_then(Value::as_str).unwrap_or_default();
                carried.contains(&(
                    GroupKind::from_api_version(text("apiVersion"), text("kind")),
                    text("name").to_owned(),
                ))
            });
        }
        if let Some(field) = PauseField::of(&item.key.kind)
            && !field.is_paused(&field.read(source))
        {
            field.write(&mut expected, &field.paused(&self.options.pivot_id));
        }
        differences(&expected, &comparable(existing, existing.generation()))
    }

    /// The generation that counts as the present one: without the step that our own pause made.
    pub(super) fn settled_generation(&self, item: &Item) -> i64 {
        let snapshot = self.blueprint.object(item.id).manifest.generation();
        snapshot - self.paused.get(&item.key).map_or(0, |paused| paused.field.generation_step())
    }
}
