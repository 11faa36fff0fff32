//! VERIFY: both sides are listed again and compared, before anything is decided.

use std::collections::{HashMap, HashSet};

use super::defect::Defect;
use super::effect::{Outcome, Revision, Seen};
use super::notice::Notice;
use super::step::Step;
use super::{Machine, Phase};
use crate::object::{Manifest, ObjectKey, Uid};

/// So many objects of the target are rather read one by one than all listed.
const ONE_BY_ONE: usize = 100;

impl Machine {
    pub(super) fn begin_verify(&mut self) {
        self.pending = 1;
        if !self.gone.source {
            self.pending = 2;
            self.push(Step::GlanceSource);
        }
        let was_compared = self.stage.items().iter().any(|item| item.verified.is_some());
        self.push(if was_compared { Step::GlanceTarget } else { Step::ListTarget });
    }

    /// An equal resourceVersion means an equal object: the source needs no second full list.
    pub(super) fn settle_glance_source(&mut self, outcome: Outcome) {
        let seen = match outcome {
            Outcome::Glance(seen) => seen,
            other => return self.refused("listing the source", other),
        };
        let by_key: HashMap<&ObjectKey, &Seen> = seen.iter().map(|seen| (&seen.key, seen)).collect();
        let blueprint = &self.blueprint;
        let changed = blueprint.staged_objects().filter(|(_, object)| {
            by_key.get(&object.key).is_none_or(|seen| {
                seen.uid != object.uid
                    || seen.resource_version != object.manifest.resource_version()
                    || seen.terminating
            })
        });
        let mut dirty: Vec<_> = changed.map(|(_, object)| object.key.clone()).collect();
        let new = seen
            .iter()
            .filter(|seen| blueprint.source.inventory.find(&seen.key).is_none() && self.could_join(seen));
        dirty.extend(new.map(|seen| seen.key.clone()));
        if !Defect::SkipVerify.is_made() {
            self.dirty.extend(dirty);
        }
        self.verified_one_side();
    }

    /// Behind its fence the target is compared once; what is in the same revision since is equal still.
    pub(super) fn settle_glance_target(&mut self, outcome: Outcome) {
        let seen = match outcome {
            Outcome::Glance(seen) => seen,
            other => return self.refused("listing the target", other),
        };
        let by_key: HashMap<&ObjectKey, &Seen> = seen.iter().map(|seen| (&seen.key, seen)).collect();
        let mut problems = Vec::new();
        let mut others = Vec::new();
        for (index, item) in self.stage.items().iter().enumerate() {
            match by_key.get(&item.key) {
                None => problems.push(missing(&item.key)),
                Some(seen) if item.target.as_ref().is_none_or(|revision| revision.uid != seen.uid) => {
                    problems.push(replaced(&item.key));
                }
                Some(seen) if item.verified.as_ref() == Some(&seen.resource_version) => {}
                Some(_) => others.push(index),
            }
        }
        if !problems.is_empty() {
            self.target_differs(&problems);
        } else if others.len() > ONE_BY_ONE {
            self.push(Step::ListTarget);
        } else {
            self.pending += others.len();
            for index in others {
                self.push(Step::Examine(index));
            }
            self.verified_one_side();
        }
    }

    pub(super) fn settle_examine(&mut self, index: usize, outcome: Outcome) {
        let found = match outcome {
            Outcome::Read(found) => found,
            other => return self.refused(&format!("reading {}", self.stage.item(index).key), other),
        };
        // A set would be made anew for every object that is read.
        let is_live = |uid: &Uid| self.uids_in_target().any(|live| live == uid);
        let mut comparison = Comparison::default();
        self.compare(index, found.as_deref(), is_live, &mut comparison);
        self.compared(comparison);
    }

