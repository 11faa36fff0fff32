//! Rewriting: what is sent to the target for an object of the source.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::content::{map_observed_generations, strip_server_fields};
use crate::host;
use crate::marks;
use crate::object::{Manifest, Uid};
use crate::pause::PauseField;

/// Field manager of requests that reproduce nobody's fields.
pub const OWN_MANAGER: &str = "pivotctl";

/// How to stage one object.
#[derive(Clone, Copy, Debug)]
pub struct Staging<'a> {
    /// The object as snapshotted.
    pub source: &'a Manifest,
    /// The pivot.
    pub pivot_id: &'a str,
    /// True where status is written by a request of its own.
    pub status_apart: bool,
    /// Live uid in the target of each staged owner, by its uid in the source.
    pub owners: &'a HashMap<Uid, Uid>,
    /// Owners (uids in the source) whose references are set later, because they close a cycle.
    pub deferred: &'a BTreeSet<Uid>,
}

impl Staging<'_> {
    /// Body of the create request. Pausable objects come paused; `version` is what the object was in the source; with `sealed` it
    /// is declared complete at once, which is right only where nothing is left to write.
    pub fn create_body(&self, version: &str, sealed: bool) -> Value {
        let mut body = self.source.value().clone();
        strip_server_fields(&mut body);
        if self.status_apart
            && let Some(fields) = body.as_object_mut()
        {
            fields.remove("status");
        }
        self.set_owners(&mut body, false);
        if let Some(field) = PauseField::of(&self.source.group_kind())
            && !field.is_paused(&field.read(self.source))
        {
            field.write(&mut body, &field.paused(self.pivot_id));
        }
        let annotations = &mut body["metadata"]["annotations"];
        annotations[marks::PIVOT_ID] = self.pivot_id.into();
        annotations[marks::SOURCE_UID] = self.source.uid().0.into();
        annotations[marks::SOURCE_VERSION] = version.into();
        if let Some(state) = self.state_of_host() {
            annotations[marks::ARRIVED_AS] = state.into();
        }
        if sealed {
            annotations[marks::PIVOTED_READY] = self.pivot_id.into();
        }
        body
    }

    /// What a host is doing. One that no operator has seen is in no state that it could leave.
    fn state_of_host(&self) -> Option<&str> {
        let state = host::state(self.source);
        (host::is_host(&self.source.group_kind()) && !state.is_empty()).then_some(state)
    }

    /// Owner references with the target's uids. An owner that is not staged is left out: the garbage collector would take its
    /// absence for a reason to delete.
    fn set_owners(&self, body: &mut Value, all: bool) {
        let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        match self.owner_references(all) {
            Some(owners) if !owners.is_empty() => {
                metadata.insert("ownerReferences".to_owned(), owners.into())
            }
            _ => metadata.remove("ownerReferences"),
        };
    }

    fn owner_references(&self, all: bool) -> Option<Vec<Value>> {
        let references = self.source.pointer("/metadata/ownerReferences")?.as_array()?;
        let live = references.iter().filter_map(|reference| {
            let uid = Uid(reference.get("uid")?.as_str()?.to_owned());
            if !all && self.deferred.contains(&uid) {
                return None;
            }
            let mut reference = reference.clone();
            reference["uid"] = self.owners.get(&uid)?.0.clone().into();
            Some(reference)
        });
        Some(live.collect())
    }

    /// True where the seal is a request of its own: status comes first, owner references are open, or managed fields must be
    /// restored.
    pub fn needs_seal(&self) -> bool {
        let status = self.status_apart && self.source.status().is_some();
        status || !self.deferred.is_empty() || FieldManagers::of(self.source).restore
    }

    /// Merge patch that completes the object: managed fields as in the source, owner references that were open, PivotedReady.
    pub fn seal_patch(&self, resource_version: &str) -> Value {
        let mut metadata = json!({
            "resourceVersion": resource_version,
            "annotations": {marks::PIVOTED_READY: self.pivot_id},
        });
        if !self.deferred.is_empty() {
            metadata["ownerReferences"] = self.owner_references(true).unwrap_or_default().into();
        }
        if FieldManagers::of(self.source).restore {
            metadata["managedFields"] =
                self.source.pointer("/metadata/managedFields").cloned().unwrap_or_default();
        }
        json!({"metadata": metadata})
    }

    /// Body of the status request, with observed generations in terms of the target: what the source's controllers had seen
    /// counts as seen, what they had not does not.
    pub fn status_body(
        &self,
        resource_version: &str,
        generation: i64,
        settled_generation: i64,
    ) -> Option<Value> {
        let mut status = self.source.status()?.clone();
        map_observed_generations(&mut status, &|observed| {
            // Many kinds take no 0 for what was never observed, only the absence of the field.
            let seen = if observed < settled_generation { generation - 1 } else { generation };
            (seen > 0).then(|| Value::from(seen))
        });
        let mut metadata = Map::from_iter([
            ("name".to_owned(), Value::from(self.source.name())),
            ("resourceVersion".to_owned(), Value::from(resource_version)),
        ]);
        if let Some(namespace) = self.source.namespace() {
            metadata.insert("namespace".to_owned(), namespace.into());
        }
        Some(json!({
            "apiVersion": self.source.api_version(),
            "kind": self.source.kind(),
            "metadata": metadata,
            "status": status,
        }))
    }
}

