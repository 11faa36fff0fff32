//! Creates, replaces and patches.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    Call,
    admission::Review,
    answer::Answer,
    failure::{Cause, Failure},
    handle::{Unknown, object_of},
    managed::Manager,
    resource::Resource,
    schema,
    store::{Slot, World, finish_namespace},
    validate,
};

/// Metadata that only the server sets.
const SYSTEM_FIELDS: [&str; 7] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "generation",
    "resourceVersion",
];

impl World {
    pub(super) fn create(&mut self, call: &Call, resource: &Resource) -> Result<Answer, Failure> {
        let mut object = object_of(call, resource)?;
        // Field managers sent along with a create are ignored.
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let warnings = prune(call, resource, &mut object)?;
        let created = self.insert(call, resource, object, None)?;
        Ok(Answer::object(201, call, resource, &created).with_warnings(warnings))
    }

    /// Stores a new object. `applied` holds the field managers of a server-side apply.
    fn insert(
        &mut self,
        call: &Call,
        resource: &Resource,
        mut object: Value,
        applied: Option<Value>,
    ) -> Result<Arc<Value>, Failure> {
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        place_in_namespace(call, resource, &mut object)?;
        if object["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Failure::new(500, "", message, Value::Null));
        }
        let generated = object["metadata"]["generateName"].as_str().unwrap_or_default().to_owned();
        let mut name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() && !generated.is_empty() {
            name = format!("{generated}{}", self.next_suffix());
        }
        if resource.namespaced {
            self.check_namespace(call, resource, &name)?;
        }
        if name.is_empty() {
            let message = "Required value: name or generateName is required".to_owned();
            let cause = Cause::new("FieldValueRequired", "metadata.name", message);
            return Err(Failure::invalid(resource, "", &[cause]));
        }
        self.stamp(call, resource, &mut object, &name);
        validate::complete(call, resource, &mut object, &name)?;
        self.check_quota(resource, &call.namespace, &name)?;
        let slot = Slot::new(resource, &call.namespace, &name);
        if self.objects.contains_key(&slot) {
            return Err(Failure::already_exists(resource, &name, !generated.is_empty()));
        }
        let now = self.now();
        if let Some(entries) = applied {
            object["metadata"]["managedFields"] = entries;
        } else {
            let api_version = resource.api_version(&call.version);
            manager(call, &api_version, &now).record_update(None, &mut object);
        }
        normalize(resource, &mut object);
        self.review(call, resource, &slot, Some(&object), None)?;
        validate::check_size(&object)?;
        Ok(if call.dry_run() { Arc::new(object) } else { self.put(&slot, object) })
    }

    fn check_namespace(&self, call: &Call, resource: &Resource, name: &str) -> Result<(), Failure> {
        let namespaces = self.resource("", "namespaces").expect("BUG: namespaces are built in");
        let namespace = self
            .get(&Slot::new(&namespaces, "", &call.namespace))
            .ok_or_else(|| Failure::not_found(&namespaces, &call.namespace))?;
        if namespace["metadata"]["deletionTimestamp"].is_string() {
            return Err(Failure::terminating(resource, name, &call.namespace));
        }
        Ok(())
    }

    /// Sets what the server gives every new object, whatever came with it.
    fn stamp(&mut self, call: &Call, resource: &Resource, object: &mut Value, name: &str) {
        if resource.version(&call.version).is_some_and(|version| version.status) {
            remove(object, "status");
        }
        let (uid, now) = (self.next_uid(), self.now());
        let metadata = object["metadata"].as_object_mut().expect("BUG: metadata was made an object");
        for field in SYSTEM_FIELDS {
            metadata.remove(field);
        }
        metadata.insert("name".to_owned(), name.into());
        metadata.insert("uid".to_owned(), uid.into());
        metadata.insert("creationTimestamp".to_owned(), now.into());
        if resource.generation {
            metadata.insert("generation".to_owned(), 1.into());
        }
        if resource.is("", "Namespace") {
            finish_namespace(object);
        }
    }

