//! Whether the target can take what moves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{CheckId, Finding};
use crate::carried_status;
use crate::content::{FieldDifference, comparable, differences};
use crate::inventory::{Object, ObjectId};
use crate::kind::{GroupKind, KindCatalog};
use crate::marks;
use crate::object::Manifest;
use crate::pause::PauseField;
use crate::plan::{Blueprint, Claim, Origin, TargetFacts};
use crate::schema::pruned_fields;
use crate::select::{Action, is_named_by_content};

pub(super) fn check(blueprint: &Blueprint, target: &TargetFacts, findings: &mut Vec<Finding>) {
    kinds(blueprint, target, findings);
    for (id, object) in blueprint.staged_objects() {
        pruning(blueprint, target, object, findings);
        if let Some(existing) = target.inventory.get(&object.key) {
            taken(blueprint, id, object, &existing.manifest, findings);
        }
    }
    for namespace in blueprint.staged_namespaces() {
        if target.namespaces.get(namespace).is_some_and(Manifest::is_terminating) {
            findings.push(Finding::error(
                CheckId::NamespaceTerminating,
                None,
                format!("namespace {namespace} is being deleted in the target"),
                "wait until it is gone",
            ));
        }
    }
    quotas(blueprint, target, findings);
}

fn kinds(blueprint: &Blueprint, target: &TargetFacts, findings: &mut Vec<Finding>) {
    for kind in blueprint.staged_kinds() {
        let Some(here) = blueprint.source.inventory.kinds.get(kind) else { continue };
        let objects = || blueprint.staged_objects().filter(|(_, object)| object.key.kind == *kind);
        let example = objects().next().map(|(_, object)| &object.key);
        match target.inventory.kinds.get(kind) {
            None => findings.push(Finding::error(
                CheckId::KindMissing,
                example,
                format!("the target does not know the kind {kind} ({} objects)", objects().count()),
                "install its provider or its CRD in the target",
            )),
            Some(there) if KindCatalog::shared_version(here, there).is_none() => {
                let list =
                    |info: &crate::kind::KindInfo| info.served.iter().cloned().collect::<Vec<_>>().join(", ");
                findings.push(Finding::error(
                    CheckId::VersionMissing,
                    example,
                    format!(
                        "{kind} is served as {} in the source and as {} in the target",
                        list(here),
                        list(there)
                    ),
                    "bring both sides to provider versions that share one",
                ));
            }
            Some(_) => {}
        }
    }
}

fn pruning(blueprint: &Blueprint, target: &TargetFacts, object: &Object, findings: &mut Vec<Finding>) {
    let Some(info) = target.inventory.kinds.get(&object.key.kind) else { return };
    let Some(schema) = blueprint.versions.get(&object.key.kind).and_then(|version| info.schemas.get(version))
    else {
        return;
    };
    if let Some(problem) = carried_status::problem(&object.manifest, schema) {
        findings.push(Finding::error(
            CheckId::StatusAnnotation,
            Some(&object.key),
            format!("carries its status in an annotation, which {problem}"),
            "correct the annotation, or unpause the host in the source, whose operator restores the status from it",
        ));
    }
    let pruned = pruned_fields(schema, object.manifest.value());
    if pruned.is_empty() {
        return;
    }
    findings.push(Finding::error(
        CheckId::WouldPrune,
        Some(&object.key),
        format!("the target would drop {}", pruned.join(", ")),
        "install the source's version of the CRD in the target",
    ));
}

