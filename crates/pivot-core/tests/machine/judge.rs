//! The promise: A, the source active and as it was, nothing of ours in the target; or B, the target active and equal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pivot_core::machine::{Retire, Side};
use pivot_core::marks;
use pivot_core::object::ObjectKey;
use pivot_core::record::{Document as _, FenceMode, Ownership, Standing, State, ownership_key};
use pivot_core::select::Action;
use serde_json::{Value, json};

use crate::content::{content, instance, unpaused_content};
use crate::hand::is_record;
use crate::ironic;
use crate::laws::is_ours_by_place;
use crate::run::{Ending, PIVOT, Run};
use crate::server::{Server, namespace_key};

fn is_manager(key: &ObjectKey) -> bool {
    matches!(key.kind.kind.as_str(), "Lease" | "Deployment")
}

impl Run {
    /// The end that it came to is what it is said to be.
    pub(crate) fn assert_ended(&self, ending: Ending) {
        if !self.clusters.ghosts.is_empty() {
            return self.without_ghosts().assert_ended(ending);
        }
        match ending {
            Ending::Undone => self.assert_undone(self.denied),
            Ending::Moved if self.clusters.undisturbed => self.assert_moved(),
            Ending::Moved | Ending::Kept => self.assert_nothing_lost(),
        }
    }

    /// As if nothing had arrived too late.
    fn without_ghosts(&self) -> Self {
        let mut run = Self::left(&self.world, self.setup, self.clusters.clone());
        run.denied = self.denied;
        for (side, key) in std::mem::take(&mut run.clusters.ghosts) {
            let before = match side {
                Side::Source => run.clusters.shadow.objects.get(&key),
                Side::Target => run.clusters.before.get(&key),
            };
            match before.cloned() {
                Some(object) => drop(run.clusters.server_mut(side).objects.insert(key, object)),
                None => drop(run.clusters.server_mut(side).objects.remove(&key)),
            }
        }
        run
    }

    /// A: the same instances with the same content, and in the target only what others put there, and namespaces that they use
    /// or that `may_keep` says may be left.
    pub(crate) fn assert_undone(&self, may_keep: bool) {
        self.assert_source_as_it_was();
        self.assert_target_as_it_was(may_keep);
    }

    pub(crate) fn assert_target_as_it_was(&self, may_keep: bool) {
        let clusters = &self.clusters;
        for key in clusters.target.ours(PIVOT) {
            let inside = |other: &ObjectKey| other.namespace.as_deref() == Some(key.name.as_str());
            let kept = key.kind.kind == "Namespace" && (may_keep || clusters.foreign.keys().any(inside));
            assert!(kept, "{key} is left in the target");
        }
        let mut records = clusters.target.objects.keys().filter(|key| is_ours_by_place(key));
        let left = records.find(|key| !clusters.before.contains_key(key));
        assert_eq!(left, None, "a record is left in the target");
        assert_eq!(clusters.target.policies(), Vec::<&ObjectKey>::new(), "a fence is left in the target");
        self.assert_given_back(Side::Target);
        self.assert_foreign_untouched();
    }

    /// Of two pivots neither left anything.
    pub(crate) fn assert_undone_by_both(&self) {
        self.assert_undone(false);
        assert_eq!(self.clusters.target.ours("p2"), Vec::<&ObjectKey>::new());
        let state = self.clusters.state(Side::Source, "p2");
        assert!(matches!(state, None | Some(State::Aborted)), "the source's record says {state:?}");
    }

    pub(crate) fn assert_source_as_it_was(&self) {
        ironic::assert_up(&self.clusters, Side::Source);
        let clusters = &self.clusters;
        let keys = clusters.source.objects.keys().chain(clusters.shadow.objects.keys());
        for key in keys.filter(|key| !is_record(key)) {
            let view = |server: &Server| server.objects.get(key).map(|object| instance(object));
            assert_eq!(
                view(&clusters.source),
                view(&clusters.shadow),
                "{key} of the source is not as it was"
            );
        }
        assert_eq!(clusters.source.policies(), Vec::<&ObjectKey>::new(), "a fence is left in the source");
        self.assert_given_back(Side::Source);
        let state = clusters.state(Side::Source, PIVOT);
        assert!(matches!(state, None | Some(State::Aborted)), "the source's record says {state:?}");
        if let Some(standing) = self.standing(Side::Source) {
            assert_eq!(standing, Standing::Active, "of the source");
        }
    }

