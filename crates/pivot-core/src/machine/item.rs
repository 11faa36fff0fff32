//! One object on its way into the target: create, status, seal.

use serde_json::Value;

use super::Machine;
use super::defect::Defect;
use super::effect::{Op, Outcome, RefusalClass, Revision, Write};
use super::notice::Side;
use super::retry::Tries;
use super::stage::Item;
use super::step::Step;
use crate::marks;
use crate::object::Manifest;
use crate::rewrite::{FieldManagers, OWN_MANAGER, Staging};

impl Machine {
    fn staging<'a>(&'a self, item: &'a Item) -> Staging<'a> {
        let version = self.blueprint.versions.get(&item.key.kind).map_or("", String::as_str);
        let target = self.blueprint.target.as_ref().and_then(|t| t.inventory.kinds.get(&item.key.kind));
        Staging {
            source: &self.blueprint.object(item.id).manifest,
            pivot_id: &self.options.pivot_id,
            status_apart: target.is_some_and(|info| info.has_status_subresource(version)),
            owners: &self.stage.owners,
            deferred: &item.deferred,
        }
    }

    pub(super) fn start_item(&mut self, index: usize) {
        if std::mem::replace(&mut self.stage.items[index].started, true) {
            return;
        }
        let step =
            if self.stage.items[index].target.is_some() { Step::Replace(index) } else { Step::Create(index) };
        self.push(step);
    }

    fn item_write(&self, index: usize, op: Op) -> Write {
        Write { side: Side::Target, key: self.stage.items[index].key.clone(), op }
    }

    fn managers(&self, index: usize) -> FieldManagers {
        FieldManagers::of(&self.blueprint.object(self.stage.items[index].id).manifest)
    }

    fn target_version(&self, index: usize) -> &str {
        self.stage.items[index].target.as_ref().map_or("", |revision| revision.resource_version.as_str())
    }

    pub(super) fn create_write(&self, index: usize) -> Write {
        let staging = self.staging(&self.stage.items[index]);
        let body = staging.create_body(&self.source_version(index), !staging.needs_seal());
        self.item_write(index, Op::Create { body, manager: self.managers(index).main })
    }

    pub(super) fn replace_write(&self, index: usize) -> Write {
        let staging = self.staging(&self.stage.items[index]);
        let mut body = staging.create_body(&self.source_version(index), !staging.needs_seal());
        body["metadata"]["resourceVersion"] = self.target_version(index).into();
        self.item_write(index, Op::Replace { body, manager: self.managers(index).main })
    }

    fn status_body(&self, index: usize) -> Option<Value> {
        let item = &self.stage.items[index];
        let revision = item.target.as_ref()?;
        self.staging(item).status_body(
            &revision.resource_version,
            revision.generation,
            self.settled_generation(item),
        )
    }

    pub(super) fn status_write(&self, index: usize) -> Write {
        let body = self.status_body(index).unwrap_or_default();
        self.item_write(index, Op::Status { body, manager: self.managers(index).status })
    }

    pub(super) fn seal_write(&self, index: usize) -> Write {
        let patch = self.staging(&self.stage.items[index]).seal_patch(self.target_version(index));
        let managers = self.managers(index);
        // Where the recorded entries are restored they are complete: what the seal adds is ours.
        let manager = if managers.restore { OWN_MANAGER.to_owned() } else { managers.main };
        self.item_write(index, Op::Merge { patch, manager })
    }

    pub(super) fn release(&mut self, index: usize) {
        let item = &mut self.stage.items[index];
        item.waits -= 1;
        if item.waits == 0 {
            self.start_item(index);
        }
    }

    /// The object is complete.
    pub(super) fn is_ready(&mut self, index: usize) {
        if self.stage.items[index].ready {
            return;
        }
        let made_of = self.source_version(index);
        let item = &mut self.stage.items[index];
        item.made_of = made_of;
        item.ready = true;
        item.started = true;
        self.stage.ready += 1;
        self.progress(self.stage.ready, self.stage.items.len());
        self.release_dependents(index);
        self.staged_all();
    }

    fn release_dependents(&mut self, index: usize) {
        let item = &mut self.stage.items[index];
        if item.released {
            return;
        }
        item.released = true;
        for release in item.releases.clone() {
            self.release(release);
        }
    }

    fn written(&mut self, index: usize, revision: Revision) {
        let source_uid = self.blueprint.object(self.stage.items[index].id).uid.clone();
        let owner = if Defect::SourceUidAsOwner.is_made() { &source_uid } else { &revision.uid };
        self.stage.owners.insert(source_uid.clone(), owner.clone());
        self.stage.items[index].target = Some(revision);
        self.close_cycles();
    }

