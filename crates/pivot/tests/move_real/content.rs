//! What objects say, compared across clusters without the code under test.

use std::collections::{BTreeMap, BTreeSet};

use pivot_testbed::dump::{Difference, Dump, Key};
use serde_json::{Value, json};

const MARKS: &str = "pivot.metal3.io/";

/// What each cluster puts into every namespace by itself.
pub(crate) fn is_of_the_cluster(key: &Key) -> bool {
    (key.kind == "ConfigMap" && key.name == "kube-root-ca.crt")
        || (key.kind == "ServiceAccount" && key.name == "default")
}

/// A dump without what only its cluster says: uids, revisions, times, managed fields, marks of pivots. Observed generations are
/// told as a relation to the generation.
pub(crate) fn contents(dump: &Dump) -> Dump {
    let objects = dump.iter().filter(|(key, _)| !is_of_the_cluster(key) && key.kind != "Namespace");
    objects.map(|(_, object)| content(object)).collect()
}

/// What one object says.
pub(crate) fn content(object: &Value) -> Value {
    let mut content = object.clone();
    let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
    let metadata = content["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.starts_with(MARKS));
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    let owners = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut);
    for owner in owners.into_iter().flatten() {
        owner.as_object_mut().unwrap().remove("uid");
    }
    relate(&mut content["status"], generation);
    if content["status"].is_null() {
        content.as_object_mut().unwrap().remove("status");
    }
    content
}

fn relate(value: &mut Value, generation: i64) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field.as_i64() {
                    Some(observed) if key == "observedGeneration" => *field = json!(observed - generation),
                    _ => relate(field, generation),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| relate(item, generation)),
        _ => {}
    }
}

/// Asserts that both dumps say the same.
pub(crate) fn assert_same(before: &Dump, after: &Dump) {
    let differences: Vec<_> =
        contents(before).diff(&contents(after)).iter().map(Difference::to_string).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Asserts that the very same objects are there and say the same: nobody recreated one, and what was changed was changed back.
pub(crate) fn assert_untouched_content(before: &Dump, after: &Dump) {
    let identity = |dump: &Dump| -> BTreeMap<Key, (Value, Value)> {
        let objects = dump.iter().map(|(key, object)| {
            (
                key.clone(),
                (object["metadata"]["uid"].clone(), object["metadata"]["creationTimestamp"].clone()),
            )
        });
        objects.collect()
    };
    assert_eq!(identity(before), identity(after));
    // Pausing and unpausing moves the generation of a Cluster on by two, which its controller would observe.
    let settled = |dump: &Dump| -> Dump {
        let objects = contents(dump);
        objects
            .iter()
            .map(|(key, object)| {
                let mut object = object.clone();
                if key.kind == "Cluster" {
                    object["status"] = json!(null);
                }
                object
            })
            .collect()
    };
    let differences: Vec<_> =
        settled(before).diff(&settled(after)).iter().map(Difference::to_string).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Asserts that nobody wrote any of these objects.
pub(crate) fn assert_not_written(before: &Dump, after: &Dump) {
    assert_eq!(before.uids_and_resource_versions(), after.uids_and_resource_versions());
}

/// The keys of a dump without what each cluster puts there itself.
pub(crate) fn keys(dump: &Dump) -> BTreeSet<Key> {
    let keys = dump.iter().map(|(key, _)| key);
    keys.filter(|key| !is_of_the_cluster(key) && key.kind != "Namespace").cloned().collect()
}

/// Who manages fields of an object: manager, operation, subresource.
pub(crate) fn managers(object: &Value) -> BTreeSet<(String, String, String)> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.map(|e| (text(e, "manager"), text(e, "operation"), text(e, "subresource"))).collect()
}

/// What each server-side applier owns of an object.
pub(crate) fn applied_fields(object: &Value) -> Vec<(Value, Value)> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let applied = entries.filter(|entry| entry["operation"] == "Apply");
    applied.map(|entry| (entry["manager"].clone(), entry["fieldsV1"].clone())).collect()
}