    fn standing(&self, side: Side) -> Option<Standing> {
        let found = self.clusters.server(side).read(&ownership_key())?;
        Some(Ownership::from_object(&found).unwrap().standing)
    }

    /// The managers of a side are as they were, and nobody but them holds their leases.
    fn assert_given_back(&self, side: Side) {
        self.assert_managers(side, |_, _| {});
    }

    /// The target's run, and the source's stay down.
    fn assert_handed_over(&self, side: Side) {
        if self.setup.fence == FenceMode::Pause {
            return self.assert_given_back(side);
        }
        self.assert_managers(side, |key, object| {
            let (replicas, leases) = match (side, key.name.as_str()) {
                (Side::Target, _) => (None, None),
                (Side::Source, "electing") => (Some("2"), Some("election")),
                (Side::Source, _) => (Some("2"), None),
            };
            object["spec"]["replicas"] = if side == Side::Source { 0.into() } else { 2.into() };
            let notes = [(marks::REPLICAS, replicas), (marks::LEASES, leases)];
            let notes: BTreeMap<_, _> =
                notes.into_iter().filter_map(|(key, note)| Some((key, note?))).collect();
            object["metadata"]["annotations"] = if notes.is_empty() { Value::Null } else { json!(notes) };
        });
    }

    fn assert_managers(&self, side: Side, change: impl Fn(&ObjectKey, &mut Value)) {
        let server = self.clusters.server(side);
        let before = if side == Side::Source { &self.clusters.shadow.objects } else { &self.clusters.before };
        let view = |object: &Value| json!([object["spec"], object["metadata"]["annotations"]]);
        for (key, object) in before.iter().filter(|(key, _)| is_manager(key)) {
            let mut now = Value::clone(&server.objects[key]);
            let mut then = Value::clone(object);
            if key.kind.kind == "Lease" {
                let holder = now["spec"]["holderIdentity"].take();
                assert_eq!(holder.as_str().unwrap_or_default().find("pivotctl"), None);
                then["spec"]["holderIdentity"].take();
            } else {
                change(key, &mut then);
            }
            assert_eq!(view(&now), view(&then), "{key} on the {side} is not as it should be");
        }
    }

    fn assert_foreign_untouched(&self) {
        for (key, object) in &self.clusters.foreign {
            let now = self.clusters.target.objects.get(key);
            assert_eq!(now, Some(object), "{key} of the target is not as it was");
        }
    }

    /// B: what moved is in the target, equal and owned by what lives there, and gone from the source; the rest stayed.
    pub(crate) fn assert_moved(&self) {
        let clusters = &self.clusters;
        let staged: BTreeMap<_, _> = self.moved().into_iter().collect();
        let kept = self.setup.retire == Retire::Keep && !self.is_closed();
        for (key, object) in clusters.shadow.objects.iter().filter(|(key, _)| !is_record(key)) {
            let Some(action) = staged.get(key) else {
                let now = clusters.source.objects.get(key).map(|object| instance(object));
                assert_eq!(now, Some(instance(object)), "{key}");
                continue;
            };
            let there = clusters.target.objects.get(key);
            let there = there.unwrap_or_else(|| panic!("{key} is not in the target"));
            assert_eq!(
                content(there),
                content(&carried(&staged, self, object)),
                "{key} is another in the target"
            );
            if !clusters.dead.contains(&Side::Source) {
                let stays = clusters.source.objects.contains_key(key);
                assert_eq!(stays, kept || *action == Action::Copy, "{key} in the source");
            }
        }
        for (key, object) in clusters.target.objects.iter().filter(|(key, _)| !is_record(key)) {
            for owner in object["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
                assert!(clusters.target.has_uid(&owner["uid"]), "{key} has no owner {owner}");
            }
            let known = staged.contains_key(key) || clusters.foreign.contains_key(key);
            let namespace = *key == namespace_key(&key.name);
            assert!(known || namespace || is_ours_by_place(key), "{key} is left over in the target");
        }
        self.assert_foreign_untouched();
        self.assert_records_say_moved(kept);
    }

