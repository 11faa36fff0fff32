//! What must hold of every write, and after every step, whatever happens.

use pivot_core::fence::canary_key;
use pivot_core::machine::{Op, Side, Write};
use pivot_core::marks;
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::pause::PauseField;
use pivot_core::record::{FenceMode, NAMESPACE, State, pivot_key};
use serde_json::Value;

use crate::admission::Author;
use crate::clusters::Clusters;
use crate::content::unpaused_content;
use crate::hand::{Hand, is_record};
use crate::ironic;

pub(crate) fn before_write(hand: &Hand, clusters: &Clusters, write: &Write) {
    is_guarded(write);
    gives_no_lease_to_the_living(hand, clusters, write);
    let Write { side, key, op } = write;
    match side {
        Side::Source if is_record(key) => {
            let removes_fence =
                key.kind.group == "admissionregistration.k8s.io" && matches!(op, Op::Delete { .. });
            if removes_fence {
                may_open_source(hand, clusters, "the fence goes");
            }
        }
        Side::Source => source_write(hand, clusters, key, op),
        Side::Target if is_record(key) => {}
        Side::Target => target_write(hand, clusters, key, op),
    }
}

fn is_guarded(write: &Write) {
    let Write { key, op, .. } = write;
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    match op {
        Op::Create { body, .. } => {
            assert_eq!(body["metadata"]["uid"], Value::Null, "{key}");
            assert_eq!(body["metadata"]["resourceVersion"], Value::Null, "{key}");
        }
        Op::Replace { body, .. } | Op::Status { body, .. } => {
            assert!(text(&body["metadata"]["resourceVersion"]), "{key} is written without a guard");
        }
        Op::Merge { patch, .. } => {
            let guarded = text(&patch["metadata"]["uid"]) || text(&patch["metadata"]["resourceVersion"]);
            assert!(guarded, "{key} is patched without a guard");
        }
        Op::Delete { uid, .. } => assert!(!uid.0.is_empty(), "{key} is deleted without a guard"),
    }
}

/// R2: once prepared, only the target's word opens the source again.
fn may_open_source(hand: &Hand, clusters: &Clusters, what: &str) {
    let history = clusters.history(&hand.id);
    let answered = history.called_off || history.committed || clusters.dead.contains(&Side::Target);
    assert!(!history.prepared || answered, "{what} from the prepared source without the target's word");
}

/// A lease is given back where no pod is left that must not lead: of the source once the target acts, of a target that slept before
/// where it does not come to act.
fn gives_no_lease_to_the_living(hand: &Hand, clusters: &Clusters, write: &Write) {
    let Write { side, key, op } = write;
    // A guard that does not hold makes it a look.
    let Op::Merge { patch, .. } = op else { return };
    let live = clusters.server(*side).read(key);
    let meets = live.is_some_and(|live| patch["metadata"]["resourceVersion"] == live.resource_version());
    if !meets || patch["spec"]["holderIdentity"] != "" {
        return;
    }
    let committed = clusters.is_committed(&hand.id) && !clusters.dead.contains(&Side::Target);
    let must_not_lead = |deployment: &ObjectKey| match side {
        Side::Source => committed,
        Side::Target => !committed && clusters.before[deployment]["spec"]["replicas"] == 0,
    };
    let alive = clusters.server(*side).alive().map(|(deployment, _)| deployment);
    let alive = alive.filter(|deployment| deployment.name == "electing").find(|&it| must_not_lead(it));
    assert_eq!(alive, None, "{key} on the {side} is given back while its managers live");
}

fn source_write(hand: &Hand, clusters: &Clusters, key: &ObjectKey, op: &Op) {
    let history = clusters.history(&hand.id);
    assert!(history.movable.contains(key), "{key} does not move, and is written in the source");
    let strips = matches!(op, Op::Merge { patch, .. } if patch["metadata"].get("finalizers").is_some());
    if strips || matches!(op, Op::Delete { .. }) {
        assert!(history.committed, "{key} is removed from the source before the decision");
        if let Op::Delete { uid, .. } = op {
            let planned = hand.machine.blueprint().source.inventory.get(key).map(|object| &object.uid);
            assert_eq!(planned, Some(uid), "{key} is deleted as another instance than the planned one");
            // No controller may ever meet it on its way out with its finalizers on.
            let live = clusters.source.read(key).filter(|live| live.uid() == *uid);
            let held = live.is_some_and(|live| live.finalizers().next().is_some() && !live.is_terminating());
            assert!(!held || hand.fence == FenceMode::Pause, "{key} is deleted with its finalizers on");
        }
        return;
    }
    assert!(matches!(op, Op::Merge { .. }), "{key} is written in the source by {op:?}");
    let undone = clusters.dead.contains(&Side::Target);
    assert!(!history.committed || undone, "{key} is written in the source after the decision");
    if hand.rolling_back {
        may_open_source(hand, clusters, "a pause goes");
    }
}

