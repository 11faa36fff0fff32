//! What must hold after every case, seen by nobody's eyes but the test bed's own.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;
use serde_json::Value;

use super::{
    ground::{Look, SYSTEM},
    role::Role,
};
use crate::{
    content::{content, is_of_every_namespace, touched},
    dump::{Dump, Key},
    fixture::{CANARY, CANARY_BASE64},
};

/// What is promised (DESIGN section 1), in the order of the reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// It ends: source active and untouched, or target active and complete.
    Ends,
    /// Exit code and last line say so.
    Words,
    /// Every object is there once, and no other one came.
    Set,
    /// Every object says what it said, its status included.
    Content,
    /// After a rollback the objects in the source are the same ones.
    Identity,
    /// What does not move was not written.
    Bystanders,
    /// No fence, no Lease, no snapshot, no staged object is left.
    Nothing,
    /// Every owner reference leads to a live object.
    Owners,
    /// No secret value was told to anybody.
    Secrets,
}

impl Invariant {
    /// All.
    pub const ALL: [Self; 9] = [
        Self::Ends,
        Self::Words,
        Self::Set,
        Self::Content,
        Self::Identity,
        Self::Bystanders,
        Self::Nothing,
        Self::Owners,
        Self::Secrets,
    ];

    /// What it says.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Ends => {
                "it ends with the source active and untouched, or with the target active and complete"
            }
            Self::Words => {
                "exit code and last line say which side is active, and no other next command is left"
            }
            Self::Set => "every object is there exactly once, and no other one came",
            Self::Content => "every object says what it said before: spec, data, labels, annotations, status",
            Self::Identity => {
                "after a rollback every object in the source has the uid it had, pauses included"
            }
            Self::Bystanders => "what does not move has the uid and resourceVersion it had, in both clusters",
            Self::Nothing => "no policy, no Lease, no snapshot chunk, no staged object is left behind",
            Self::Owners => "every owner reference leads to a live object",
            Self::Secrets => "no value of a Secret stands in any output, journal or record",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ends => "ends",
            Self::Words => "words",
            Self::Set => "set",
            Self::Content => "content",
            Self::Identity => "identity",
            Self::Bystanders => "bystanders",
            Self::Nothing => "nothing-left",
            Self::Owners => "owners",
            Self::Secrets => "secrets",
        })
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// By what.
    pub what: String,
}

impl Violation {
    /// A broken promise.
    pub fn new(invariant: Invariant, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.invariant, self.what)
    }
}

/// The two good ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Terminal {
    /// The source is active and untouched.
    A,
    /// The target is active and complete.
    B,
}

impl Terminal {
    /// Where the objects are.
    pub fn active(self) -> Role {
        match self {
            Self::A => Role::Source,
            Self::B => Role::Target,
        }
    }
}

impl fmt::Display for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// What is known of a case beside what it left.
#[derive(Debug)]
pub(super) struct Witness<'a> {
    /// How everything was before. What a person did meanwhile is part of it.
    pub before: &'a Look,
    /// The namespace of what moves.
    pub namespace: &'a str,
    /// What moves.
    pub moved: &'a BTreeSet<Key>,
    /// Whether an API server was restarted, which then writes objects of its own.
    pub restarted: bool,
}

