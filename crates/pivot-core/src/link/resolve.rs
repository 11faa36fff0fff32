//! Applies link rules to an inventory.

use std::collections::HashMap;

use serde_json::Value;

use super::rule::{LinkRule, LinkRules, Meaning, RuleId, Shape};
use crate::inventory::{Inventory, Object, ObjectId};
use crate::kind::{GroupKind, Scope};
use crate::object::{ObjectKey, OwnerReference};

/// What a resolved link asks of the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkRole {
    /// A real owner reference: the garbage collector acts on it, and its uid is rewritten.
    OwnerReference,
    /// The dependent belongs to the other by label, name or spec.
    Part,
    /// The dependent needs the other.
    Reference,
}

impl LinkRole {
    /// True where the dependent moves because the other does.
    pub fn is_ownership(self) -> bool {
        matches!(self, Self::OwnerReference | Self::Part)
    }
}

/// A link between two objects of an inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The one that is created later.
    pub dependent: ObjectId,
    /// The one it depends on: owner, or what is referred to.
    pub dependency: ObjectId,
    /// What the link asks for.
    pub role: LinkRole,
    /// The rule that found it.
    pub rule: RuleId,
}

/// A name that leads to no object of the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The object that names it.
    pub from: ObjectId,
    /// What it names.
    pub to: ObjectKey,
    /// The owner reference, where it is one.
    pub owner: Option<OwnerReference>,
    /// The rule that found it.
    pub rule: RuleId,
    /// True for a reference or owner reference; false where a name was only expected by convention.
    pub named: bool,
}

/// All links of an inventory.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Links between known objects.
    pub links: Vec<Link>,
    /// Names that lead nowhere.
    pub unresolved: Vec<Unresolved>,
}

/// What a rule found at its path.
struct Named {
    key: ObjectKey,
    owner: Option<OwnerReference>,
}

impl Links {
    /// Applies `rules` to every object. The links stand in the order of their objects' keys, so that nothing decided by
    /// walking them hangs on the order of listing.
    pub fn resolve(rules: &LinkRules, inventory: &Inventory) -> Self {
        let mut by_kind: HashMap<&GroupKind, Vec<RuleId>> = HashMap::new();
        let mut found = Self::default();
        for (id, object) in inventory.iter() {
            let applicable = by_kind.entry(&object.key.kind).or_insert_with(|| {
                let matching =
                    rules.iter().filter(|(_, rule)| rule.from.iter().any(|p| p.matches(&object.key.kind)));
                matching.map(|(rule, _)| rule).collect()
            });
            for &rule_id in applicable.iter() {
                let rule = rules.rule(rule_id);
                for value in rule.path.values(object.manifest.value()) {
                    if let Some(named) = read(rule, object, value, inventory) {
                        found.add(rule_id, rule, id, named, inventory);
                    }
                }
            }
        }
        let key = |id: ObjectId| &inventory.object(id).key;
        found.links.sort_by(|a, b| {
            let of = |link: &Link| (key(link.dependent), key(link.dependency));
            of(a).cmp(&of(b)).then_with(|| (a.role, a.rule).cmp(&(b.role, b.rule)))
        });
        found
            .unresolved
            .sort_by(|a, b| (key(a.from), a.rule).cmp(&(key(b.from), b.rule)).then_with(|| a.to.cmp(&b.to)));
        found
    }

    fn add(&mut self, rule_id: RuleId, rule: &LinkRule, from: ObjectId, named: Named, inventory: &Inventory) {
        let target = match &named.owner {
            // An object that never was in a cluster has no uid; an empty one names none of them.
            Some(owner) if owner.uid.0.is_empty() => None,
            Some(owner) => inventory.find_uid(&owner.uid),
            None => inventory.find(&named.key),
        };
        let Some(to) = target else {
            let by_convention = rule.meaning == Meaning::Owns;
            self.unresolved.push(Unresolved {
                from,
                to: named.key,
                owner: named.owner,
                rule: rule_id,
                named: !by_convention,
            });
            return;
        };
        // An object that names itself (a host annotated with its own name, say) links nothing.
        if to == from {
            return;
        }
        if rule.unless_owned && !inventory.object(to).manifest.owner_references().is_empty() {
            return;
        }
        let (dependent, dependency, role) = match rule.meaning {
            Meaning::Owner if named.owner.is_some() => (from, to, LinkRole::OwnerReference),
            Meaning::Owner => (from, to, LinkRole::Part),
            Meaning::Owns => (to, from, LinkRole::Part),
            Meaning::Reference => (from, to, LinkRole::Reference),
        };
        self.links.push(Link { dependent, dependency, role, rule: rule_id });
    }
}

fn read(rule: &LinkRule, object: &Object, value: &Value, inventory: &Inventory) -> Option<Named> {
    let own_namespace = object.key.namespace.as_deref();
    let (kind, name, namespace) = match rule.shape {
        Shape::OwnerReference => {
            let owner = OwnerReference::read(value)?;
            let namespace = namespace_for(&owner.kind, own_namespace, inventory);
            let key = ObjectKey::new(owner.kind.clone(), namespace, &owner.name);
            return Some(Named { key, owner: Some(owner) });
        }
        Shape::Name => (rule.to.clone()?, value.as_str()?, None),
        Shape::NamespacedName => {
            let (namespace, name) = value.as_str()?.split_once('/')?;
            (rule.to.clone()?, name, Some(namespace))
        }
        Shape::Ref => {
            let text = |field: &str| value.get(field).and_then(Value::as_str).filter(|t| !t.is_empty());
            let kind = rule.to.clone().or_else(|| referenced_kind(value))?;
            (kind, text("name")?, text("namespace"))
        }
    };
    if name.is_empty() {
        return None;
    }
    let name = rule.to_name.as_ref().map_or_else(|| name.to_owned(), |pattern| pattern.replace("{}", name));
    let elsewhere = rule
        .namespace
        .as_ref()
        .and_then(|path| path.values(object.manifest.value()).into_iter().find_map(Value::as_str));
    let namespace = namespace_for(&kind, elsewhere.or(namespace).or(own_namespace), inventory);
    Some(Named { key: ObjectKey::new(kind, namespace, &name), owner: None })
}

/// The kind that an object reference names: `apiVersion` in contract v1beta1, `apiGroup` in v1beta2, neither for core kinds.
fn referenced_kind(value: &Value) -> Option<GroupKind> {
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let kind = text("kind").filter(|k| !k.is_empty())?;
    Some(match (text("apiVersion"), text("apiGroup")) {
        (Some(api_version), _) if !api_version.is_empty() => GroupKind::from_api_version(api_version, kind),
        (_, group) => GroupKind::new(group.unwrap_or_default(), kind),
    })
}

fn namespace_for<'a>(kind: &GroupKind, namespace: Option<&'a str>, inventory: &Inventory) -> Option<&'a str> {
    match inventory.kinds.get(kind) {
        Some(info) if info.scope == Scope::Cluster => None,
        _ => namespace,
    }
}
