//! Annotations that a pivot leaves on objects (DESIGN section 2).

use serde_json::Value;

use crate::object::Manifest;

/// All annotations with this prefix are ours: no comparison counts them, and the next pivot renews them.
pub const PREFIX: &str = "pivot.metal3.io/";
/// Provenance: the pivot that created the object.
pub const PIVOT_ID: &str = "pivot.metal3.io/id";
/// Provenance: uid of the object in the source.
pub const SOURCE_UID: &str = "pivot.metal3.io/source-uid";
/// Provenance: what the object was in the source when it was staged. Its revision; a digest of a kind that we pause, which makes
/// revisions too.
pub const SOURCE_VERSION: &str = "pivot.metal3.io/source-version";
/// On a host: `status.provisioning.state` in the snapshot, so that whether it left its state can be told when the source is gone.
pub const ARRIVED_AS: &str = "pivot.metal3.io/arrived-as";
/// PivotedReady: the object is complete in the target (spec, links, status). Its value is the pivot's id.
pub const PIVOTED_READY: &str = "pivot.metal3.io/pivoted-ready";

/// On a Deployment: the pivot whose fence holds it. Whoever else is undone leaves it alone.
pub const HELD_BY: &str = "pivot.metal3.io/held-by";
/// On a Deployment: a pivot stopped it because another cluster acts now; its value is how many replicas it had.
pub const REPLICAS: &str = "pivot.metal3.io/replicas";
/// On such a Deployment: its leader leases, by name, with commas between them. Nobody holds them, so nothing else tells whose they are.
pub const LEASES: &str = "pivot.metal3.io/leases";

/// True where `id` created this object.
pub fn is_ours(manifest: &Manifest, id: &str) -> bool {
    manifest.annotation(PIVOT_ID) == Some(id)
}

/// True where `id` declared this object complete.
pub fn is_ready(manifest: &Manifest, id: &str) -> bool {
    manifest.annotation(PIVOTED_READY) == Some(id)
}

/// Removes the annotations of an object that are not to stay, and the map with them where nothing is left.
pub(crate) fn retain_annotations(object: &mut Value, stays: impl Fn(&str) -> bool) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else { return };
    annotations.retain(|key, _| stays(key));
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}

/// Removes our annotations.
pub(crate) fn strip(object: &mut Value) {
    retain_annotations(object, |key| !key.starts_with(PREFIX));
}