fn target_write(hand: &Hand, clusters: &Clusters, key: &ObjectKey, op: &Op) {
    let target = &clusters.target;
    if let Op::Create { body, .. } = op {
        for owner in body["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
            // Somebody may have removed it, or an owner of it: then it was collected.
            let exists = target.has_uid(&owner["uid"]) || clusters.usurped;
            assert!(exists, "{key} is created before its owner {owner}");
        }
        if hand.fence == FenceMode::Full && key.kind.kind != "Namespace" {
            let fenced = target.refuses(&Author::Anybody, &canary_key(&hand.id), false);
            assert!(fenced, "{key} is created in a target without a fence");
        }
        // What somebody removed was ready before.
        if !target.objects.contains_key(key) && !clusters.usurped {
            comes_after_its_needs(hand, clusters, key);
        }
        return;
    }
    // A write that does not meet what it expects is refused; one that does must meet what is ours.
    let Some(live) = target.read(key) else { return };
    let expected = match op {
        Op::Replace { body, .. } | Op::Status { body, .. } => &body["metadata"]["resourceVersion"],
        Op::Merge { patch, .. } => &patch["metadata"]["resourceVersion"],
        Op::Delete { uid, .. } => {
            assert!(marks::is_ours(&live, &hand.id) || live.uid() != *uid, "{key} is not ours, and deleted");
            return;
        }
        Op::Create { .. } => return,
    };
    let ours = marks::is_ours(&live, &hand.id);
    assert!(ours || *expected != live.resource_version(), "{key} is not ours, and overwritten");
}

/// What an object needs is ready before it is created, unless that is part of a cycle of owners.
fn comes_after_its_needs(hand: &Hand, clusters: &Clusters, key: &ObjectKey) {
    let blueprint = hand.machine.blueprint();
    let Some(id) = blueprint.source.inventory.find(key) else { return };
    for &need in &blueprint.order.needs[&id] {
        if blueprint.order.deferred_owners.iter().any(|(dependent, _)| *dependent == need) {
            continue;
        }
        let need = &blueprint.object(need).key;
        let ready = clusters.target.read(need).is_some_and(|found| marks::is_ready(&found, &hand.id));
        assert!(ready || clusters.foreign.contains_key(need), "{key} is created before {need} is ready");
    }
}

pub(crate) fn after_write(hand: &Hand, clusters: &mut Clusters, write: &Write) {
    if write.key != pivot_key(&hand.id) {
        return;
    }
    let state = clusters.state(write.side, &hand.id);
    let before = clusters.history(&hand.id);
    match (write.side, state) {
        (Side::Source, Some(State::Prepared)) => {
            clusters.history.entry(hand.id.clone()).or_default().prepared = true;
        }
        (Side::Target, Some(State::Committed)) if !before.committed => {
            is_decided_rightly(hand, clusters);
            clusters.undisturbed &= hand.sightings.is_empty();
            let history = clusters.history.entry(hand.id.clone()).or_default();
            history.committed = true;
            history.decided_by = Some(hand.token.clone());
        }
        (Side::Target, Some(State::Committed | State::Finished)) => {}
        (Side::Target, state) => {
            assert!(!before.committed, "{state:?} in the target after the decision");
            if state == Some(State::Aborted) {
                clusters.history.entry(hand.id.clone()).or_default().called_off = true;
            }
        }
        (Side::Source, state) => {
            let back = matches!(state, Some(State::Aborting | State::Aborted));
            let undone = clusters.dead.contains(&Side::Target);
            assert!(!(back && before.committed) || undone, "{state:?} in the source after the decision");
        }
    }
}

fn is_decided_rightly(hand: &Hand, clusters: &Clusters) {
    let id = &hand.id;
    let source_dead = clusters.dead.contains(&Side::Source);
    let prepared = clusters.state(Side::Source, id) == Some(State::Prepared);
    assert!(prepared || source_dead, "committed before the source was prepared");
    assert!(!clusters.history(id).called_off, "committed after it was called off");
    if hand.fence == FenceMode::Full {
        let stands = |side| clusters.server(side).refuses(&Author::Anybody, &canary_key(id), false);
        assert!(stands(Side::Target), "committed without a fence around the target");
        assert!(stands(Side::Source), "committed without a fence around the source");
    }
    assert!(!clusters.acts(Side::Source) || clusters.meddled, "committed while the source acts");
    is_complete(hand, clusters);
}

/// At the decision the target has everything, complete and paused.
fn is_complete(hand: &Hand, clusters: &Clusters) {
    for (_, object) in hand.machine.blueprint().staged_objects() {
        let there = clusters.target.read(&object.key);
        let there = there.unwrap_or_else(|| panic!("{} is not in the target at the decision", object.key));
        if clusters.foreign.contains_key(&object.key) {
            continue;
        }
        let said = |object: &Manifest| {
            let mut content = unpaused_content(object.value());
            content["metadata"]["ownerReferences"] = Value::Null;
            content
        };
        assert_eq!(said(&there), said(&object.manifest), "{}", object.key);
        assert!(marks::is_ready(&there, &hand.id), "{} is not ready at the decision", object.key);
        if let Some(field) = PauseField::of(&object.key.kind) {
            assert!(field.is_paused(&field.read(&there)), "{} acts at the decision", object.key);
        }
    }
}

/// I1: never do both sides act.
pub(crate) fn after_step(clusters: &Clusters) {
    ironic::after_step(clusters);
    if !clusters.meddled && clusters.dead.is_empty() && clusters.acts(Side::Target) {
        assert!(!clusters.acts(Side::Source), "both sides act");
    }
}

/// True for what lives in the namespace of the records.
pub(crate) fn is_ours_by_place(key: &ObjectKey) -> bool {
    key.namespace.as_deref() == Some(NAMESPACE) || key.name == NAMESPACE
}
