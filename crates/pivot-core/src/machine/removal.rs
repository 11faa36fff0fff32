//! Removing a set of objects, leaf first: RETIRE in the source, and the way back in the target.
//!
//! With the pause as the only fence it is DELETE, then strip: live controllers put finalizers back on an object that is not being
//! deleted, and the pause annotation stays on it to the end. Behind the full fence it is strip, then DELETE: no controller ever
//! meets a Terminating object, also if the tool dies in between (DESIGN section 2, RETIRE).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::{Value, json};

use super::effect::{Op, Revision, Write};
use super::notice::Side;
use crate::inventory::Object;
use crate::object::{ObjectKey, Uid};
use crate::rewrite::OWN_MANAGER;

/// An object to remove.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: ObjectKey,
    pub(super) uid: Uid,
    /// Revision that must hold; `None` where only the instance matters.
    pub(super) resource_version: Option<String>,
    /// Finalizers are to be taken off before the delete.
    strips_first: bool,
    /// Revision after the delete was accepted.
    stripping: Option<Revision>,
    /// Objects to be gone before this one.
    waits: usize,
    /// Objects that wait for this one.
    releases: Vec<usize>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Gone,
    Kept,
}

impl Entry {
    /// True once our delete was accepted, and finalizers hold it.
    pub(super) fn is_stripping(&self) -> bool {
        self.stripping.is_some()
    }
}

/// The removal of a set.
#[derive(Clone, Debug)]
pub(super) struct Removal {
    side: Side,
    entries: Vec<Entry>,
    left: usize,
}

impl Removal {
    /// Objects in `entries` are removed after all that depend on them: pairs (dependent, dependency) of positions.
    pub(super) fn new(
        side: Side,
        entries: Vec<(ObjectKey, Uid, Option<String>)>,
        links: &BTreeSet<(usize, usize)>,
    ) -> Self {
        let entry = |(key, uid, resource_version)| Entry {
            key,
            uid,
            resource_version,
            strips_first: false,
            stripping: None,
            waits: 0,
            releases: Vec::new(),
            state: State::Waiting,
        };
        let mut entries: Vec<_> = entries.into_iter().map(entry).collect();
        for &(dependent, dependency) in links {
            entries[dependency].waits += 1;
            entries[dependent].releases.push(dependency);
        }
        let left = entries.len();
        Self { side, entries, left }
    }

    /// These are stripped before they are deleted.
    #[must_use]
    pub(super) fn stripping_first(mut self, holds: impl Fn(&ObjectKey) -> bool) -> Self {
        for entry in &mut self.entries {
            entry.strips_first = holds(&entry.key);
        }
        self
    }