/// Who is to own the fields in the target.
///
/// Managed fields sent with a create are ignored. Where one manager wrote the whole object by plain updates, creating under its
/// name gives the same result without a further request; else the recorded entries are restored afterwards, so that
/// server-side apply users can still remove what is theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldManagers {
    /// Under whose name to create.
    pub main: String,
    /// Under whose name to write status.
    pub status: String,
    /// True where the entries must be restored.
    pub restore: bool,
}

impl FieldManagers {
    /// Reads `metadata.managedFields`.
    pub fn of(manifest: &Manifest) -> Self {
        let entries = manifest.pointer("/metadata/managedFields").and_then(Value::as_array);
        let entries: Vec<_> = entries.into_iter().flatten().collect();
        let text = |entry: &Value, field: &str| {
            entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let of_subresource = |name: &str| -> Vec<String> {
            let matching = entries.iter().filter(|entry| text(entry, "subresource") == name);
            matching.map(|entry| text(entry, "manager")).collect()
        };
        let (main, status) = (of_subresource(""), of_subresource("status"));
        let applied = entries.iter().any(|entry| text(entry, "operation") == "Apply");
        let simple =
            !applied && main.len() <= 1 && status.len() <= 1 && main.len() + status.len() == entries.len();
        let first = |names: &[String]| {
            names.first().filter(|n| !n.is_empty()).cloned().unwrap_or_else(|| OWN_MANAGER.to_owned())
        };
        Self { main: first(&main), status: first(&status), restore: !entries.is_empty() && !simple }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Manifest {
        Manifest::new(json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": {"name": "h", "namespace": "m", "uid": "s-h", "resourceVersion": "9", "generation": 4,
                "annotations": {"pivot.metal3.io/id": "older", "mine": "kept"}, "finalizers": ["f"],
                "ownerReferences": [{"apiVersion": "a/v1", "kind": "A", "name": "a", "uid": "s-a", "controller": true},
                    {"apiVersion": "a/v1", "kind": "B", "name": "b", "uid": "s-b"}]},
            "spec": {"online": true}, "status": {"conditions": [{"observedGeneration": 3}], "observedGeneration": 4},
        }))
    }

    fn staging<'a>(
        source: &'a Manifest,
        owners: &'a HashMap<Uid, Uid>,
        deferred: &'a BTreeSet<Uid>,
    ) -> Staging<'a> {
        Staging { source, pivot_id: "p1", status_apart: true, owners, deferred }
    }

    #[test]
    fn a_created_object_is_paused_marked_and_owned_by_live_uids() {
        let (source, deferred) = (object(), BTreeSet::new());
        let owners = HashMap::from([(Uid("s-a".into()), Uid("t-a".into()))]);
        let body = staging(&source, &owners, &deferred).create_body("9", false);
        assert_eq!(
            body,
            json!({
                "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
                "metadata": {"name": "h", "namespace": "m", "finalizers": ["f"],
                    "annotations": {"mine": "kept", "pivot.metal3.io/id": "p1", "pivot.metal3.io/source-uid": "s-h",
                        "pivot.metal3.io/source-version": "9",
                        "baremetalhost.metal3.io/paused": "pivot.metal3.io/p1"},
                    "ownerReferences": [{"apiVersion": "a/v1", "kind": "A", "name": "a", "uid": "t-a", "controller": true}]},
                "spec": {"online": true},
            })
        );
    }

    #[test]
    fn a_host_says_in_which_state_it_was() {
        let (owners, deferred) = (HashMap::new(), BTreeSet::new());
        let arrived_as = |kind: &str, status: Value| {
            let mut value = object().into_value();
            // That of an earlier pivot is no part of what moves.
            value["metadata"]["annotations"][marks::ARRIVED_AS] = "older".into();
            (value["kind"], value["status"]) = (kind.into(), status);
            let source = Manifest::new(value);
            let body = staging(&source, &owners, &deferred).create_body("9", false);
            body["metadata"]["annotations"][marks::ARRIVED_AS].clone()
        };
        let state = |state: Value| json!({"provisioning": {"state": state}});
        assert_eq!(arrived_as("BareMetalHost", state("provisioned".into())), "provisioned");
        assert_eq!(arrived_as("HardwareData", state("provisioned".into())), Value::Null);
        for none in [Value::Null, json!({}), state("".into()), state(3.into())] {
            assert_eq!(arrived_as("BareMetalHost", none.clone()), Value::Null, "{none}");
        }
    }

    #[test]
    fn a_pause_of_the_user_is_carried_as_it_is() {
        let mut value = object().into_value();
        value["metadata"]["annotations"]["baremetalhost.metal3.io/paused"] = "mine".into();
        let (source, owners, deferred) = (Manifest::new(value), HashMap::new(), BTreeSet::new());
        let body = staging(&source, &owners, &deferred).create_body("9", true);
        assert_eq!(body["metadata"]["annotations"]["baremetalhost.metal3.io/paused"], "mine");
        assert_eq!(body["metadata"]["annotations"][marks::PIVOTED_READY], "p1");
    }

    #[test]
    fn observed_generations_tell_the_same_in_the_target() {
        let (source, owners, deferred) = (object(), HashMap::new(), BTreeSet::new());
        let body = staging(&source, &owners, &deferred).status_body("77", 1, 4).unwrap();
        assert_eq!(body["status"], json!({"conditions": [{}], "observedGeneration": 1}));
        let body = staging(&source, &owners, &deferred).status_body("77", 5, 4).unwrap();
        assert_eq!(
            body["status"],
            json!({"conditions": [{"observedGeneration": 4}], "observedGeneration": 5})
        );
        assert_eq!(body["metadata"]["resourceVersion"], "77");
    }

    #[test]
    fn deferred_owners_come_with_the_seal() {
        let source = object();
        let owners =
            HashMap::from([(Uid("s-a".into()), Uid("t-a".into())), (Uid("s-b".into()), Uid("t-b".into()))]);
        let deferred = BTreeSet::from([Uid("s-b".into())]);
        let staging = staging(&source, &owners, &deferred);
        let uids = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|o| o["uid"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(uids(&staging.create_body("9", false)["metadata"]["ownerReferences"]), ["t-a"]);
        assert_eq!(uids(&staging.seal_patch("1")["metadata"]["ownerReferences"]), ["t-a", "t-b"]);
    }

    #[test]
    fn one_updater_needs_no_restoring_but_an_applier_does() {
        let with = |entries: Value| {
            FieldManagers::of(&Manifest::new(json!({"metadata": {"managedFields": entries}})))
        };
        let update = json!({"manager": "capi", "operation": "Update"});
        let status = json!({"manager": "bmo", "operation": "Update", "subresource": "status"});
        let simple = with(json!([update, status]));
        assert_eq!(simple, FieldManagers { main: "capi".into(), status: "bmo".into(), restore: false });
        assert!(with(json!([update, {"manager": "me", "operation": "Apply"}])).restore);
        assert!(with(json!([update, {"manager": "other", "operation": "Update"}])).restore);
        assert!(!with(json!([])).restore);
    }
}
