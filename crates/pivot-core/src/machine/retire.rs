//! RETIRE: the source's objects go, leaf first, each only as it was verified.

use std::collections::{BTreeMap, BTreeSet};

use super::defect::Defect;
use super::effect::{Extent, Outcome, RefusalClass, Revision};
use super::notice::{Notice, Side};
use super::proof::Committed;
use super::removal::Removal;
use super::retry::Tries;
use super::step::Step;
use super::{Machine, Phase};
use crate::content::{comparable, differences};
use crate::object::{Manifest, ObjectKey};
use crate::select::Action;

impl Machine {
    /// Every kind that takes part, where anything moves from.
    pub(super) fn everything(&self) -> Extent {
        let kinds = self.blueprint.source.inventory.kinds.iter().map(|info| info.kind.clone()).collect();
        Extent { kinds, ..self.extent() }
    }

    /// An object that came after the snapshot is not in the target. Where it belongs to one that is about to go, the garbage
    /// collector would take it along: its owner stays, and with it all that it waits for.
    pub(super) fn settle_last_look(&mut self, outcome: Outcome) {
        let seen = match outcome {
            Outcome::Glance(seen) => seen,
            other => return self.refused("listing the source", other),
        };
        let Some(proof) = self.committed.take() else {
            return self.fail("BUG: nothing proves the commit; nothing is deleted".to_owned());
        };
        let known = &self.blueprint.source.inventory;
        let newcomers: Vec<_> = seen.into_iter().filter(|seen| known.find_uid(&seen.uid).is_none()).collect();
        self.begin_retire(&proof);
        for newcomer in newcomers {
            let owners: Vec<_> =
                newcomer.owners.iter().filter_map(|uid| self.removal().position(uid)).collect();
            for owner in owners {
                self.mark_kept(owner, &format!("owns {}, which came after the snapshot", newcomer.key));
            }
        }
        self.start_removal();
        self.removed_all();
    }

    /// Makes the list of what goes, for which it wants to see the proof that the target is the active side.
    fn begin_retire(&mut self, _proof: &Committed) {
        let moved: Vec<_> = self.blueprint.with(Action::Move).map(|(id, _)| id).collect();
        let position: BTreeMap<_, _> = moved.iter().enumerate().map(|(index, &id)| (id, index)).collect();
        let mut links = BTreeSet::new();
        for (id, needs) in &self.blueprint.order.needs {
            let Some(&dependent) = position.get(id) else { continue };
            links.extend(
                needs.iter().filter_map(|need| position.get(need)).map(|&dependency| (dependent, dependency)),
            );
        }
        let entries = moved.iter().map(|&id| {
            let object = self.blueprint.object(id);
            (object.key.clone(), object.uid.clone(), Some(object.manifest.resource_version().to_owned()))
        });
        let removal = Removal::new(Side::Source, entries.collect(), &links);
        let inventory = &self.blueprint.source.inventory;
        let holds = |key: &ObjectKey| {
            inventory.get(key).is_some_and(|object| object.manifest.finalizers().next().is_some())
        };
        self.removal = Some(if self.is_fenced_fully() && !Defect::DeleteBeforeStrip.is_made() {
            removal.stripping_first(holds)
        } else {
            removal
        });
    }

    pub(super) fn removal(&self) -> &Removal {
        self.removal.as_ref().expect("BUG: a removal step without a removal")
    }

    fn removal_mut(&mut self) -> &mut Removal {
        self.removal.as_mut().expect("BUG: a removal step without a removal")
    }

    pub(super) fn start_removal(&mut self) {
        let ready: Vec<_> = self.removal().ready().collect();
        for entry in ready {
            self.push(Step::Remove(entry));
        }
    }