    fn assert_records_say_moved(&self, kept: bool) {
        ironic::assert_up(&self.clusters, Side::Target);
        let clusters = &self.clusters;
        assert_eq!(clusters.state(Side::Target, PIVOT), Some(State::Finished));
        assert_eq!(self.standing(Side::Target), Some(Standing::Active), "of the target");
        assert_eq!(clusters.target.policies(), Vec::<&ObjectKey>::new(), "a fence is left in the target");
        self.assert_handed_over(Side::Target);
        if clusters.dead.contains(&Side::Source) {
            return;
        }
        if !kept {
            self.assert_handed_over(Side::Source);
        }
        assert_eq!(clusters.state(Side::Source, PIVOT), Some(State::Finished));
        assert_eq!(self.standing(Side::Source), Some(Standing::Retired), "of the source");
        let fenced = kept && self.setup.fence == FenceMode::Full;
        assert_eq!(!clusters.source.policies().is_empty(), fenced, "the source's fence");
        let chunks = clusters.target.objects.keys().filter(|key| key.name.contains("-snap-")).count();
        assert_eq!(chunks > 0, kept, "chunks of the snapshot");
    }

    fn is_closed(&self) -> bool {
        self.clusters.record(Side::Target, PIVOT).is_some_and(|record| record.snapshot.is_none())
    }

    /// What moved and what was copied, by the last coordinator; of a pivot that had ended already, by the world.
    fn moved(&self) -> Vec<(ObjectKey, Action)> {
        let staged = self.staged();
        if !staged.is_empty() {
            return staged;
        }
        let blueprint = crate::survey::survey_of(&self.clusters.shadow);
        let staged = blueprint.staged_objects();
        staged.map(|(id, object)| (object.key.clone(), blueprint.selection.action(id))).collect()
    }

    /// Whatever else happened, every object is somewhere.
    pub(crate) fn assert_nothing_lost(&self) {
        let said = |object: &Arc<Value>| {
            let mut content = unpaused_content(object);
            content["metadata"]["ownerReferences"] = Value::Null;
            content
        };
        let clusters = &self.clusters;
        for (key, object) in clusters.shadow.objects.iter().filter(|(key, _)| !is_record(key)) {
            let is_in = |server: &Server| server.objects.get(key).map(said) == Some(said(object));
            // Owners in a circle have no last one: with the pause alone, what changes among them in RETIRE the garbage collector
            // takes with the first of them. It also takes what somebody adds to an object that is about to go (ARCHITECTURE.md, limits
            // of `--fence=pause`), or adds behind the fence to one that is gone, and what somebody deletes is going anyway.
            let excused = (self.setup.fence == FenceMode::Pause && clusters.shadow.is_in_owner_cycle(key))
                || clusters.late.contains(key)
                || object["metadata"]["deletionTimestamp"].is_string();
            assert!(excused || is_in(&clusters.source) || is_in(&clusters.target), "{key} is lost");
        }
        self.assert_foreign_untouched();
    }
}

/// An owner that somebody removed, or that stays, is not carried.
fn carried(staged: &BTreeMap<ObjectKey, Action>, run: &Run, object: &Value) -> Value {
    let shadow = &run.clusters.shadow.objects;
    let carried: BTreeSet<&str> =
        staged.keys().filter_map(|key| shadow.get(key)?["metadata"]["uid"].as_str()).collect();
    let mut object = object.clone();
    if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
        owners.retain(|owner| owner["uid"].as_str().is_some_and(|uid| carried.contains(uid)));
        if owners.is_empty() {
            object["metadata"]["ownerReferences"] = Value::Null;
        }
    }
    object
}
