//! Deletes: at once, or begun and held by finalizers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Call,
    answer::{Answer, present_list},
    failure::Failure,
    read::selector_of,
    resource::{Resource, items},
    store::{Slot, World},
    write::is_finished,
};

/// The finalizers that stand for how dependents are treated.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
pub(super) const ORPHAN: &str = "orphan";

/// How a delete ended.
pub(super) enum Deleted {
    /// The object is gone.
    Gone(Arc<Value>),
    /// The object waits for its finalizers.
    Held(Arc<Value>),
}

impl World {
    pub(super) fn delete(
        &mut self,
        call: &Call,
        resource: &Resource,
        slot: &Slot,
    ) -> Result<Answer, Failure> {
        let live = self.get(slot).ok_or_else(|| Failure::not_found(resource, &slot.name))?;
        let options = call.body.clone().unwrap_or_default();
        check_preconditions(resource, slot, &live, &options["preconditions"])?;
        self.review(call, resource, slot, None, Some(&live))?;
        let policy = match call.query("propagationPolicy") {
            "" => options["propagationPolicy"].as_str().unwrap_or_default(),
            policy => policy,
        };
        if call.dry_run() {
            return Ok(Answer::object(200, call, resource, &live));
        }
        Ok(match self.begin_delete(resource, slot, &live, policy) {
            Deleted::Held(object) => Answer::object(200, call, resource, &object),
            Deleted::Gone(object) => {
                let mut details = json!({"name": slot.name, "kind": resource.plural,
                    "uid": object["metadata"]["uid"]});
                if !resource.group.is_empty() {
                    details["group"] = resource.group.clone().into();
                }
                Answer::ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                    "status": "Success", "details": details}))
            }
        })
    }

    pub(super) fn delete_collection(&mut self, call: &Call, resource: &Resource) -> Result<Answer, Failure> {
        let selector = selector_of(call)?;
        let options = call.body.clone().unwrap_or_default();
        let policy = options["propagationPolicy"].as_str().unwrap_or_default().to_owned();
        let metadata = json!({"resourceVersion": self.revision.to_string()});
        let mut deleted = Vec::new();
        for (slot, live) in self.select(resource, &call.namespace, &selector) {
            self.review(call, resource, &slot, None, Some(&live))?;
            if !call.dry_run() {
                self.begin_delete(resource, &slot, &live, &policy);
            }
            deleted.push(live);
        }
        Ok(Answer::ok(present_list(call, resource, &metadata, &deleted)))
    }

    /// Deletes an object that nothing holds; marks one that finalizers hold.
    pub(super) fn begin_delete(
        &mut self,
        resource: &Resource,
        slot: &Slot,
        live: &Arc<Value>,
        policy: &str,
    ) -> Deleted {
        if live["metadata"]["deletionTimestamp"].is_string() {
            return Deleted::Held(Arc::clone(live));
        }
        let mut object = (**live).clone();
        let held_by = match policy {
            "Foreground" => Some(FOREGROUND),
            "Orphan" => Some(ORPHAN),
            _ => None,
        };
        let mut finalizers: Vec<Value> = items(&object["metadata"]["finalizers"]).cloned().collect();
        if let Some(finalizer) = held_by
            && !finalizers.iter().any(|own| own == finalizer)
        {
            finalizers.push(finalizer.into());
        }
        if !finalizers.is_empty() {
            object["metadata"]["finalizers"] = finalizers.into();
        }
        object["metadata"]["deletionTimestamp"] = self.now().into();
        if is_finished(&object) {
            self.remove(slot);
            return Deleted::Gone(Arc::clone(live));
        }
        if resource.is("", "Namespace") {
            object["status"]["phase"] = "Terminating".into();
        } else {
            object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        }
        if let Some(generation) = object["metadata"]["generation"].as_i64() {
            object["metadata"]["generation"] = (generation + 1).into();
        }
        Deleted::Held(self.put(slot, object))
    }
}

fn check_preconditions(
    resource: &Resource,
    slot: &Slot,
    live: &Value,
    wanted: &Value,
) -> Result<(), Failure> {
    for (field, what, guess) in [
        ("uid", "UID", ". The object might have been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", ". The object might have been modified"),
    ] {
        let found = live["metadata"][field].as_str().unwrap_or_default();
        if let Some(expected) = wanted[field].as_str().filter(|expected| *expected != found) {
            let why = format!(
                "the {what} in the precondition ({expected}) does not match the {what} in record ({found}){guess}"
            );
            return Err(Failure::precondition(resource, &slot.name, &why));
        }
    }
    Ok(())
}