fn taken(
    blueprint: &Blueprint,
    id: ObjectId,
    object: &Object,
    existing: &Manifest,
    findings: &mut Vec<Finding>,
) {
    // What the pivot that is open staged is no news beside it.
    let open = blueprint.target.as_ref().and_then(|target| target.claim.as_ref());
    let open = open.and_then(|claim| match claim {
        Claim::OpenPivot(id) => Some(id.as_str()),
        Claim::Unreadable(_) => None,
    });
    if [blueprint.pivot.as_deref(), open].into_iter().flatten().any(|id| marks::is_ours(existing, id)) {
        return;
    }
    if blueprint.selection.action(id) == Action::Copy || is_named_by_content(&object.key.kind) {
        if let Some(problem) = cannot_stay(blueprint.origin, &object.manifest, existing) {
            findings.push(Finding::error(
                CheckId::CopyDiffers,
                Some(&object.key),
                format!("exists in the target and {problem}"),
                "make both equal, or remove the one in the target",
            ));
        }
        return;
    }
    let left_behind = existing.annotation(marks::SOURCE_UID) == Some(object.uid.0.as_str());
    let message = match existing.annotation(marks::PIVOT_ID) {
        Some(pivot) if left_behind => {
            format!("was staged in the target by pivot {pivot}, which did not finish")
        }
        _ => "exists in the target already; nothing foreign is overwritten".to_owned(),
    };
    findings.push(Finding::error(
        CheckId::TargetConflict,
        Some(&object.key),
        message,
        "remove the one in the target if it is not needed, or move into an empty namespace",
    ));
}

/// Why an object that is in the target already cannot take the place of the copy; `None` where it can.
///
/// What a directory holds acts nowhere else: the one in the target must be complete, and act or not as the copy would.
pub(crate) fn cannot_stay(origin: Origin, source: &Manifest, existing: &Manifest) -> Option<String> {
    let lost = copy_differences(source, existing);
    if !lost.is_empty() {
        return Some(format!("differs at {}", lost.join(", ")));
    }
    if origin == Origin::Cluster {
        return None;
    }
    let pivot = existing.annotation(marks::PIVOT_ID);
    let field = PauseField::of(&source.group_kind());
    let is_paused = |manifest: &Manifest| field.is_some_and(|field| field.is_paused(&field.read(manifest)));
    match pivot {
        Some(pivot) if !marks::is_ready(existing, pivot) => {
            Some(format!("was staged there by pivot {pivot}, which did not finish"))
        }
        _ if existing.is_terminating() => Some("is being deleted".to_owned()),
        _ if is_paused(existing) && !is_paused(source) => Some("is paused there".to_owned()),
        _ if is_paused(source) && !is_paused(existing) => Some("is not paused there".to_owned()),
        _ => None,
    }
}

/// Where a copied object differs from the one that is in the target already: status, pause and owners are each cluster's own.
fn copy_differences(source: &Manifest, existing: &Manifest) -> Vec<String> {
    let declared = |manifest: &Manifest| {
        let mut content = comparable(manifest, 0);
        if let Some(field) = PauseField::of(&manifest.group_kind()) {
            field.write(&mut content, &Value::Null);
        }
        if let Some(fields) = content.as_object_mut() {
            fields.remove("status");
        }
        if let Some(metadata) = content.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("ownerReferences");
        }
        content
    };
    let found = differences(&declared(source), &declared(existing));
    found.into_iter().filter(FieldDifference::is_loss).map(|d| d.path).collect()
}

fn quotas(blueprint: &Blueprint, target: &TargetFacts, findings: &mut Vec<Finding>) {
    let mut needed: BTreeMap<(&str, &GroupKind), i64> = BTreeMap::new();
    for (_, object) in blueprint.staged_objects() {
        if target.inventory.get(&object.key).is_none()
            && let Some(namespace) = object.key.namespace.as_deref()
        {
            *needed.entry((namespace, &object.key.kind)).or_default() += 1;
        }
    }
    for ((namespace, kind), count) in needed {
        let Some(info) = blueprint.source.inventory.kinds.get(kind) else { continue };
        let counted = if kind.group.is_empty() {
            info.plural.clone()
        } else {
            format!("{}.{}", info.plural, kind.group)
        };
        let names = [format!("count/{counted}"), counted];
        for room in
            target.quotas.iter().filter(|room| room.namespace == namespace && names.contains(&room.resource))
        {
            if room.hard - room.used < count {
                findings.push(Finding::error(
                    CheckId::QuotaExceeded,
                    None,
                    format!(
                        "ResourceQuota {namespace}/{} leaves room for {} {}, {count} are needed",
                        room.quota,
                        (room.hard - room.used).max(0),
                        room.resource
                    ),
                    "raise the quota in the target",
                ));
            }
        }
    }
}