    pub(super) fn replace(
        &mut self,
        call: &Call,
        resource: &Resource,
        slot: &Slot,
    ) -> Result<Answer, Failure> {
        let mut object = object_of(call, resource)?;
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        let warnings = prune(call, resource, &mut object)?;
        place_in_namespace(call, resource, &mut object)?;
        check_name(call, &object)?;
        let live = self.get(slot).ok_or_else(|| Failure::not_found(resource, &slot.name))?;
        let given = object["metadata"]["uid"].as_str().unwrap_or_default();
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        if !given.is_empty() && given != uid {
            let why = format!("Precondition failed: UID in precondition: {given}, UID in object meta: {uid}");
            return Err(Failure::conflict(resource, &slot.name, &why));
        }
        let stored = self.update(call, resource, slot, &live, object, false)?;
        Ok(Answer::object(200, call, resource, &stored).with_warnings(warnings))
    }

    pub(super) fn patch(&mut self, call: &Call, resource: &Resource, slot: &Slot) -> Result<Answer, Failure> {
        let media = call.content_type.split(';').next().unwrap_or_default();
        let live = self.get(slot);
        if media == "application/apply-patch+yaml" {
            return self.apply(call, resource, slot, live.as_ref());
        }
        if !matches!(media, "application/merge-patch+json" | "application/json-patch+json") {
            let message = "the body of the request was in an unknown format - accepted media types include: \
                           application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
            return Err(Failure::new(415, "UnsupportedMediaType", message, Value::Null));
        }
        let live = live.ok_or_else(|| Failure::not_found(resource, &slot.name))?;
        let body = call.body.as_ref().ok_or_else(|| Failure::bad_request("the patch is not JSON"))?;
        // The patch applies to the object as the version in the path shows it.
        let mut patched = (*live).clone();
        patched["apiVersion"] = resource.api_version(&call.version).into();
        if media == "application/merge-patch+json" {
            json_patch::merge(&mut patched, body);
        } else {
            apply_json_patch(&mut patched, body)?;
        }
        let whole = patched.to_string();
        let unknown = schema::prune(schema_of(call, resource), &mut patched);
        let warnings = match Unknown::judge(call, &unknown) {
            Unknown::Warned(warnings) => warnings,
            // The real message, too, repeats the whole object: a client must not print it.
            Unknown::Refused(why) => {
                let message = format!(" \"\" is invalid: patch: Invalid value: {whole:?}: {why}");
                return Err(Failure::new(422, "Invalid", &message, json!({})));
            }
        };
        check_name(call, &patched)?;
        let stored = self.update(call, resource, slot, &live, patched, false)?;
        Ok(Answer::object(200, call, resource, &stored).with_warnings(warnings))
    }

