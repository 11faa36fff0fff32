//! Which requests something is about.

use super::call::{Call, Verb};

/// Which requests something is about. `*` in a pattern stands for any text.
///
/// A pattern for the kind is compared with the kind, the plural and `plural.group`, each with `/status` behind it where
/// the request is for that subresource: `BareMetalHost` is the object alone, `BareMetalHost/status` its status, and
/// `BareMetalHost*` both.
#[derive(Debug, Clone)]
pub struct Target {
    verbs: Vec<Verb>,
    kind: String,
    namespace: String,
    name: String,
}

impl Target {
    /// Every request.
    pub fn any() -> Self {
        let any = || "*".to_owned();
        Self { verbs: Vec::new(), kind: any(), namespace: any(), name: any() }
    }

    /// Every request that writes.
    pub fn writes() -> Self {
        Self { verbs: Verb::WRITES.to_vec(), ..Self::any() }
    }

    /// Requests of one verb for kinds that fit the pattern.
    pub fn new(verb: Verb, kind: &str) -> Self {
        Self { verbs: vec![verb], ..Self::any() }.kind(kind)
    }

    /// Only kinds that fit the pattern.
    #[must_use]
    pub fn kind(mut self, pattern: &str) -> Self {
        pattern.clone_into(&mut self.kind);
        self
    }

    /// Only namespaces that fit the pattern.
    #[must_use]
    pub fn namespace(mut self, pattern: &str) -> Self {
        pattern.clone_into(&mut self.namespace);
        self
    }

    /// Only names that fit the pattern.
    #[must_use]
    pub fn name(mut self, pattern: &str) -> Self {
        pattern.clone_into(&mut self.name);
        self
    }

    /// True if it is about this request.
    pub fn matches(&self, call: &Call) -> bool {
        (self.verbs.is_empty() || self.verbs.contains(&call.verb))
            && glob(&self.namespace, &call.namespace)
            && glob(&self.name, &call.name)
            && self.matches_kind(&call.kind, &call.plural, &call.group, &call.subresource)
    }

    pub(crate) fn matches_access(&self, verb: &str, asked: &Call) -> bool {
        (verb == "*" || self.verbs.is_empty() || self.verbs.iter().any(|own| own.as_str() == verb))
            && glob(&self.namespace, &asked.namespace)
            && glob(&self.name, &asked.name)
            && self.matches_kind(&asked.kind, &asked.plural, &asked.group, &asked.subresource)
    }

    fn matches_kind(&self, kind: &str, plural: &str, group: &str, subresource: &str) -> bool {
        let behind = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
        glob(&self.kind, &format!("{kind}{behind}"))
            || glob(&self.kind, &format!("{plural}{behind}"))
            || glob(&self.kind, &format!("{plural}.{group}{behind}"))
    }
}

/// True if the text fits the pattern, in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    while let Some((part, behind)) = rest.split_once('*') {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
        rest = behind;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
