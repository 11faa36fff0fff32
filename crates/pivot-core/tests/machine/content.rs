//! What an object says, apart from what its server and its pause say.

use pivot_core::object::ObjectKey;
use serde_json::{Value, json};

const HOST_PAUSED: &str = "baremetalhost.metal3.io/paused";

/// The content to compare: owners by name, observed generations as a relation, nothing of the pivot's own.
pub(crate) fn content(object: &Value) -> Value {
    let mut object = object.clone();
    // What the pause and its end make of a Cluster's generation only its controller can observe.
    let generation = object["metadata"]["generation"].as_i64().filter(|_| object["kind"] != "Cluster");
    if let Some(status) = object["status"].as_object_mut()
        && let Some(observed) = status.remove("observedGeneration").and_then(|observed| observed.as_i64())
        && generation.is_some_and(|generation| observed >= generation)
    {
        status.insert("observedGeneration".to_owned(), "current".into());
    }
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in
        ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "deletionTimestamp"]
    {
        metadata.remove(field);
    }
    metadata.retain(|_, value| !value.is_null());
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.starts_with("pivot.metal3.io/"));
    }
    for owner in object["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
        owner.as_object_mut().unwrap().remove("uid");
    }
    object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    object["metadata"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    object
}

/// The same without the pause.
pub(crate) fn unpaused_content(object: &Value) -> Value {
    let mut object = content(object);
    if object["spec"]["paused"].is_boolean() {
        object["spec"]["paused"] = false.into();
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove(HOST_PAUSED);
    }
    object
}

/// What the source's server says of an object that nobody but the pivot has touched: all but its revision and generation.
pub(crate) fn instance(object: &Value) -> Value {
    let mut object = object.clone();
    for field in ["resourceVersion", "generation"] {
        object["metadata"].as_object_mut().unwrap().remove(field);
    }
    object
}

/// A host's pause, as a user sets or takes it.
pub(crate) fn set_host_pause(key: &ObjectKey, object: &mut Value, value: Option<&str>) {
    if key.kind.kind != "BareMetalHost" {
        return;
    }
    match value {
        Some(value) => object["metadata"]["annotations"][HOST_PAUSED] = json!(value),
        None => drop(object["metadata"]["annotations"].as_object_mut().map(|all| all.remove(HOST_PAUSED))),
    }
}