    fn apply(
        &mut self,
        call: &Call,
        resource: &Resource,
        slot: &Slot,
        live: Option<&Arc<Value>>,
    ) -> Result<Answer, Failure> {
        let mut object = object_of(call, resource)?;
        if object["metadata"].get("managedFields").is_some() {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        let warnings = prune(call, resource, &mut object)?;
        let now = self.now();
        let empty = json!({"metadata": {}});
        let base = live.map_or(&empty, |live| live.as_ref());
        let force = call.query("force") == "true";
        let api_version = resource.api_version(&call.version);
        let merged = manager(call, &api_version, &now).apply(base, &object, force).map_err(|causes| {
            let texts: Vec<_> = causes.iter().map(|c| format!("{}: {}", c.message, c.field)).collect();
            let message = format!("Apply failed with {} conflicts: {}", causes.len(), texts.join(", "));
            let causes: Vec<_> = causes
                .iter()
                .map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field}))
                .collect();
            Failure::new(409, "Conflict", &message, json!({"causes": causes}))
        })?;
        let (code, stored) = match live {
            None if call.subresource.is_empty() => {
                object["metadata"]["name"] = slot.name.clone().into();
                let entries = merged["metadata"]["managedFields"].clone();
                (201, self.insert(call, resource, object, Some(entries))?)
            }
            None => return Err(Failure::not_found(resource, &slot.name)),
            Some(live) => (200, self.update(call, resource, slot, live, merged, true)?),
        };
        Ok(Answer::object(code, call, resource, &stored).with_warnings(warnings))
    }

    /// Stores a changed object, or leaves it alone where nothing changed.
    fn update(
        &mut self,
        call: &Call,
        resource: &Resource,
        slot: &Slot,
        live: &Arc<Value>,
        mut new: Value,
        applied: bool,
    ) -> Result<Arc<Value>, Failure> {
        check_versions(resource, slot, live, &new)?;
        let has_status = resource.version(&call.version).is_some_and(|version| version.status);
        if call.subresource == "status" {
            // Everything else in the request is ignored, a wrong uid in a patch included.
            let mut kept = (**live).clone();
            put_or_remove(&mut kept, "status", new.get("status").cloned());
            // Field managers, though, are told from the request: who sends less metadata with a status takes the rest
            // from its owners.
            let mut seen = kept.clone();
            seen["metadata"] = new["metadata"].clone();
            if !applied {
                remove(&mut seen["metadata"], "managedFields");
                self.record_managers(call, resource, live, &mut seen);
            }
            let entries = seen["metadata"].get("managedFields").cloned();
            put_or_remove(&mut kept["metadata"], "managedFields", entries);
            new = kept;
        } else {
            let given = &new["metadata"]["uid"];
            if given.is_string() && *given != live["metadata"]["uid"] {
                return Err(Failure::immutable(resource, &slot.name, "metadata.uid", given));
            }
            if has_status {
                put_or_remove(&mut new, "status", live.get("status").cloned());
            }
        }
        for field in SYSTEM_FIELDS {
            put_or_remove(&mut new["metadata"], field, live["metadata"].get(field).cloned());
        }
        if resource.is("", "Namespace") {
            finish_namespace(&mut new);
            put_or_remove(&mut new["spec"], "finalizers", live["spec"].get("finalizers").cloned());
        }
        validate::complete(call, resource, &mut new, &slot.name)?;
        validate::check_transition(resource, &slot.name, live, &new)?;
        normalize(resource, &mut new);
        if resource.generation && content(live, has_status) != content(&new, has_status) {
            let generation = live["metadata"]["generation"].as_i64().unwrap_or_default();
            new["metadata"]["generation"] = (generation + 1).into();
        }
        if !applied && call.subresource.is_empty() {
            self.record_managers(call, resource, live, &mut new);
        }
        if unchanged(live, &new) {
            return Ok(Arc::clone(live));
        }
        self.review(call, resource, slot, Some(&new), Some(live))?;
        validate::check_size(&new)?;
        if call.dry_run() {
            return Ok(Arc::new(new));
        }
        if is_finished(&new) {
            self.remove(slot);
            return Ok(Arc::new(new));
        }
        Ok(self.put(slot, new))
    }

    fn record_managers(&self, call: &Call, resource: &Resource, live: &Value, new: &mut Value) {
        let (now, api_version) = (self.now(), resource.api_version(&call.version));
        manager(call, &api_version, &now).record_update(Some(live), new);
    }

    pub(super) fn review(
        &self,
        call: &Call,
        resource: &Resource,
        slot: &Slot,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<(), Failure> {
        let review = Review {
            verb: call.verb,
            user: &call.user,
            extra: &call.extra,
            group: &resource.group,
            kind: &resource.kind,
            subresource: &call.subresource,
            namespace: &slot.namespace,
            name: &slot.name,
            object,
            old,
        };
        self.admit(resource, &review)
    }
}

fn schema_of<'a>(call: &Call, resource: &'a Resource) -> Option<&'a Value> {
    resource.version(&call.version).and_then(|version| version.schema.as_ref())
}