    pub(super) fn settle_remove(&mut self, entry: usize, tries: Tries, outcome: Outcome) {
        match outcome {
            // A strip that left the object behind answers with it.
            Outcome::Removed | Outcome::Refused { class: RefusalClass::NotFound, .. } => self.gone(entry),
            Outcome::Terminating(revision) => self.strip(entry, revision),
            Outcome::Written(revision) => {
                if self.removal_mut().stripped(entry, &revision.resource_version) {
                    self.again(Step::Remove(entry), tries);
                    return;
                }
                self.look_again(Step::Remove(entry), tries, "still there after its finalizers were removed");
            }
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::Remove(entry), tries, &message);
            }
            Outcome::Refused { class: RefusalClass::Denied, message, .. } if self.phase == Phase::Retire => {
                self.keep(entry, &format!("could not be removed: {message}"));
            }
            other => self.refused(&format!("removing {}", self.removal().entry(entry).key), other),
        }
    }

    fn strip(&mut self, entry: usize, revision: Revision) {
        self.removal_mut().terminating(entry, revision);
        self.push(Step::Remove(entry));
    }

    pub(super) fn read_back_remove(&mut self, entry: usize, tries: Tries, found: Option<&Manifest>) {
        let expected = self.removal().entry(entry).clone();
        let Some(found) = found.filter(|found| found.uid() == expected.uid) else {
            return self.gone(entry);
        };
        // Only RETIRE asks for a revision: what was written after VERIFY is not in the target, and must not be lost. That holds as
        // well for what somebody else deletes; what our own delete leads to is no change.
        let is_ours = expected.is_stripping();
        if expected.resource_version.is_some() && !is_ours && !self.says_the_same(found) {
            self.keep(entry, "changed in the source after the snapshot");
            return;
        }
        if found.is_terminating() {
            self.removal_mut().terminating(entry, Revision::of(found));
            self.again(Step::Remove(entry), tries);
            return;
        }
        // The answer to the strip was lost, or an earlier run got that far.
        if found.finalizers().next().is_none() {
            self.removal_mut().stripped(entry, found.resource_version());
        }
        self.removal_mut().expect(entry, found.resource_version());
        self.again(Step::Remove(entry), tries);
    }

    fn says_the_same(&self, found: &Manifest) -> bool {
        let Some(known) = self.blueprint.source.inventory.find_uid(&found.uid()) else { return false };
        let known = &self.blueprint.object(known).manifest;
        let mut before = comparable(known, known.generation());
        // A delete that finalizers hold is a generation of its own, which no controller need have seen.
        let generation = found.generation() - i64::from(found.is_terminating());
        let mut now = comparable(found, generation);
        // Whoever deletes it takes them off.
        if found.is_terminating() || (self.is_fenced_fully() && found.finalizers().next().is_none()) {
            for content in [&mut before, &mut now] {
                content["metadata"].as_object_mut().map(|metadata| metadata.remove("finalizers"));
            }
        }
        differences(&before, &now).is_empty()
    }

    fn gone(&mut self, entry: usize) {
        for next in self.removal_mut().gone(entry) {
            self.push(Step::Remove(next));
        }
        let (done, total) = (self.removal().done(), self.removal().total());
        self.progress(done, total);
        self.removed_all();
    }

    fn keep(&mut self, entry: usize, why: &str) {
        self.mark_kept(entry, why);
        self.removed_all();
    }

    fn mark_kept(&mut self, entry: usize, why: &str) {
        let kept = self.removal_mut().keep(entry);
        for (index, key) in kept.into_iter().enumerate() {
            let message = if index == 0 {
                format!("{why}; kept in the source")
            } else {
                "kept in the source with what belongs to it".to_owned()
            };
            self.kept.push(key.to_string());
            self.notices.push(Notice::Warning { object: Some(key), message });
        }
    }

    fn removed_all(&mut self) {
        if !self.removal().is_finished() {
            return;
        }
        match self.phase {
            Phase::PreCopy | Phase::Stage if self.rollback.is_none() => self.staged_all(),
            Phase::Retire if self.rollback.is_none() => {
                let removed = self.removal().total() - self.kept.len();
                self.advance(format!("{removed} objects removed from the source"));
            }
            _ => self.drop_namespaces(),
        }
    }
}