impl Witness<'_> {
    /// Everything that is not as it must be at this end.
    pub(super) fn judge(&self, after: &Look, terminal: Terminal) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut note = |invariant, faults: Vec<String>| {
            violations.extend(faults.into_iter().map(|what| Violation { invariant, what }));
        };
        let active = terminal.active();
        let (was, is) = (self.moved_in(&self.before.source), self.moved_in(after.of(active)));
        note(Invariant::Set, set_differs(&was, &is));
        let both: BTreeSet<Key> =
            was.iter().map(|(key, _)| key.clone()).filter(|key| is.get(key).is_some()).collect();
        let common = |dump: &Dump| dump.filter(|key| both.contains(key));
        let (was, is) = (common(&was), common(&is));
        match terminal {
            Terminal::A => {
                let differences = unpinned(&was).diff(&unpinned(&is));
                note(
                    Invariant::Content,
                    differences.iter().map(|difference| format!("source: {difference}")).collect(),
                );
                note(Invariant::Identity, replaced(&was, &is));
            }
            Terminal::B => {
                let differences = content(&was).diff(&content(&is));
                note(
                    Invariant::Content,
                    differences.iter().map(|difference| format!("target: {difference}")).collect(),
                );
                let left = self.moved_in(&after.source);
                note(Invariant::Set, left.iter().map(|(key, _)| format!("source still has {key}")).collect());
            }
        }
        for role in Role::BOTH {
            let (before, after) = (self.before.of(role), after.of(role));
            let there = |fault: String| format!("{role}: {fault}");
            let others = touched(before, after, |key| self.is_other(role, terminal, key));
            note(Invariant::Bystanders, others.into_iter().map(there).collect());
            note(
                Invariant::Nothing,
                Self::left(role, terminal, before, after).into_iter().map(there).collect(),
            );
            let known: BTreeSet<_> = before.dangling_owners().into_iter().collect();
            let dangling = after.dangling_owners().into_iter().filter(|one| !known.contains(one));
            note(Invariant::Owners, dangling.map(|(key, owner)| there(format!("{key}: {owner}"))).collect());
            note(Invariant::Secrets, told_in_records(after).into_iter().map(there).collect());
        }
        violations
    }

    fn moved_in(&self, dump: &Dump) -> Dump {
        dump.filter(|key| self.moved.contains(key))
    }

    /// True for what nobody may write. What is ours is looked at by [`left`](Self::left).
    fn is_other(&self, role: Role, terminal: Terminal, key: &Key) -> bool {
        if is_of_system(key) || is_fence(key) || (self.restarted && key.namespace != self.namespace) {
            return false;
        }
        match (role, terminal) {
            (Role::Source, _) => !self.moved.contains(key),
            (Role::Target, Terminal::A) => true,
            (Role::Target, Terminal::B) => !self.moved.contains(key) && !self.comes_along(key),
        }
    }

    /// The namespace of what moves, and what every namespace has.
    fn comes_along(&self, key: &Key) -> bool {
        (key.kind == "Namespace" && key.name == self.namespace)
            || (key.namespace == self.namespace && is_of_every_namespace(key))
    }

    /// What a pivot left that it should have taken away.
    fn left(role: Role, terminal: Terminal, before: &Dump, after: &Dump) -> Vec<String> {
        let ours = after.filter(|key| is_of_system(key) || is_fence(key));
        let stays = |key: &Key| {
            if is_fence(key) || matches!(key.kind.as_str(), "Lease" | "Secret") {
                return false;
            }
            // Who gave its objects away, and who has them, remembers that; after a rollback only the source does.
            terminal == Terminal::B || role == Role::Source || before.get(key).is_some()
        };
        ours.iter().map(|(key, _)| key).filter(|key| !stays(key)).map(ToString::to_string).collect()
    }
}

fn is_of_system(key: &Key) -> bool {
    key.namespace == SYSTEM || (key.kind == "Namespace" && key.name == SYSTEM)
}

fn is_fence(key: &Key) -> bool {
    key.group == "admissionregistration.k8s.io" && key.name.starts_with("pivotctl-")
}

fn set_differs(was: &Dump, is: &Dump) -> Vec<String> {
    let lost = was.iter().filter(|(key, _)| is.get(key).is_none()).map(|(key, _)| format!("lost {key}"));
    let more = is
        .iter()
        .filter(|(key, _)| was.get(key).is_none())
        .map(|(key, _)| format!("came from nowhere: {key}"));
    lost.chain(more).collect()
}

/// Objects of one cluster without what a pause that came and went changes.
fn unpinned(dump: &Dump) -> Dump {
    let unpin = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for field in ["resourceVersion", "generation", "managedFields"] {
                metadata.remove(field);
            }
        }
        object
    };
    dump.iter().map(|(_, object)| unpin(object)).collect()
}

/// Objects that are not the ones that were there.
fn replaced(was: &Dump, is: &Dump) -> Vec<String> {
    let uid = |object: &Value| object["metadata"]["uid"].clone();
    let other = |(key, object): &(&Key, &Value)| is.get(key).is_some_and(|now| uid(now) != uid(object));
    was.iter().filter(other).map(|(key, _)| format!("source: {key} has another uid")).collect()
}

/// Secret values in what is no Secret.
fn told_in_records(dump: &Dump) -> Vec<String> {
    let records = dump.filter(|key| is_of_system(key) && key.kind != "Secret");
    let told = |(_, object): &(&Key, &Value)| tells_secret(&object.to_string());
    records.iter().filter(told).map(|(key, _)| format!("{key} holds a secret value")).collect()
}

