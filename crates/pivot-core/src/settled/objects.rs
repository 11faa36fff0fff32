//! What is asked of every object that arrived.

use super::{Aspect, host};
use crate::check;
use crate::condition::Condition;
use crate::inventory::{Inventory, Object};
use crate::kind::{CLUSTER_NAME_LABEL, GroupKind};
use crate::marks;
use crate::object::ObjectKey;
use crate::pause::{CLUSTER_API_PAUSED, HOST_PAUSED, PauseField};

const CLUSTER_API: &str = "cluster.x-k8s.io";
const CLUSTER: &str = "Cluster";

pub(super) fn complete(object: &Object, pivot: &str, tell: &mut impl FnMut(Aspect, String)) {
    if object.manifest.is_terminating() {
        tell(Aspect::Complete, "is being deleted".to_owned());
    } else if !marks::is_ready(&object.manifest, pivot) {
        tell(Aspect::Complete, format!("pivot {pivot} has not completed it"));
    }
}

/// A pause that names the pivot is its own. Any other one is the user's once the target acts: until then nothing tells them apart.
pub(super) fn opened(object: &Object, pivot: &str, acts: bool, tell: &mut impl FnMut(Aspect, String)) {
    let Some(field) = PauseField::of(&object.key.kind) else { return };
    let is_named = field == PauseField::Annotation(HOST_PAUSED);
    if field.read(&object.manifest) == field.paused(pivot) && (is_named || !acts) {
        tell(Aspect::Opened, format!("is still paused by pivot {pivot}"));
    }
}

/// Why no controller of the target can have looked at it since it is there.
pub(super) fn not_taken_up(object: &Object, there: &Inventory) -> Option<String> {
    host::not_registered(object, there)
        .or_else(|| says_paused(object, there))
        .or_else(|| check::unseen(&object.manifest))
}

fn says_paused(object: &Object, there: &Inventory) -> Option<String> {
    let paused = Condition::find(&object.manifest, "Paused")?;
    (paused.is_true() && !is_paused(object, there))
        .then(|| "still says that it is paused: its controller has not looked at it".to_owned())
}

/// By itself, or by its Cluster.
fn is_paused(object: &Object, there: &Inventory) -> bool {
    let by_itself = |object: &Object| {
        let field = PauseField::of(&object.key.kind);
        object.manifest.annotation(CLUSTER_API_PAUSED).is_some()
            || field.is_some_and(|field| field.is_paused(&field.read(&object.manifest)))
    };
    by_itself(object) || cluster_of(object).and_then(|key| there.get(&key)).is_some_and(by_itself)
}

fn cluster_of(object: &Object) -> Option<ObjectKey> {
    let kind = GroupKind::new(CLUSTER_API, CLUSTER);
    let named = object.manifest.label(CLUSTER_NAME_LABEL).map(str::to_owned);
    let owners = object.manifest.owner_references();
    let name = named.or_else(|| owners.into_iter().find(|owner| owner.kind == kind).map(|owner| owner.name));
    Some(ObjectKey { kind, namespace: object.key.namespace.clone(), name: name? })
}

pub(super) fn steady(object: &Object, tell: &mut impl FnMut(Aspect, String)) {
    for (_, what) in check::under_way(object) {
        tell(Aspect::Steady, what);
    }
}