    /// Objects of which no more is known than their owner references; only the instance must hold.
    pub(super) fn by_owners<'a>(side: Side, objects: impl Iterator<Item = &'a Object>) -> Self {
        let (entries, owners): (Vec<_>, Vec<_>) = objects
            .map(|object| {
                let owners = object.manifest.owner_references().into_iter().map(|owner| owner.uid).collect();
                ((object.key.clone(), object.uid.clone(), None), (object.uid.clone(), owners))
            })
            .unzip();
        Self::new(side, entries, &Self::owner_links(&owners))
    }

    fn owner_links(uids: &[(Uid, Vec<Uid>)]) -> BTreeSet<(usize, usize)> {
        let position: HashMap<_, _> = uids.iter().enumerate().map(|(index, (uid, _))| (uid, index)).collect();
        let mut links = BTreeSet::new();
        for (index, (_, owners)) in uids.iter().enumerate() {
            // A cycle of owners must not block itself: only the direction towards later positions counts then.
            let known = owners.iter().filter_map(|owner| position.get(owner).copied());
            links.extend(known.filter(|&owner| owner != index).map(|owner| (index, owner)));
        }
        break_cycles(uids.len(), links)
    }

    pub(super) fn ready(&self) -> impl Iterator<Item = usize> {
        self.entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.waits == 0 && entry.state == State::Waiting)
            .map(|(index, _)| index)
    }

    pub(super) fn entry(&self, index: usize) -> &Entry {
        &self.entries[index]
    }

    /// Position of an instance that is still to go.
    pub(super) fn position(&self, uid: &Uid) -> Option<usize> {
        self.entries.iter().position(|entry| entry.uid == *uid && entry.state == State::Waiting)
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    pub(super) fn total(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn done(&self) -> usize {
        self.entries.len() - self.left
    }

    pub(super) fn is_finished(&self) -> bool {
        self.left == 0
    }

    /// The next request for an object.
    pub(super) fn write(&self, index: usize) -> Write {
        let entry = &self.entries[index];
        let strip =
            |version: &str| Op::Merge { patch: strip_patch(version), manager: OWN_MANAGER.to_owned() };
        let op = match (&entry.stripping, &entry.resource_version) {
            (Some(revision), _) => strip(&revision.resource_version),
            (None, Some(version)) if entry.strips_first => strip(version),
            (None, version) => Op::Delete { uid: entry.uid.clone(), resource_version: version.clone() },
        };
        Write { side: self.side, key: entry.key.clone(), op }
    }

    /// The delete was accepted, or the object changed while it is stripped.
    pub(super) fn terminating(&mut self, index: usize, revision: Revision) {
        self.entries[index].stripping = Some(revision);
    }

    /// Its finalizers are off; true where that was what was to be done first.
    pub(super) fn stripped(&mut self, index: usize, resource_version: &str) -> bool {
        let first = std::mem::take(&mut self.entries[index].strips_first);
        if first {
            self.expect(index, resource_version);
        }
        first
    }

    /// The revision that must hold is another one.
    pub(super) fn expect(&mut self, index: usize, resource_version: &str) {
        let entry = &mut self.entries[index];
        entry.resource_version = entry.resource_version.as_ref().map(|_| resource_version.to_owned());
    }

    /// The object is gone; returns those that may go now.
    pub(super) fn gone(&mut self, index: usize) -> Vec<usize> {
        self.settle(index, State::Gone)
    }

    /// The object stays, and with it all that it waits to release.
    pub(super) fn keep(&mut self, index: usize) -> Vec<ObjectKey> {
        let mut kept = Vec::new();
        let mut queue = VecDeque::from([index]);
        while let Some(index) = queue.pop_front() {
            if self.entries[index].state != State::Waiting {
                continue;
            }
            self.entries[index].state = State::Kept;
            self.left -= 1;
            kept.push(self.entries[index].key.clone());
            queue.extend(self.entries[index].releases.iter().copied());
        }
        kept
    }

    fn settle(&mut self, index: usize, state: State) -> Vec<usize> {
        if self.entries[index].state != State::Waiting {
            return Vec::new();
        }
        self.entries[index].state = state;
        self.left -= 1;
        let mut free = Vec::new();
        for release in self.entries[index].releases.clone() {
            let entry = &mut self.entries[release];
            entry.waits -= 1;
            if entry.waits == 0 && entry.state == State::Waiting {
                free.push(release);
            }
        }
        free
    }
}

fn strip_patch(resource_version: &str) -> Value {
    json!({"metadata": {"resourceVersion": resource_version, "finalizers": null}})
}

/// Keeps links in the order in which a depth-first walk meets them, without those that close a cycle.
fn break_cycles(count: usize, links: BTreeSet<(usize, usize)>) -> BTreeSet<(usize, usize)> {
    let mut outgoing: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to) in links {
        outgoing.entry(from).or_default().push(to);
    }
    let mut kept = BTreeSet::new();
    let mut visited = vec![0u8; count];
    for start in 0..count {
        if visited[start] != 0 {
            continue;
        }
        let mut stack = vec![(start, 0)];
        visited[start] = 1;
        while let Some((node, next)) = stack.pop() {
            let Some(&to) = outgoing.get(&node).and_then(|targets| targets.get(next)) else {
                visited[node] = 2;
                continue;
            };
            stack.push((node, next + 1));
            if visited[to] == 1 {
                continue;
            }
            kept.insert((node, to));
            if visited[to] == 0 {
                visited[to] = 1;
                stack.push((to, 0));
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::GroupKind;

    fn removal(links: &[(usize, usize)], count: usize) -> Removal {
        let entry = |index: usize| {
            (
                ObjectKey::new(GroupKind::new("", "Secret"), Some("a"), &index.to_string()),
                Uid(index.to_string()),
                None,
            )
        };
        Removal::new(Side::Source, (0..count).map(entry).collect(), &links.iter().copied().collect())
    }

    #[test]
    fn leaves_go_first() {
        let mut removal = removal(&[(2, 1), (1, 0), (3, 0)], 4);
        assert_eq!(removal.ready().collect::<Vec<_>>(), [2, 3]);
        assert!(removal.gone(3).is_empty());
        assert_eq!(removal.gone(2), [1]);
        assert_eq!(removal.gone(1), [0]);
        removal.gone(0);
        assert!(removal.is_finished());
    }

    #[test]
    fn what_is_stripped_first_is_deleted_as_the_strip_left_it() {
        let key = ObjectKey::new(GroupKind::new("", "Secret"), Some("a"), "held");
        let entries = vec![(key, Uid("u".to_owned()), Some("7".to_owned()))];
        let mut removal = Removal::new(Side::Source, entries, &BTreeSet::new()).stripping_first(|_| true);
        let Op::Merge { patch, .. } = removal.write(0).op else { panic!("deleted before it was stripped") };
        assert_eq!(patch, json!({"metadata": {"resourceVersion": "7", "finalizers": null}}));
        assert!(removal.stripped(0, "8"));
        let Op::Delete { resource_version, .. } = removal.write(0).op else { panic!("stripped twice") };
        assert_eq!(resource_version.as_deref(), Some("8"));
        assert!(!removal.stripped(0, "9"), "somebody put a finalizer back, and it was taken off again");
    }

    #[test]
    fn what_stays_keeps_its_owners() {
        let mut removal = removal(&[(2, 1), (1, 0)], 3);
        let kept: Vec<_> = removal.keep(2).into_iter().map(|key| key.name).collect();
        assert_eq!(kept, ["2", "1", "0"]);
        assert!(removal.is_finished());
    }

    #[test]
    fn a_cycle_of_owners_opens() {
        let uid = |text: &str| Uid(text.to_owned());
        let uids = [(uid("a"), vec![uid("b")]), (uid("b"), vec![uid("a")]), (uid("c"), vec![uid("a")])];
        let links = Removal::owner_links(&uids);
        assert!(links.contains(&(2, 0)));
        assert_eq!(links.len(), 2);
    }
}
