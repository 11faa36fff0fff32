//! What moves, and what it is tied to.

use super::{CheckId, Finding};
use crate::inventory::ObjectId;
use crate::kind::GroupKind;
use crate::link::{Link, LinkRole};
use crate::plan::{Blueprint, Origin};
use crate::select::{Action, is_copyable};

/// Limit of all annotations of one object together, in bytes (Kubernetes API conventions).
const ANNOTATION_LIMIT: usize = 256 * 1024;
/// Room that our own annotations take, in bytes.
const ANNOTATION_ROOM: usize = 512;
/// Limit of one object in etcd, in bytes.
const OBJECT_LIMIT: usize = 1_500_000;

pub(super) fn check(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    presence(blueprint, findings);
    for (id, object) in blueprint.staged_objects() {
        if object.manifest.is_terminating() {
            findings.push(Finding::error(
                CheckId::ObjectTerminating,
                Some(&object.key),
                "is being deleted",
                "wait until it is gone, or remove what keeps it (its finalizers' controllers), then plan again",
            ));
        }
        size(blueprint, id, findings);
        owners(blueprint, id, findings);
        users(blueprint, id, findings);
        needs(blueprint, id, findings);
        copied(blueprint, id, findings);
    }
    dependents(blueprint, findings);
    unknown_owners(blueprint, findings);
    missing_references(blueprint, findings);
}