/// Drops unknown fields; returns warnings, or a refusal where the call wants strictness.
fn prune(call: &Call, resource: &Resource, object: &mut Value) -> Result<Vec<String>, Failure> {
    let unknown = schema::prune(schema_of(call, resource), object);
    match Unknown::judge(call, &unknown) {
        Unknown::Warned(warnings) => Ok(warnings),
        Unknown::Refused(why) => {
            let message = format!(
                "{kind} in version \"{}\" cannot be handled as a {kind}: {why}",
                call.version,
                kind = resource.kind
            );
            Err(Failure::bad_request(&message))
        }
    }
}

fn place_in_namespace(call: &Call, resource: &Resource, object: &mut Value) -> Result<(), Failure> {
    if !resource.namespaced {
        remove(&mut object["metadata"], "namespace");
        return Ok(());
    }
    let given = object["metadata"]["namespace"].as_str().unwrap_or_default();
    if !given.is_empty() && given != call.namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Failure::bad_request(message));
    }
    object["metadata"]["namespace"] = call.namespace.clone().into();
    Ok(())
}

fn check_name(call: &Call, object: &Value) -> Result<(), Failure> {
    let given = object["metadata"]["name"].as_str().unwrap_or_default();
    if given != call.name {
        let message =
            format!("the name of the object ({given}) does not match the name on the URL ({})", call.name);
        return Err(Failure::bad_request(&message));
    }
    Ok(())
}

fn check_versions(resource: &Resource, slot: &Slot, live: &Value, new: &Value) -> Result<(), Failure> {
    match new["metadata"]["resourceVersion"].as_str().unwrap_or_default() {
        "" if resource.unconditional_update => Ok(()),
        "" => Err(Failure::version_required(resource, &slot.name)),
        given if given == live["metadata"]["resourceVersion"] => Ok(()),
        _ => Err(Failure::modified(resource, &slot.name)),
    }
}

fn apply_json_patch(object: &mut Value, body: &Value) -> Result<(), Failure> {
    let patch: json_patch::Patch =
        serde_json::from_value(body.clone()).map_err(|error| Failure::bad_request(&error.to_string()))?;
    json_patch::patch(object, &patch).map_err(|_| {
        let message = "the server rejected our request due to an error in our request";
        Failure::new(422, "Invalid", message, json!({}))
    })
}

fn manager<'a>(call: &'a Call, api_version: &'a str, now: &'a str) -> Manager<'a> {
    Manager { name: call.manager(), api_version, subresource: &call.subresource, now }
}

/// Objects are stored in one version whatever version they came in; there is no conversion but of that field.
fn normalize(resource: &Resource, object: &mut Value) {
    object["apiVersion"] = resource.api_version(&resource.storage).into();
    object["kind"] = resource.kind.clone().into();
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|_, value| !empty(value));
    }
}

/// What a new generation stands for a change of: everything but metadata and a status that is a subresource.
fn content(object: &Value, has_status: bool) -> BTreeMap<&String, &Value> {
    let fields = object.as_object().into_iter().flatten();
    fields.filter(|(field, _)| *field != "metadata" && !(has_status && *field == "status")).collect()
}

/// True if nothing changed but the times at which managers wrote.
fn unchanged(live: &Value, new: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            remove(entry, "time");
        }
        object
    };
    live == new || timeless(live) == timeless(new)
}

/// True if the deletion has begun and nothing holds the object any more.
pub(super) fn is_finished(object: &Value) -> bool {
    let none = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    object["metadata"]["deletionTimestamp"].is_string()
        && none(&object["metadata"]["finalizers"])
        && (object["kind"] != "Namespace" || none(&object["spec"]["finalizers"]))
}

pub(super) fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

fn put_or_remove(object: &mut Value, field: &str, value: Option<Value>) {
    match value {
        Some(value) => object[field] = value,
        None => remove(object, field),
    }
}
