//! Link rules as data: their file format, and the built-in set.

use serde::Deserialize;

use super::path::Path;
use crate::kind::GroupKind;

/// Position of a rule in [`LinkRules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u16);

/// What a link means for the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// The object that carries the path belongs to the one it names: it moves with it and is created after it.
    Owner,
    /// The object that carries the path owns the one it names.
    Owns,
    /// The object that carries the path needs the one it names: it takes it along and is created after it where no cycle forbids.
    Reference,
}

/// How the value at the path names an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A string: the name.
    #[default]
    Name,
    /// An object with `name` and, optionally, `namespace`; where the rule has no `to`, also `kind` and `apiVersion` or `apiGroup`.
    Ref,
    /// A string `namespace/name`.
    NamespacedName,
    /// An entry of `metadata.ownerReferences`, found by uid.
    OwnerReference,
}

/// Which objects a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KindPattern {
    /// One kind.
    Kind(GroupKind),
    /// All kinds of a group: `*.group`.
    Group(String),
    /// All kinds: `*`.
    Any,
}

impl KindPattern {
    /// True where objects of this kind are looked at.
    pub fn matches(&self, kind: &GroupKind) -> bool {
        match self {
            Self::Kind(own) => own == kind,
            Self::Group(group) => *group == kind.group,
            Self::Any => true,
        }
    }
}

/// One rule.
#[derive(Clone, Debug)]
pub struct LinkRule {
    /// Name shown as the reason of what the rule brings along.
    pub name: String,
    /// Objects that carry the path.
    pub from: Vec<KindPattern>,
    /// Where the naming value stands.
    pub path: Path,
    /// Kind of the object that is named; `None` where the value itself says it.
    pub to: Option<GroupKind>,
    /// How the value names it.
    pub shape: Shape,
    /// What the link means.
    pub meaning: Meaning,
    /// Name of the object in terms of the value: `{}` stands for it.
    pub to_name: Option<String>,
    /// Path to the namespace of the named object, from the root of the object that names it.
    pub namespace: Option<Path>,
    /// The link holds only where the named object has no owner reference of its own.
    pub unless_owned: bool,
}

/// A set of rules, and the kinds whose objects are roots of the move.
#[derive(Clone, Debug, Default)]
pub struct LinkRules {
    rules: Vec<LinkRule>,
    roots: Vec<GroupKind>,
}