/// True where a text holds a value of a fixture's Secret, plain or in base64.
pub(super) fn tells_secret(text: &str) -> bool {
    text.contains(CANARY) || text.contains(CANARY_BASE64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAMESPACE: &str = "n";

    fn object(kind: &str, namespace: &str, name: &str, uid: &str) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "data": {"k": name},
            "metadata": {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": uid}})
    }

    fn dump(objects: &[Value]) -> Dump {
        objects.iter().cloned().collect()
    }

    /// What was there before: one object that moves and one that stays in the source, one that stays in the target.
    fn before() -> Look {
        Look {
            source: dump(&[
                object("Secret", NAMESPACE, "moves", "1"),
                object("Secret", NAMESPACE, "stays", "2"),
            ]),
            target: dump(&[object("Secret", "other", "stays", "3")]),
        }
    }

    fn broken(after: &Look, terminal: Terminal) -> Vec<Invariant> {
        let before = before();
        let moved = BTreeSet::from([Key::of(&object("Secret", NAMESPACE, "moves", "")).unwrap()]);
        let witness = Witness { before: &before, namespace: NAMESPACE, moved: &moved, restarted: false };
        let mut broken: Vec<_> =
            witness.judge(after, terminal).into_iter().map(|one| one.invariant).collect();
        broken.dedup();
        broken
    }

    fn done() -> Look {
        let mut after = before();
        let mut moved =
            after.source.remove(&Key::of(&object("Secret", NAMESPACE, "moves", "")).unwrap()).unwrap();
        moved["metadata"]["uid"] = "9".into();
        after.target.insert(moved);
        after.target.insert(object("ConfigMap", NAMESPACE, "kube-root-ca.crt", "10"));
        after.target.insert(object("ConfigMap", SYSTEM, "ownership", "11"));
        after
    }

    #[test]
    fn both_ends_are_accepted_as_they_should_be() {
        assert_eq!(broken(&before(), Terminal::A), []);
        assert_eq!(broken(&done(), Terminal::B), []);
        assert_eq!(broken(&before(), Terminal::B), [Invariant::Set]);
        assert_eq!(broken(&done(), Terminal::A), [Invariant::Set, Invariant::Bystanders, Invariant::Nothing]);
    }

    #[test]
    fn what_is_broken_is_seen() {
        type Deed = fn(&mut Look);
        let after_rollback: [(Deed, Invariant); 6] = [
            (|look| look.source.insert(object("Secret", NAMESPACE, "moves", "7")), Invariant::Identity),
            (|look| look.source.insert(object("Secret", NAMESPACE, "stays", "7")), Invariant::Bystanders),
            (|look| look.target.insert(object("Secret", NAMESPACE, "moves", "7")), Invariant::Bystanders),
            (|look| look.target.insert(object("Lease", SYSTEM, "pivotctl", "7")), Invariant::Nothing),
            (
                |look| look.source.insert(object("Secret", SYSTEM, "pivot-1-snap-000", "7")),
                Invariant::Nothing,
            ),
            (
                |look| {
                    let mut object = object("ConfigMap", SYSTEM, "pivot-1", "7");
                    object["data"]["k"] = CANARY.into();
                    look.source.insert(object);
                },
                Invariant::Secrets,
            ),
        ];
        for (deed, expected) in after_rollback {
            let mut after = before();
            deed(&mut after);
            assert!(broken(&after, Terminal::A).contains(&expected), "{expected}");
        }
        let after_move: [(Deed, Invariant); 3] = [
            (
                |look| {
                    let mut changed = object("Secret", NAMESPACE, "moves", "9");
                    changed["data"]["k"] = "other".into();
                    look.target.insert(changed);
                },
                Invariant::Content,
            ),
            (
                |look| {
                    let mut policy = object("ValidatingAdmissionPolicy", "", "pivotctl-1", "7");
                    policy["apiVersion"] = "admissionregistration.k8s.io/v1".into();
                    look.source.insert(policy);
                },
                Invariant::Nothing,
            ),
            (
                |look| {
                    let mut owned = object("Secret", NAMESPACE, "moves", "9");
                    owned["metadata"]["ownerReferences"] = json!([{"kind": "X", "name": "x", "uid": "gone"}]);
                    look.target.insert(owned);
                },
                Invariant::Owners,
            ),
        ];
        for (deed, expected) in after_move {
            let mut after = done();
            deed(&mut after);
            assert!(broken(&after, Terminal::B).contains(&expected), "{expected}");
        }
    }
}
