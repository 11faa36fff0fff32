//! How wide the fence is: as wide as the move.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Inventory, Object};
use crate::kind::{GroupKind, KindInfo, Scope};
use crate::machine::Side;
use crate::object::ObjectKey;
use crate::plan::{Blueprint, Origin};
use crate::select::Action;

/// One kind behind the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceRule {
    /// API group; empty for the core group.
    pub group: String,
    /// Name in request paths.
    pub plural: String,
    /// Names behind the fence; `None` for the whole kind, what is created later too.
    pub names: Option<BTreeSet<String>>,
}

/// An object that has the name of one behind the fence, and stays before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spared {
    /// API group.
    pub group: String,
    /// Name in request paths.
    pub plural: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// What of one cluster the fence covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FenceScope {
    /// Kinds, ordered by group and name.
    pub rules: Vec<FenceRule>,
    /// Namespaces in which the rules hold; `None` for all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Namespaces that hold covered objects: they may not be deleted.
    pub held: BTreeSet<String>,
    /// Exceptions to rules that go by name: the same name means another object in another namespace.
    pub spared: BTreeSet<Spared>,
}

impl FenceScope {
    /// The fence of one side.
    ///
    /// In the source it covers what leaves; copies stay there and stay writable. In the target it covers what is staged.
    /// A custom kind is covered whole where nothing foreign of it is in reach, else by name. Built-in kinds go by name always:
    /// others use them beside the pivot.
    pub fn of(blueprint: &Blueprint, side: Side) -> Self {
        if side == Side::Source && blueprint.origin == Origin::Directory {
            return Self::default();
        }
        let covered = Covered::of(blueprint, side);
        let reach = match side {
            Side::Source if blueprint.request.clusters.is_empty() => blueprint.request.namespaces.clone(),
            Side::Source | Side::Target => Some(covered.namespaces()),
        };
        let in_reach = |object: &&Object| match (&reach, &object.key.namespace) {
            (Some(names), Some(namespace)) => names.contains(namespace),
            (None, _) | (_, None) => true,
        };
        let mut scope = Self { held: covered.namespaces(), namespaces: reach.clone(), ..Self::default() };
        for (kind, keys) in &covered.by_kind {
            let Some(info) = blueprint.source.inventory.kinds.get(kind) else { continue };
            let present = covered.present.into_iter().flat_map(Inventory::iter).map(|(_, object)| object);
            let foreign: Vec<&ObjectKey> = present
                .filter(|object| object.key.kind == **kind && !keys.contains(&object.key))
                .filter(in_reach)
                .map(|object| &object.key)
                .collect();
            let may_be_whole = match side {
                Side::Source => is_custom(kind),
                Side::Target => is_custom(kind) && info.scope == Scope::Namespaced,
            };
            let names = if may_be_whole && covered.present.is_some() && foreign.is_empty() {
                None
            } else {
                let names: BTreeSet<String> = keys.iter().map(|key| key.name.clone()).collect();
                scope.spare(info, foreign.into_iter().filter(|key| names.contains(&key.name)));
                Some(names)
            };
            scope.rules.push(FenceRule { group: kind.group.clone(), plural: info.plural.clone(), names });
        }
        scope
    }

    /// True where there is nothing to fence.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn spare<'a>(&mut self, info: &KindInfo, keys: impl Iterator<Item = &'a ObjectKey>) {
        self.spared.extend(keys.map(|key| Spared {
            group: info.kind.group.clone(),
            plural: info.plural.clone(),
            namespace: key.namespace.clone().unwrap_or_default(),
            name: key.name.clone(),
        }));
    }
}

/// The objects behind the fence, and all that is known to be beside them.
struct Covered<'a> {
    by_kind: BTreeMap<&'a GroupKind, BTreeSet<&'a ObjectKey>>,
    /// Absent where the cluster was not looked at.
    present: Option<&'a Inventory>,
}

impl<'a> Covered<'a> {
    fn of(blueprint: &'a Blueprint, side: Side) -> Self {
        let mut by_kind: BTreeMap<&GroupKind, BTreeSet<&ObjectKey>> = BTreeMap::new();
        for (id, object) in blueprint.staged_objects() {
            if side == Side::Target || blueprint.selection.action(id) == Action::Move {
                by_kind.entry(&object.key.kind).or_default().insert(&object.key);
            }
        }
        let present = match side {
            Side::Source => Some(&blueprint.source.inventory),
            Side::Target => blueprint.target.as_ref().map(|target| &target.inventory),
        };
        Self { by_kind, present }
    }

    fn namespaces(&self) -> BTreeSet<String> {
        self.by_kind.values().flatten().filter_map(|key| key.namespace.clone()).collect()
    }
}

/// True for kinds of CustomResourceDefinitions. The groups of Kubernetes itself have no dot, or end in `.k8s.io`; those of
/// Cluster API end in `.x-k8s.io`.
fn is_custom(kind: &GroupKind) -> bool {
    kind.group.contains('.') && !kind.group.ends_with(".k8s.io")
}

#[cfg(test)]
mod tests;
