//! Faults: what goes wrong with which request.

use std::time::Duration;

use super::call::{Call, Verb};

/// What happens to a request that a [`Fault`] meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The request is handled this much later. Adds up over all faults that meet it.
    Latency(Duration),
    /// Refused before anything is done.
    Status {
        /// The HTTP code.
        code: u16,
        /// The reason in the `Status` object, for example `TooManyRequests`.
        reason: String,
        /// The seconds of a `Retry-After` header.
        retry_after: Option<u32>,
    },
    /// The connection breaks before the server has seen the request: nothing is done.
    DropBefore,
    /// Done, but the connection breaks before the reply.
    DropAfter,
    /// Done, but the connection breaks in the middle of the reply. A watch breaks in the middle of its first event.
    Truncate,
    /// As [`Truncate`](Self::Truncate), but the reply looks complete, as some proxies make it.
    TruncateSilently,
    /// Never answered, and nothing is done.
    Hang,
    /// Done, but never answered.
    HangAfter,
    /// A watch that opens and tells nothing.
    Mute,
}

impl Action {
    /// A refusal without `Retry-After`.
    pub fn status(code: u16, reason: &str) -> Self {
        Self::Status { code, reason: reason.to_owned(), retry_after: None }
    }
}

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

    pub(super) fn matches_access(&self, verb: &str, asked: &Call) -> bool {
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

/// A rule: of the requests that the target names, these meet this action.
#[derive(Debug, Clone)]
pub struct Fault {
    target: Target,
    action: Action,
    skip: usize,
    times: usize,
}

impl Fault {
    /// Every request of the target meets the action, from now on.
    pub fn new(target: Target, action: Action) -> Self {
        Self { target, action, skip: 0, times: usize::MAX }
    }

    /// Only the nth matching request from now, counted from 1, and with [`times`](Self::times) those after it.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.skip = nth.saturating_sub(1);
        self.times = 1;
        self
    }

    /// How many requests meet the action.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }
}

/// Names an injected fault, to lift it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(usize);

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<(FaultId, Fault, usize)>,
    next: usize,
}

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault) -> FaultId {
        let id = FaultId(self.next);
        self.next += 1;
        self.rules.push((id, fault, 0));
        id
    }

    pub(super) fn lift(&mut self, id: FaultId) {
        self.rules.retain(|(own, ..)| *own != id);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Counts the request in every rule it matches; returns its delay and what else happens to it.
    pub(super) fn meet(&mut self, call: &Call) -> (Duration, Option<Action>) {
        let mut delay = Duration::ZERO;
        let mut action = None;
        for (_, fault, seen) in self.rules.iter_mut().filter(|(_, fault, _)| fault.target.matches(call)) {
            *seen += 1;
            if *seen <= fault.skip || *seen - fault.skip > fault.times {
                continue;
            }
            match &fault.action {
                Action::Latency(more) => delay += *more,
                other => action = action.or_else(|| Some(other.clone())),
            }
        }
        (delay, action)
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
