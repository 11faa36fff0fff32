//! Who may write: the policies that a server holds, understood as far as ours go.

use std::collections::BTreeSet;
use std::sync::Arc;

use pivot_core::fence;
use pivot_core::object::ObjectKey;
use pivot_core::record::NAMESPACE;
use serde_json::Value;

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// A person, a controller, a pivot without an identity of its own, the garbage collector.
    Anybody,
    /// A pivot under its identity.
    Pivot {
        /// Its id.
        id: String,
        /// Token of its coordinator.
        token: String,
    },
}

/// A policy with its binding.
#[derive(Debug)]
pub(crate) struct Fence {
    id: String,
    rules: Vec<Rule>,
    namespaces: Option<BTreeSet<String>>,
    spared: Vec<String>,
    expression: String,
}

#[derive(Debug)]
struct Rule {
    group: String,
    plural: String,
    names: Option<BTreeSet<String>>,
    deletes_only: bool,
}

fn texts(value: &Value) -> Option<BTreeSet<String>> {
    let texts = value.as_array()?.iter().filter_map(Value::as_str);
    Some(texts.map(str::to_owned).collect())
}

impl Fence {
    /// What the policy with this name says, if its binding is there too.
    pub(crate) fn of(policy: Option<&Value>, binding: Option<&Value>) -> Option<Arc<Self>> {
        let (policy, binding) = (policy?, binding?);
        let rules = policy["spec"]["matchConstraints"]["resourceRules"].as_array()?;
        let rule = |rule: &Value| Rule {
            group: rule["apiGroups"][0].as_str().unwrap().to_owned(),
            plural: rule["resources"][0].as_str().unwrap().to_owned(),
            names: texts(&rule["resourceNames"]),
            deletes_only: rule["operations"].as_array().unwrap().len() == 1,
        };
        let conditions = policy["spec"]["matchConditions"].as_array().into_iter().flatten();
        let spared = conditions
            .filter(|condition| condition["name"] == "not-spared")
            .filter_map(|condition| condition["expression"].as_str()?.split_once(" in "))
            .filter_map(|(_, list)| {
                serde_json::from_str::<Vec<String>>(list.strip_suffix(')').unwrap_or(list)).ok()
            });
        let selector = &binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0];
        Some(Arc::new(Self {
            id: policy["metadata"]["name"].as_str().unwrap().to_owned(),
            rules: rules.iter().map(rule).collect(),
            namespaces: texts(&selector["values"]),
            spared: spared.flatten().collect(),
            expression: policy["spec"]["validations"][0]["expression"].as_str().unwrap().to_owned(),
        }))
    }

    /// True where this request is refused.
    pub(crate) fn refuses(&self, author: &Author, key: &ObjectKey, plural: &str, deletes: bool) -> bool {
        self.covers(key, plural, deletes) && !self.admits(author)
    }

    fn covers(&self, key: &ObjectKey, plural: &str, deletes: bool) -> bool {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let canary = fence::canary_key(self.id.trim_start_matches("pivotctl-"));
        if namespace == NAMESPACE && key.name != canary.name {
            return false;
        }
        let path = format!("{}/{plural}/{namespace}/{}", key.kind.group, key.name);
        if self.spared.contains(&path) {
            return false;
        }
        // A selector of namespaces does not concern what is in none, but it does the namespaces themselves.
        let within = match (&key.namespace, key.kind.kind.as_str()) {
            (Some(namespace), _) => Some(namespace),
            (None, "Namespace") => Some(&key.name),
            (None, _) => None,
        };
        if let (Some(names), Some(within)) = (&self.namespaces, within)
            && !names.contains(within)
        {
            return false;
        }
        self.rules.iter().any(|rule| {
            rule.group == key.kind.group
                && rule.plural == plural
                && rule.names.as_ref().is_none_or(|names| names.contains(&key.name))
                && (deletes || !rule.deletes_only)
        })
    }

    fn admits(&self, author: &Author) -> bool {
        let Author::Pivot { id, token } = author else { return false };
        let asks = |value: &str| self.expression.contains(&format!("== [\"{value}\"]"));
        asks(id) && asks(token)
    }
}
