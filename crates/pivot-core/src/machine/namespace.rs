//! Namespaces of the target: created where they are missing, and removed by a rollback where nobody else has moved in.

use std::collections::BTreeMap;

use serde_json::json;

use super::Machine;
use super::effect::{Op, Outcome, RefusalClass, Write};
use super::notice::{Notice, Side};
use super::retry::Tries;
use super::stage::namespace_key;
use super::step::Step;
use crate::marks;
use crate::object::{Manifest, ObjectKey, Uid};
use crate::rewrite::OWN_MANAGER;

/// What controllers of Kubernetes put into every namespace: kind and name.
const IN_EVERY_NAMESPACE: [(&str, &str); 2] =
    [("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")];

/// Namespaces on their way out.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// Not yet decided, or not yet removed.
    left: usize,
    /// Instances that are ours.
    uids: BTreeMap<ObjectKey, Uid>,
}

/// STAGE
impl Machine {
    pub(super) fn create_namespaces(&mut self) {
        let waited_for = self.stage.namespaces.keys();
        let missing: Vec<_> =
            waited_for.filter(|name| !self.stage.known_namespaces.contains(*name)).cloned().collect();
        for name in missing {
            self.stage.asked_namespaces.insert(namespace_key(&name));
            self.push(Step::Namespace(name));
        }
    }

    pub(super) fn namespace_write(&self, name: &str) -> Write {
        let source = self.blueprint.source.namespaces.get(name);
        let (mut labels, mut annotations) =
            source.map(|ns| (ns.labels(), ns.annotations())).unwrap_or_default();
        // Set by the API server itself.
        labels.remove("kubernetes.io/metadata.name");
        annotations.retain(|key, _| !key.starts_with(marks::PREFIX));
        annotations.insert(marks::PIVOT_ID.to_owned(), self.options.pivot_id.clone());
        let body = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": labels, "annotations": annotations}});
        let op = Op::Create { body, manager: OWN_MANAGER.to_owned() };
        Write { side: Side::Target, key: namespace_key(name), op }
    }

    pub(super) fn settle_namespace(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Outcome::Written(_) | Outcome::Refused { class: RefusalClass::Exists, .. } => {
                self.namespace_ready(name);
            }
            other => self.refused(&format!("creating namespace {name} in the target"), other),
        }
    }

    pub(super) fn read_back_namespace(&mut self, name: &str, tries: Tries, found: Option<&Manifest>) {
        match found {
            None => self.again(Step::Namespace(name.to_owned()), tries),
            Some(_) => self.namespace_ready(name),
        }
    }

    fn namespace_ready(&mut self, name: &str) {
        self.stage.known_namespaces.insert(name.to_owned());
        for index in self.stage.namespaces.remove(name).unwrap_or_default() {
            self.release(index);
        }
    }
}

/// The way back
impl Machine {
    /// Whether a namespace is ours is asked, not remembered: the answer to its creation may have been lost.
    pub(super) fn drop_namespaces(&mut self) {
        let asked: Vec<_> = self.stage.asked_namespaces.iter().cloned().collect();
        self.rollback_mut().namespaces.left = asked.len();
        if asked.is_empty() {
            return self.target_clear();
        }
        for key in asked {
            self.push(Step::LookUpNamespace(key));
        }
    }

    pub(super) fn settle_look_up_namespace(&mut self, key: ObjectKey, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Read(found) => self.look_up_namespace(key, tries, found.as_deref()),
            other => self.keep_namespace(key, &format!("cannot be read: {other:?}")),
        }
    }

    pub(super) fn look_up_namespace(&mut self, key: ObjectKey, tries: Tries, found: Option<&Manifest>) {
        match found {
            Some(found) if marks::is_ours(found, &self.options.pivot_id) && !found.is_terminating() => {
                self.rollback_mut().namespaces.uids.insert(key.clone(), found.uid());
                self.again(Step::Occupants(key), tries);
            }
            _ => self.namespace_done(),
        }
    }

    /// Deleting a namespace deletes everything in it.
    pub(super) fn settle_occupants(&mut self, key: ObjectKey, tries: Tries, outcome: Outcome) {
        let seen = match outcome {
            Outcome::Glance(seen) => seen,
            other => return self.keep_namespace(key, &format!("what is in it cannot be seen: {other:?}")),
        };
        let of_every_namespace = |key: &ObjectKey| {
            key.kind.group.is_empty()
                && IN_EVERY_NAMESPACE.contains(&(key.kind.kind.as_str(), key.name.as_str()))
        };
        match seen.iter().find(|seen| !of_every_namespace(&seen.key)) {
            None => self.again(Step::DropNamespace(key), tries),
            Some(occupant) => self.keep_namespace(key, &format!("somebody put {} into it", occupant.key)),
        }
    }

    pub(super) fn drop_namespace_write(&self, key: &ObjectKey) -> Write {
        let uid = self.rollback.as_ref().and_then(|rollback| rollback.namespaces.uids.get(key)).cloned();
        let uid = uid.expect("BUG: a namespace that was not looked up");
        Write { side: Side::Target, key: key.clone(), op: Op::Delete { uid, resource_version: None } }
    }

    pub(super) fn settle_drop_namespace(&mut self, key: ObjectKey, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Refused { class: RefusalClass::Conflict, message, .. } => {
                self.look_again(Step::DropNamespace(key), tries, &message);
            }
            Outcome::Refused { class: RefusalClass::Denied, message, .. } => {
                self.keep_namespace(key, &format!("could not be removed: {message}"));
            }
            _ => self.namespace_done(),
        }
    }

    /// A namespace without anything of ours in it does no harm, and is not worth a failed rollback.
    fn keep_namespace(&mut self, key: ObjectKey, why: &str) {
        let message = format!("created by this pivot and kept in the target: {why}");
        self.notices.push(Notice::Warning { object: Some(key), message });
        self.namespace_done();
    }

    fn namespace_done(&mut self) {
        let namespaces = &mut self.rollback_mut().namespaces;
        namespaces.left -= 1;
        if namespaces.left == 0 {
            self.target_clear();
        }
    }
}
