//! What the objects on both sides tell.

use std::collections::BTreeMap;

use pivot_core::inventory::{Inventory, Object};
use pivot_core::machine::Active;
use pivot_core::marks;
use pivot_core::pause::PauseField;
use serde::Serialize;

use crate::verify::staged_by_pivots;

/// What a side holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Objects that a move from here would take or copy, or, in the target, that a pivot brought.
    pub objects: usize,
    /// Clusters, ClusterClasses and hosts among them that are paused.
    pub paused: usize,
    /// Clusters, ClusterClasses and hosts among them.
    pub pausable: usize,
}

/// What a pivot left in the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PivotStatus {
    /// Objects it staged.
    pub staged: usize,
    /// Those that are PivotedReady.
    pub ready: usize,
    /// Those whose original is still in the source.
    pub in_source: usize,
    /// Those that it paused and that still are.
    pub paused: usize,
}

pub(super) fn content(objects: &[&Object]) -> Content {
    let pausable = objects.iter().filter_map(|object| Some((PauseField::of(&object.key.kind)?, *object)));
    let paused = pausable.clone().filter(|(field, object)| field.is_paused(&field.read(&object.manifest)));
    Content { objects: objects.len(), paused: paused.count(), pausable: pausable.count() }
}

pub(super) fn pivots(there: &Inventory, source: &Inventory) -> BTreeMap<String, PivotStatus> {
    let mut pivots: BTreeMap<String, PivotStatus> = BTreeMap::new();
    for (object, id) in staged_by_pivots(there) {
        let status = pivots.entry(id.to_owned()).or_default();
        status.staged += 1;
        status.ready += usize::from(marks::is_ready(&object.manifest, id));
        let original = source.get(&object.key);
        let source_uid = object.manifest.annotation(marks::SOURCE_UID);
        status.in_source +=
            usize::from(original.is_some_and(|original| source_uid == Some(original.uid.0.as_str())));
        let field = PauseField::of(&object.key.kind);
        status.paused +=
            usize::from(field.is_some_and(|field| field.read(&object.manifest) == field.paused(id)));
    }
    pivots
}

/// By the objects alone, for clusters without records: the target acts once everything of a pivot is complete there and opened; what the
/// source still holds is then what it kept.
pub(super) fn active(here: &[&Object], pivots: &BTreeMap<String, PivotStatus>, two: bool) -> Option<Active> {
    if !two {
        return (!here.is_empty()).then_some(Active::Source);
    }
    let under_way = pivots.values().any(|p| p.in_source > 0 && (p.paused > 0 || p.ready < p.staged));
    let target_acts = pivots.values().any(|p| p.staged > 0 && p.ready == p.staged && p.paused == 0);
    let kept = pivots.values().map(|p| p.in_source).sum::<usize>();
    match (here.is_empty(), under_way, target_acts) {
        (_, true, _) => Some(Active::Neither),
        (true, false, true) => Some(Active::Target),
        (false, false, true) if kept > 0 => Some(Active::Target),
        (false, false, _) => Some(Active::Source),
        (true, false, false) => None,
    }
}