fn presence(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    let cluster = GroupKind::new("cluster.x-k8s.io", "Cluster");
    for wanted in &blueprint.request.clusters {
        let found = blueprint
            .with(Action::Move)
            .any(|(_, object)| object.key.kind == cluster && object.key.name == *wanted);
        if !found {
            findings.push(Finding::error(
                CheckId::ClusterNotFound,
                None,
                format!("there is no Cluster {wanted} in the selected namespaces"),
                "check --filter-cluster and --namespace",
            ));
        }
    }
    let is_empty = match blueprint.origin {
        Origin::Cluster => blueprint.with(Action::Move).next().is_none(),
        Origin::Directory => blueprint.staged.is_empty(),
    };
    if is_empty {
        let place = match &blueprint.request.namespaces {
            Some(names) => {
                format!("namespace {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            None => "any namespace".to_owned(),
        };
        let denied =
            if blueprint.source.limited.is_empty() { "" } else { " (some kinds could not be listed)" };
        findings.push(Finding::error(
            CheckId::NothingToMove,
            None,
            format!("found nothing to move in {place} of {}{denied}", blueprint.source.name),
            "check --kubeconfig-context and --namespace; -A looks everywhere",
        ));
    }
}

fn size(blueprint: &Blueprint, id: ObjectId, findings: &mut Vec<Finding>) {
    let object = blueprint.object(id);
    let annotations: usize = object.manifest.annotations().iter().map(|(k, v)| k.len() + v.len()).sum();
    if annotations + ANNOTATION_ROOM > ANNOTATION_LIMIT {
        findings.push(Finding::error(
            CheckId::ObjectTooLarge,
            Some(&object.key),
            format!(
                "its annotations take {annotations} of {ANNOTATION_LIMIT} bytes; no room is left for ours"
            ),
            "remove or shorten annotations",
        ));
    }
    let bytes = object.manifest.value().to_string().len();
    if bytes > OBJECT_LIMIT {
        findings.push(Finding::error(
            CheckId::ObjectTooLarge,
            Some(&object.key),
            format!("it takes {bytes} bytes; the API server stores {OBJECT_LIMIT} at most"),
            "remove what it does not need",
        ));
    }
}

/// Owners of a staged object that are not staged themselves.
fn owners(blueprint: &Blueprint, id: ObjectId, findings: &mut Vec<Finding>) {
    let object = blueprint.object(id);
    let outside = |link: &&Link| link.role.is_ownership() && !blueprint.staged.contains(&link.dependency);
    for link in blueprint.graph.dependencies(id).iter().filter(outside) {
        let owner = &blueprint.object(link.dependency).key;
        if link.role == LinkRole::OwnerReference {
            findings.push(not_carried(object, &format!("{owner}, which stays")));
        } else if blueprint.selection.action(id) == Action::Move && !is_copyable(&object.key.kind) {
            findings.push(Finding::error(
                CheckId::SharedObject,
                Some(&object.key),
                format!("belongs to {owner} ({}), which stays", blueprint.rules.rule(link.rule).name),
                "select its namespace too, or leave this one out",
            ));
        }
    }
}

/// Owner references of staged objects to what was not found at all.
fn unknown_owners(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    let owners =
        blueprint.links.unresolved.iter().filter(|u| u.owner.is_some() && blueprint.staged.contains(&u.from));
    for unresolved in owners {
        let owner =
            format!("{}, which is not among the kinds that take part or does not exist", unresolved.to);
        findings.push(not_carried(blueprint.object(unresolved.from), &owner));
    }
}

fn not_carried(object: &crate::inventory::Object, owner: &str) -> Finding {
    Finding::warning(
        CheckId::OwnerNotCarried,
        Some(&object.key),
        format!(
            "its owner reference to {owner}, is not carried: in the target it would make the garbage collector delete the object"
        ),
        "add a rule for that kind with --links if the owner is to move too",
    )
}

/// Objects that stay but need this one.
fn users(blueprint: &Blueprint, id: ObjectId, findings: &mut Vec<Finding>) {
    if blueprint.selection.action(id) != Action::Move {
        return;
    }
    let object = blueprint.object(id);
    let staying = |link: &&Link| {
        link.role == LinkRole::Reference && blueprint.selection.action(link.dependent) != Action::Move
    };
    let Some(link) = blueprint.graph.dependents(id).iter().find(staying) else { return };
    let user = &blueprint.object(link.dependent).key;
    let rule = &blueprint.rules.rule(link.rule).name;
    findings.push(if is_copyable(&object.key.kind) {
        let message = format!("leaves, although {user}, which stays, needs it ({rule})");
        Finding::warning(
            CheckId::UserStays,
            Some(&object.key),
            message,
            "select what needs it too, or copy it back by hand afterwards",
        )
    } else {
        let message = format!("is shared with {user}, which stays ({rule}), and cannot act in two clusters");
        Finding::error(
            CheckId::SharedObject,
            Some(&object.key),
            message,
            "move both together, or separate them first",
        )
    });
}

/// What a staged object needs and that stays: it belongs to another Cluster and cannot be in two places.
fn needs(blueprint: &Blueprint, id: ObjectId, findings: &mut Vec<Finding>) {
    let staying = |link: &&Link| {
        link.role == LinkRole::Reference && blueprint.selection.action(link.dependency) == Action::Keep
    };
    for link in blueprint.graph.dependencies(id).iter().filter(staying) {
        findings.push(Finding::error(
            CheckId::SharedObject,
            Some(&blueprint.object(link.dependency).key),
            format!(
                "stays, although {}, which leaves, needs it ({}), and cannot act in two clusters",
                blueprint.object(id).key,
                blueprint.rules.rule(link.rule).name
            ),
            "move both together, or separate them first",
        ));
    }
}

/// Copies: only of what does no harm in two places, and only where the one in the source can live on.
fn copied(blueprint: &Blueprint, id: ObjectId, findings: &mut Vec<Finding>) {
    // What stands in a directory acts nowhere else.
    if blueprint.origin == Origin::Directory || blueprint.selection.action(id) != Action::Copy {
        return;
    }
    let object = blueprint.object(id);
    if !is_copyable(&object.key.kind) && !blueprint.is_cluster_scoped(&object.key.kind) {
        findings.push(Finding::error(
            CheckId::SharedObject,
            Some(&object.key),
            format!("cannot act in two clusters ({})", blueprint.selection.verdict(id).reason),
            "select its namespace too, so that it moves",
        ));
    }
    let owners = blueprint.graph.dependencies(id).iter().filter(|link| link.role == LinkRole::OwnerReference);
    let (leaving, staying): (Vec<&Link>, Vec<&Link>) =
        owners.partition(|link| blueprint.selection.action(link.dependency) == Action::Move);
    if let (Some(owner), true) = (leaving.first(), staying.is_empty()) {
        let owner = &blueprint.object(owner.dependency).key;
        findings.push(Finding::error(
            CheckId::DependentStays,
            Some(&object.key),
            format!("is to stay in the source too, but is owned by {owner}, which leaves: the garbage collector would delete it"),
            "move what needs it too, or remove the owner reference",
        ));
    }
}

/// Objects that stay and are owned by one that leaves: the source's garbage collector would delete them.
fn dependents(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    let hint = "add a rule for its kind with --links to take it along, or remove the owner reference";
    for (id, object) in blueprint.with(Action::Move) {
        for link in blueprint.graph.dependents(id).iter().filter(|link| link.role == LinkRole::OwnerReference)
        {
            let dependent = blueprint.object(link.dependent);
            let message =
                format!("is owned by {}, which leaves: the garbage collector would delete it", object.key);
            match blueprint.selection.action(link.dependent) {
                Action::Move | Action::Copy => {}
                Action::Keep => findings.push(Finding::error(
                    CheckId::DependentStays,
                    Some(&dependent.key),
                    message,
                    hint,
                )),
                Action::Skip => findings.push(Finding::warning(
                    CheckId::DependentStays,
                    Some(&dependent.key),
                    message,
                    hint,
                )),
            }
        }
    }
    for stray in &blueprint.source.strays {
        let leaving = stray.owners.iter().filter_map(|uid| blueprint.source.inventory.find_uid(uid));
        if let Some(owner) = leaving.into_iter().find(|&id| blueprint.selection.action(id) == Action::Move) {
            let message = format!(
                "is owned by {}, which leaves: the garbage collector would delete it",
                blueprint.object(owner).key
            );
            findings.push(Finding::error(CheckId::DependentStays, Some(&stray.key), message, hint));
        }
    }
}

fn missing_references(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    let from_staged = blueprint
        .links
        .unresolved
        .iter()
        .filter(|u| u.named && u.owner.is_none() && blueprint.staged.contains(&u.from));
    for unresolved in from_staged {
        // A kind that no rule knows is named for others to find (a generic reference, say); nothing can be said of it.
        if blueprint.source.inventory.kinds.get(&unresolved.to.kind).is_none() {
            continue;
        }
        let object = blueprint.object(unresolved.from);
        findings.push(Finding::warning(
            CheckId::ReferenceMissing,
            Some(&object.key),
            format!(
                "names {}, which does not exist ({})",
                unresolved.to,
                blueprint.rules.rule(unresolved.rule).name
            ),
            "nothing to do if that is known; the target will have the same gap",
        ));
    }
}
