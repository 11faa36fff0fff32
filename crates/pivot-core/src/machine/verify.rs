//! VERIFY: both sides are listed again and compared, before anything is decided.

use std::collections::{HashMap, HashSet};

use super::Machine;
use super::effect::{Outcome, Revision, Seen};
use super::notice::Notice;
use super::step::Step;
use crate::object::{Manifest, ObjectKey, Uid};

impl Machine {
    pub(super) fn begin_verify(&mut self) {
        self.pending = 1;
        if !self.gone.source {
            self.pending = 2;
            self.push(Step::GlanceSource);
        }
        self.push(Step::ListTarget);
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
        self.dirty.extend(dirty);
        self.verified_one_side();
    }

    pub(super) fn settle_list_target(&mut self, outcome: Outcome) {
        let found = match outcome {
            Outcome::Inventory(inventory) => inventory,
            other => return self.refused("listing the target", other),
        };
        let mut problems = Vec::new();
        let mut additions = Vec::new();
        let mut revisions = Vec::new();
        let live: HashSet<&Uid> =
            self.stage.items().iter().filter_map(|item| item.target.as_ref()).map(|r| &r.uid).collect();
        for (index, item) in self.stage.items().iter().enumerate() {
            let Some(existing) = found.get(&item.key) else {
                problems.push(format!("{} is missing", item.key));
                continue;
            };
            if item.target.as_ref().is_none_or(|revision| revision.uid != existing.uid) {
                problems.push(format!("{} is another instance than the one staged", item.key));
                continue;
            }
            revisions.push((item.key.clone(), Revision::of(&existing.manifest)));
            if item.foreign {
                continue;
            }
            for difference in self.field_differences(index, &existing.manifest) {
                let text = format!("{}: {}", difference.path, difference.difference);
                if difference.is_loss() {
                    problems.push(format!("{} {text}", item.key));
                } else {
                    additions.push((item.key.clone(), text));
                }
            }
            problems.extend(wrong_owners(&item.key, &existing.manifest, &live));
        }
        if !problems.is_empty() {
            let shown: Vec<_> = problems.iter().take(5).cloned().collect();
            let more = if problems.len() > 5 {
                format!(" (and {} more)", problems.len() - 5)
            } else {
                String::new()
            };
            self.fail(format!("the target differs from the snapshot: {}{more}", shown.join("; ")));
            return;
        }
        for (key, revision) in revisions {
            self.stage.update(&key, revision);
        }
        if let Some((key, text)) = additions.first() {
            let others = additions.len() - 1;
            let more = if others > 0 { format!(" (and {others} more fields)") } else { String::new() };
            let message = format!("the target added a field: {text}{more}");
            self.notices.push(Notice::Warning { object: Some(key.clone()), message });
        }
        self.verified_one_side();
    }

    fn verified_one_side(&mut self) {
        self.pending -= 1;
        if self.pending > 0 {
            return;
        }
        if self.dirty.is_empty() {
            self.advance(format!("{} objects are equal on both sides", self.stage.items().len()));
        } else {
            self.resnapshot();
        }
    }
}

/// Owner references must lead to the live owners: a uid of the source would let the garbage collector delete the object.
fn wrong_owners(key: &ObjectKey, existing: &Manifest, live: &HashSet<&Uid>) -> Vec<String> {
    let owners = existing.owner_references().into_iter().filter(|owner| !live.contains(&owner.uid));
    let wrong =
        owners.map(|o| format!("{key} names an owner {} {} that is not in the target", o.kind, o.name));
    wrong.collect()
}