    pub(super) fn settle_list_target(&mut self, outcome: Outcome) {
        let found = match outcome {
            Outcome::Inventory(inventory) => inventory,
            other => return self.refused("listing the target", other),
        };
        let live: HashSet<&Uid> = self.uids_in_target().collect();
        let is_live = |uid: &Uid| live.contains(uid);
        let mut comparison = Comparison::default();
        for (index, item) in self.stage.items().iter().enumerate() {
            let existing = found.get(&item.key).map(|object| &object.manifest);
            self.compare(index, existing, is_live, &mut comparison);
        }
        self.compared(comparison);
    }

    fn uids_in_target(&self) -> impl Iterator<Item = &Uid> {
        self.stage.items().iter().filter_map(|item| item.target.as_ref()).map(|revision| &revision.uid)
    }

    /// One staged object with what it was to become.
    fn compare(
        &self,
        index: usize,
        existing: Option<&Manifest>,
        is_live: impl Fn(&Uid) -> bool,
        comparison: &mut Comparison,
    ) {
        let item = self.stage.item(index);
        let problems = &mut comparison.problems;
        let Some(existing) = existing else { return problems.push(missing(&item.key)) };
        if item.target.as_ref().is_none_or(|revision| revision.uid != existing.uid()) {
            return problems.push(replaced(&item.key));
        }
        comparison.revisions.push((index, Revision::of(existing)));
        if item.foreign {
            return;
        }
        for difference in self.field_differences(index, existing) {
            let text = format!("{}: {}", difference.path, difference.difference);
            if difference.is_loss() {
                problems.push(format!("{} {text}", item.key));
            } else {
                comparison.additions.push((item.key.clone(), text));
            }
        }
        problems.extend(wrong_owners(&item.key, existing, is_live));
    }

    fn compared(&mut self, comparison: Comparison) {
        let Comparison { problems, additions, revisions } = comparison;
        if !problems.is_empty() {
            return self.target_differs(&problems);
        }
        for (index, revision) in revisions {
            let item = &mut self.stage.items[index];
            item.verified = Some(revision.resource_version.clone());
            item.target = Some(revision);
        }
        if let Some((key, text)) = additions.first() {
            let others = additions.len() - 1;
            let more = if others > 0 { format!(" (and {others} more fields)") } else { String::new() };
            let message = format!("the target added a field: {text}{more}");
            self.notices.push(Notice::Warning { object: Some(key.clone()), message });
        }
        self.verified_one_side();
    }

    fn target_differs(&mut self, problems: &[String]) {
        let shown: Vec<_> = problems.iter().take(5).cloned().collect();
        let more =
            if problems.len() > 5 { format!(" (and {} more)", problems.len() - 5) } else { String::new() };
        self.fail(format!("the target differs from the snapshot: {}{more}", shown.join("; ")));
    }

    fn verified_one_side(&mut self) {
        self.pending -= 1;
        if self.pending > 0 {
            return;
        }
        if self.phase == Phase::PreCopy {
            self.staged();
        } else if self.dirty.is_empty() {
            self.advance(format!("{} objects are equal on both sides", self.stage.items().len()));
        } else {
            self.resnapshot();
        }
    }
}

/// What a comparison found.
#[derive(Default)]
struct Comparison {
    problems: Vec<String>,
    /// Fields that the target has by itself.
    additions: Vec<(ObjectKey, String)>,
    /// Of the objects that are there, by position.
    revisions: Vec<(usize, Revision)>,
}

fn missing(key: &ObjectKey) -> String {
    format!("{key} is missing")
}

fn replaced(key: &ObjectKey) -> String {
    format!("{key} is another instance than the one staged")
}

/// Owner references must lead to the live owners: a uid of the source would let the garbage collector delete the object.
fn wrong_owners(key: &ObjectKey, existing: &Manifest, is_live: impl Fn(&Uid) -> bool) -> Vec<String> {
    let owners = existing.owner_references().into_iter().filter(|owner| !is_live(&owner.uid));
    let wrong =
        owners.map(|o| format!("{key} names an owner {} {} that is not in the target", o.kind, o.name));
    wrong.collect()
}