    /// Seals what waited for an owner in its cycle that exists by now.
    fn close_cycles(&mut self) {
        let closed = |index: &usize| !self.is_open(*index);
        let closing: Vec<_> = self.stage.open.iter().copied().filter(closed).collect();
        for index in closing {
            self.stage.open.remove(&index);
            self.push(Step::Seal(index));
        }
    }

    /// True while an owner in a cycle does not exist yet.
    fn is_open(&self, index: usize) -> bool {
        self.stage.items[index].deferred.iter().any(|uid| !self.stage.owners.contains_key(uid))
    }

    pub(super) fn settle_create(&mut self, index: usize, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Written(revision) => {
                self.written(index, revision);
                self.after_body(index);
            }
            // Perhaps our own, of which the answer was lost.
            Outcome::Refused { class: RefusalClass::Exists, message, .. } => {
                self.look_again(Step::Create(index), tries, &message);
            }
            other => self.refused(&format!("creating {} in the target", self.stage.items[index].key), other),
        }
    }

    pub(super) fn settle_replace(&mut self, index: usize, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Replace(index), tries, &message);
            }
            outcome => self.settle_create(index, tries, outcome),
        }
    }

    fn after_body(&mut self, index: usize) {
        let staging = self.staging(&self.stage.items[index]);
        if staging.status_apart && staging.source.status().is_some() {
            self.push(Step::Status(index));
        } else {
            self.complete(index);
        }
    }

    fn complete(&mut self, index: usize) {
        if !self.staging(&self.stage.items[index]).needs_seal() {
            self.is_ready(index);
        } else if self.is_open(index) {
            self.stage.open.insert(index);
            self.release_dependents(index);
        } else {
            self.push(Step::Seal(index));
        }
    }

    pub(super) fn settle_status(&mut self, index: usize, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Written(revision) => {
                self.written(index, revision);
                self.complete(index);
            }
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Status(index), tries, &message);
            }
            other => self.refused(
                &format!("writing the status of {} in the target", self.stage.items[index].key),
                other,
            ),
        }
    }

    pub(super) fn settle_seal(&mut self, index: usize, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Written(revision) => {
                self.written(index, revision);
                self.is_ready(index);
            }
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Seal(index), tries, &message);
            }
            other => {
                self.refused(&format!("completing {} in the target", self.stage.items[index].key), other);
            }
        }
    }

    pub(super) fn read_back_create(&mut self, index: usize, tries: Tries, found: Option<&Manifest>) {
        let Some(found) = found else { return self.again(Step::Create(index), tries) };
        match self.adopt(index, found) {
            Ok(true) => {
                self.close_cycles();
                self.is_ready(index);
            }
            // Created by the request of which the answer was lost.
            Ok(false) if self.is_current(index, found) => {
                self.written(index, Revision::of(found));
                self.after_body(index);
            }
            // By one that was sent long ago.
            Ok(false) => self.again(Step::Replace(index), tries),
            Err(cause) => self.fail(cause),
        }
    }

    pub(super) fn read_back_replace(&mut self, index: usize, tries: Tries, found: Option<&Manifest>) {
        let Some(found) = found else { return self.vanished(index) };
        match self.adopt(index, found) {
            Ok(true) => {
                self.close_cycles();
                self.is_ready(index);
            }
            Ok(false) => self.again(Step::Replace(index), tries),
            Err(cause) => self.fail(cause),
        }
    }

    /// The object as it stands, if it is the one that we created.
    fn same_instance<'a>(&self, index: usize, found: Option<&'a Manifest>) -> Option<&'a Manifest> {
        let known = self.stage.items[index].target.as_ref();
        found.filter(|found| known.is_some_and(|known| known.uid == found.uid()))
    }

    pub(super) fn read_back_status(&mut self, index: usize, tries: Tries, found: Option<&Manifest>) {
        let Some(found) = self.same_instance(index, found) else { return self.vanished(index) };
        let wanted = self.status_body(index);
        if wanted.as_ref().and_then(|body| body.get("status")) == found.status() {
            self.written(index, Revision::of(found));
            self.complete(index);
        } else {
            self.stage.items[index].target = Some(Revision::of(found));
            self.again(Step::Status(index), tries);
        }
    }

    pub(super) fn read_back_seal(&mut self, index: usize, tries: Tries, found: Option<&Manifest>) {
        let Some(found) = self.same_instance(index, found) else { return self.vanished(index) };
        self.stage.items[index].target = Some(Revision::of(found));
        if marks::is_ready(found, &self.options.pivot_id) {
            self.is_ready(index);
        } else {
            self.again(Step::Seal(index), tries);
        }
    }

    fn vanished(&mut self, index: usize) {
        self.fail(format!("{} vanished from the target while it was staged", self.stage.items[index].key));
    }
}
