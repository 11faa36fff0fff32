//! One object, the rule that reads it and the object it names.

use std::collections::{BTreeMap, BTreeSet};

use pivot_core::inventory::Inventory;
use pivot_core::kind::{GroupKind, KindCatalog, KindInfo, Scope};
use pivot_core::link::{LinkRole, LinkRules, Links};
use pivot_core::object::{Manifest, ObjectKey};
use serde_json::{Value, json};

/// What the example object has to do with the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Needs,
    BelongsTo,
    IsOwnedBy,
    Owns,
}

/// An object called `metal3/x`, and what a rule finds in it.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) rule: &'static str,
    from: GroupKind,
    relation: Relation,
    to: ObjectKey,
    content: Value,
}

fn example(
    relation: Relation,
    rule: &'static str,
    from: &str,
    to: &str,
    name: &str,
    content: Value,
) -> Example {
    let to = ObjectKey::new(to.parse().unwrap(), Some("metal3"), name);
    Example { rule, from: from.parse().unwrap(), relation, to, content }
}

/// `metal3/x` needs `metal3/<name>`.
pub(crate) fn needs(rule: &'static str, from: &str, to: &str, name: &str, content: Value) -> Example {
    example(Relation::Needs, rule, from, to, name, content)
}

/// `metal3/x` belongs to `metal3/<name>`.
pub(crate) fn belongs_to(rule: &'static str, from: &str, to: &str, name: &str, content: Value) -> Example {
    example(Relation::BelongsTo, rule, from, to, name, content)
}

/// `metal3/x` has an owner reference to `metal3/<name>`.
pub(crate) fn is_owned_by(rule: &'static str, from: &str, to: &str, name: &str, content: Value) -> Example {
    example(Relation::IsOwnedBy, rule, from, to, name, content)
}

/// `metal3/<name>` belongs to `metal3/x`.
pub(crate) fn owns(rule: &'static str, from: &str, to: &str, name: &str, content: Value) -> Example {
    example(Relation::Owns, rule, from, to, name, content)
}

impl Example {
    /// The same, with the other object in another namespace, or in none.
    pub(crate) fn in_namespace(mut self, namespace: Option<&str>) -> Self {
        self.to.namespace = namespace.map(str::to_owned);
        self
    }

    /// Says what is wrong.
    pub(crate) fn check(&self, rules: &LinkRules) -> Result<(), String> {
        let scope = if self.to.namespace.is_some() { Scope::Namespaced } else { Scope::Cluster };
        let mut inventory =
            Inventory::new("source", [kind(&self.to.kind, scope)].into_iter().collect::<KindCatalog>());
        let mut content = self.content.clone();
        content["metadata"]["name"] = json!("x");
        content["metadata"]["namespace"] = json!("metal3");
        content["metadata"]["uid"] = json!("x");
        let mut metadata = json!({"name": self.to.name, "uid": "target"});
        if let Some(namespace) = &self.to.namespace {
            metadata["namespace"] = json!(namespace);
        }
        let from = inventory.add(&self.from, Manifest::new(content));
        let to = inventory.add(&self.to.kind, Manifest::new(json!({"metadata": metadata})));

        let links = Links::resolve(rules, &inventory);
        let found = links.links.iter().find(|link| rules.rule(link.rule).name == self.rule);
        let Some(link) = found else {
            return Err(format!("{}: no link to {}; unresolved: {:?}", self.rule, self.to, links.unresolved));
        };
        let relation = match link.role {
            LinkRole::Reference => Relation::Needs,
            LinkRole::OwnerReference => Relation::IsOwnedBy,
            LinkRole::Part if link.dependent == from => Relation::BelongsTo,
            LinkRole::Part => Relation::Owns,
        };
        let ends = if relation == Relation::Owns { (to, from) } else { (from, to) };
        if relation != self.relation || ends != (link.dependent, link.dependency) {
            return Err(format!("{}: {relation:?} instead of {:?}", self.rule, self.relation));
        }
        Ok(())
    }
}

fn kind(kind: &GroupKind, scope: Scope) -> KindInfo {
    KindInfo {
        kind: kind.clone(),
        plural: String::new(),
        scope,
        storage_version: "v1".to_owned(),
        served: BTreeSet::new(),
        status_subresource: BTreeSet::new(),
        labels: BTreeMap::new(),
        schemas: BTreeMap::new(),
    }
}