/// A links file that cannot be used. The text names the place.
#[derive(Debug, thiserror::Error)]
pub enum LinkRulesError {
    /// Not YAML, or not of this format.
    #[error("{0}")]
    Format(String),
    /// Another `apiVersion` or `kind`.
    #[error("this is `{found}`, not `{API_VERSION}` `LinkRules`")]
    Version {
        /// What the file says it is.
        found: String,
    },
    /// One rule is wrong.
    #[error("rule {number} (`{name}`): {problem}")]
    Rule {
        /// Position in the file, from 1.
        number: usize,
        /// The rule's name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

const API_VERSION: &str = "pivot.metal3.io/v1alpha1";
const BUILTIN: &str = include_str!("builtin.yaml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    roots: Vec<String>,
    #[serde(default)]
    rules: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entry {
    name: String,
    from: Vec<String>,
    path: String,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    shape: Shape,
    #[serde(rename = "as")]
    meaning: Meaning,
    #[serde(default)]
    to_name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    unless_owned: bool,
}

impl LinkRules {
    /// The rules for Cluster API, CAPM3, IPAM and baremetal-operator.
    pub fn builtin() -> Self {
        Self::parse(BUILTIN).expect("BUG: the built-in link rules do not parse")
    }

    /// Reads a links file.
    pub fn parse(text: &str) -> Result<Self, LinkRulesError> {
        let file: File = serde_saphyr::from_str(text).map_err(|e| LinkRulesError::Format(e.to_string()))?;
        if file.api_version != API_VERSION || file.kind != "LinkRules" {
            return Err(LinkRulesError::Version { found: format!("{} {}", file.api_version, file.kind) });
        }
        let roots =
            file.roots.iter().map(|r| r.parse()).collect::<Result<_, _>>().map_err(LinkRulesError::Format)?;
        let mut rules = Vec::with_capacity(file.rules.len());
        for (index, entry) in file.rules.into_iter().enumerate() {
            let name = entry.name.clone();
            rules.push(entry.check().map_err(|problem| LinkRulesError::Rule {
                number: index + 1,
                name,
                problem,
            })?);
        }
        Ok(Self { rules, roots })
    }

    /// These rules and then `more`.
    #[must_use]
    pub fn extended(mut self, more: Self) -> Self {
        self.rules.extend(more.rules);
        self.roots.extend(more.roots);
        self
    }

    /// These rules and then those of `--links` files that a record holds. What no longer reads is left out: it is a matter of `resume`, and
    /// whoever only looks does without.
    #[must_use]
    pub fn with_readable(self, texts: &[String]) -> Self {
        texts.iter().filter_map(|text| Self::parse(text).ok()).fold(self, Self::extended)
    }

    /// All rules with their positions.
    pub fn iter(&self) -> impl Iterator<Item = (RuleId, &LinkRule)> {
        (0u16..).map(RuleId).zip(&self.rules)
    }

    /// The rule at a position.
    pub fn rule(&self, id: RuleId) -> &LinkRule {
        &self.rules[usize::from(id.0)]
    }

    /// True where every object of this kind is a root of the move.
    pub fn is_root(&self, kind: &GroupKind) -> bool {
        self.roots.contains(kind)
    }

    /// Kinds that the rules name: these take part even where their CRD carries no clusterctl label.
    pub fn kinds(&self) -> impl Iterator<Item = &GroupKind> {
        let from = self.rules.iter().flat_map(|rule| &rule.from).filter_map(|pattern| match pattern {
            KindPattern::Kind(kind) => Some(kind),
            KindPattern::Group(_) | KindPattern::Any => None,
        });
        from.chain(self.rules.iter().filter_map(|rule| rule.to.as_ref())).chain(&self.roots)
    }
}

impl Entry {
    fn check(self) -> Result<LinkRule, String> {
        if self.from.is_empty() {
            return Err("`from` names no kind".to_owned());
        }
        let from = self.from.iter().map(|text| parse_pattern(text)).collect::<Result<_, _>>()?;
        let to: Option<GroupKind> = self.to.as_deref().map(str::parse).transpose()?;
        if to.is_none() && matches!(self.shape, Shape::Name | Shape::NamespacedName) {
            return Err("a name alone does not tell the kind: add `to`".to_owned());
        }
        if self.to_name.as_ref().is_some_and(|name| !name.contains("{}")) {
            return Err("`toName` has no `{}` for the value".to_owned());
        }
        Ok(LinkRule {
            name: self.name,
            from,
            path: self.path.parse()?,
            to,
            shape: self.shape,
            meaning: self.meaning,
            to_name: self.to_name,
            namespace: self.namespace.as_deref().map(str::parse).transpose()?,
            unless_owned: self.unless_owned,
        })
    }
}

fn parse_pattern(text: &str) -> Result<KindPattern, String> {
    match text.strip_prefix('*') {
        Some("") => Ok(KindPattern::Any),
        Some(rest) => match rest.strip_prefix('.') {
            Some(group) if !group.is_empty() => Ok(KindPattern::Group(group.to_owned())),
            _ => Err(format!("`{text}` is no kind: write `Kind.group`, `*.group` or `*`")),
        },
        None => text.parse().map(KindPattern::Kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: pivot.metal3.io/v1alpha1\nkind: LinkRules\n";

    #[test]
    fn built_in_rules_have_unique_names() {
        let rules = LinkRules::builtin();
        let mut names: Vec<_> = rules.iter().map(|(_, rule)| rule.name.as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count > 60);
    }

    #[test]
    fn a_wrong_rule_is_named() {
        let text = format!("{HEAD}rules:\n- {{name: a, from: [Secret], path: metadata.name, as: owner}}\n");
        let error = LinkRules::parse(&text).unwrap_err().to_string();
        assert_eq!(error, "rule 1 (`a`): a name alone does not tell the kind: add `to`");
    }

    #[test]
    fn unknown_fields_and_syntax_errors_tell_the_line() {
        for bad in ["rules:\n- {name: a, fron: [Secret]}\n", "rules: [\n"] {
            let error = LinkRules::parse(&format!("{HEAD}{bad}")).unwrap_err().to_string();
            assert!(error.contains("line"), "{error}");
        }
    }

    #[test]
    fn another_kind_of_file_is_refused() {
        let error = LinkRules::parse("apiVersion: v1\nkind: Secret\n").unwrap_err();
        assert!(matches!(error, LinkRulesError::Version { .. }), "{error}");
    }
}
