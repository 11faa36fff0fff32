//! The promise: A, the source active and as it was, nothing of ours in the target; or B, the target active and equal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pivot_core::machine::{Active, End};
use pivot_core::object::ObjectKey;
use pivot_core::select::Action;
use proptest::prelude::*;
use serde_json::Value;

use crate::chance::{anything, config, crowded, passing};
use crate::content::{content, instance, unpaused_content};
use crate::run::{PIVOT, Run};
use crate::server::{Server, namespace_key};
use crate::world::world;

/// Longer than all trouble of one run together.
const PATIENT: Duration = Duration::from_secs(3_600);

impl Run {
    /// A: the same instances with the same content, and in the target only what others put there, and namespaces that they use
    /// or that `may_keep` says may be left.
    pub(crate) fn assert_undone(&self, may_keep: bool) {
        let keys = self.source.objects.keys().chain(self.shadow.objects.keys());
        for key in keys {
            let view = |server: &Server| server.objects.get(key).map(instance);
            assert_eq!(view(&self.source), view(&self.shadow), "{key} of the source is not as it was");
        }
        for key in self.target.ours(PIVOT) {
            let inside = |other: &ObjectKey| other.namespace.as_deref() == Some(key.name.as_str());
            let kept = key.kind.kind == "Namespace" && (may_keep || self.foreign.keys().any(inside));
            assert!(kept, "{key} is left in the target");
        }
        assert_foreign_untouched(self);
    }
}

fn assert_foreign_untouched(run: &Run) {
    for (key, object) in &run.foreign {
        assert_eq!(run.target.objects.get(key), Some(object), "{key} of the target is not as it was");
    }
}

/// B: what moved is in the target, equal and owned by what lives there, and gone from the source; the rest stayed.
fn assert_moved(run: &Run) {
    let staged: BTreeMap<_, _> = run.staged().into_iter().collect();
    for (key, object) in &run.shadow.objects {
        match staged.get(key) {
            Some(action) => {
                let there =
                    run.target.objects.get(key).unwrap_or_else(|| panic!("{key} is not in the target"));
                assert_eq!(content(there), content(&carried(run, object)), "{key} is another in the target");
                let stays = run.source.objects.contains_key(key);
                assert_eq!(stays, *action == Action::Copy, "{key} in the source");
            }
            None => assert_eq!(run.source.objects.get(key).map(instance), Some(instance(object)), "{key}"),
        }
    }
    for (key, object) in &run.target.objects {
        for owner in object["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
            assert!(run.target.has_uid(&owner["uid"]), "{key} has no owner {owner}");
        }
        let known = staged.contains_key(key) || run.foreign.contains_key(key);
        assert!(known || *key == namespace_key(&key.name), "{key} is left over in the target");
    }
    assert_foreign_untouched(run);
}

/// An owner that somebody removed, or that stays, is not carried.
fn carried(run: &Run, object: &Value) -> Value {
    let staged: BTreeSet<_> = run.staged().into_iter().map(|(key, _)| key).collect();
    let comes_along = |uid: &Value| {
        let mut owners = run.shadow.objects.iter().filter(|(_, owner)| owner["metadata"]["uid"] == *uid);
        owners.any(|(key, _)| staged.contains(key))
    };
    let mut object = object.clone();
    if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
        owners.retain(|owner| comes_along(&owner["uid"]));
        if owners.is_empty() {
            object["metadata"]["ownerReferences"] = Value::Null;
        }
    }
    object
}

/// Whatever else happened, every object is somewhere.
fn assert_nothing_lost(run: &Run) {
    let said = |object: &Value| {
        let mut content = unpaused_content(object);
        content["metadata"]["ownerReferences"] = Value::Null;
        content
    };
    for (key, object) in &run.shadow.objects {
        let is_in = |server: &Server| server.objects.get(key).map(said) == Some(said(object));
        assert!(is_in(&run.source) || is_in(&run.target), "{key} is lost");
    }
    assert_foreign_untouched(run);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn passing_trouble_changes_nothing(world in world(), room in 1usize..8, choices in passing()) {
        let Some(mut run) = Run::new(&world, room, PATIENT) else { return Ok(()) };
        let end = run.drive(&choices);
        prop_assert!(matches!(end, End::Done { .. }), "{end:?}");
        assert_moved(&run);
    }

    #[test]
    fn it_is_moved_or_undone_whatever_people_do(world in world(), room in 1usize..8, choices in crowded()) {
        let Some(mut run) = Run::new(&world, room, PATIENT) else { return Ok(()) };
        let end = run.drive(&choices);
        match &end {
            End::RolledBack { .. } => run.assert_undone(false),
            End::Done { .. } if run.undisturbed => assert_moved(&run),
            End::Done { .. } | End::CleanupPending { .. } => {
                prop_assert!(!run.undisturbed, "{end:?}");
                assert_nothing_lost(&run);
            }
            _ => prop_assert!(false, "{end:?}"),
        }
    }

    #[test]
    fn a_refusal_for_good_leaves_one_side_to_say_so(world in world(), room in 1usize..8, choices in anything()) {
        let Some(mut run) = Run::new(&world, room, Duration::from_secs(2)) else { return Ok(()) };
        let end = run.drive(&choices);
        match &end {
            End::RolledBack { .. } => run.assert_undone(true),
            End::Done { .. } => assert_moved(&run),
            _ => assert_nothing_lost(&run),
        }
        // In doubt means that the record may say anything.
        let in_doubt = matches!(end, End::InDoubt { .. });
        let says_so = in_doubt || (end.active() == Active::Target) == run.is_decided();
        prop_assert!(says_so, "{:?} in {}", &end, run.phase());
        let decided = matches!(end, End::CleanupPending { .. } | End::Done { .. });
        prop_assert!(!decided || run.is_decided(), "{:?}", end);
    }
}
