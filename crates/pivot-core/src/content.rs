//! What an object says, without what only its cluster says of it.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::carried_status;
use crate::digest::Digest;
use crate::marks;
use crate::object::Manifest;

/// Metadata that each API server sets for itself.
const SERVER_FIELDS: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "selfLink",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Removes what the API server sets itself, our annotations, and what a host's operator would remove.
pub(crate) fn strip_server_fields(object: &mut Value) {
    carried_status::drop_idle(object);
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for field in SERVER_FIELDS {
        metadata.remove(field);
    }
    marks::strip(object);
}

/// The comparable content of an object: owner references without uids, observed generations as a relation.
///
/// `settled_generation` is the generation that counts as the present one; an observed generation says either that the
/// controller has seen it or that it has not, and the numbers themselves begin anew in each cluster.
pub fn comparable(manifest: &Manifest, settled_generation: i64) -> Value {
    let mut content = manifest.value().clone();
    strip_server_fields(&mut content);
    let owners = content.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
    for owner in owners.into_iter().flatten().filter_map(Value::as_object_mut) {
        owner.remove("uid");
    }
    if let Some(status) = content.get_mut("status") {
        // Nothing observed and an older generation observed are the same.
        map_observed_generations(status, &|observed| {
            (observed >= settled_generation).then(|| Value::from("current"))
        });
    }
    content
}

const OBSERVED: &str = "observedGeneration";

/// Replaces every `observedGeneration` below `value`, or removes it.
pub(crate) fn map_observed_generations(value: &mut Value, map: &impl Fn(i64) -> Option<Value>) {
    match value {
        Value::Object(fields) => {
            if let Some(observed) = fields.get(OBSERVED).and_then(Value::as_i64) {
                match map(observed) {
                    Some(mapped) => drop(fields.insert(OBSERVED.to_owned(), mapped)),
                    None => drop(fields.remove(OBSERVED)),
                }
            }
            fields.values_mut().for_each(|field| map_observed_generations(field, map));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| map_observed_generations(item, map)),
        _ => {}
    }
}

/// Digest of what was declared: everything but status. A Secret counts by its revision, so that a digest in a file tells nothing of
/// its values.
pub fn declared_digest(manifest: &Manifest) -> Digest {
    if manifest.group_kind().is_secret() {
        return Digest::of(format!("{} {}", manifest.uid(), manifest.resource_version()).as_bytes());
    }
    let mut content = comparable(manifest, 0);
    if let Some(fields) = content.as_object_mut() {
        fields.remove("status");
    }
    Digest::of(content.to_string().as_bytes())
}

/// How a field differs in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// In the source only.
    Missing,
    /// In the target only: defaulted there, or added by a webhook.
    Added,
    /// Another value.
    Changed,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing in the target",
            Self::Added => "in the target only",
            Self::Changed => "another value in the target",
        })
    }
}

/// A field that differs. Never its values: they may be secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldDifference {
    /// JSON pointer.
    pub path: String,
    /// How it differs.
    pub difference: Difference,
}

impl FieldDifference {
    /// True where the target lost or altered something; additions at absent paths are what defaulting does.
    pub fn is_loss(&self) -> bool {
        self.difference != Difference::Added
    }
}

/// Compares two contents, source first.
pub fn differences(source: &Value, target: &Value) -> Vec<FieldDifference> {
    let mut found = Vec::new();
    compare(source, target, &mut String::new(), &mut found);
    found
}

fn compare(source: &Value, target: &Value, path: &mut String, found: &mut Vec<FieldDifference>) {
    match (source, target) {
        (Value::Object(source), Value::Object(target)) => compare_fields(source, target, path, found),
        (Value::Array(source), Value::Array(target)) if source.len() == target.len() => {
            for (index, (source, target)) in source.iter().zip(target).enumerate() {
                at(path, &index.to_string(), |path| compare(source, target, path, found));
            }
        }
        _ if source == target => {}
        _ => found.push(FieldDifference { path: path.clone(), difference: Difference::Changed }),
    }
}

fn compare_fields(
    source: &Map<String, Value>,
    target: &Map<String, Value>,
    path: &mut String,
    found: &mut Vec<FieldDifference>,
) {
    for (key, value) in source {
        at(path, key, |path| match target.get(key) {
            Some(other) => compare(value, other, path, found),
            // The API server drops null and empty maps at will.
            None if is_empty(value) => {}
            None => found.push(FieldDifference { path: path.clone(), difference: Difference::Missing }),
        });
    }
    for (key, value) in target {
        if !source.contains_key(key) && !is_empty(value) {
            // Nobody may pass for having seen what was not seen in the source.
            let difference = if key == OBSERVED { Difference::Changed } else { Difference::Added };
            at(path, key, |path| found.push(FieldDifference { path: path.clone(), difference }));
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn at(path: &mut String, step: &str, visit: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(&step.replace('~', "~0").replace('/', "~1"));
    visit(path);
    path.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn server_fields_and_marks_do_not_count() {
        let a = Manifest::new(
            json!({"metadata": {"name": "a", "uid": "1", "resourceVersion": "5", "generation": 7,
            "annotations": {"pivot.metal3.io/id": "x"}, "ownerReferences": [{"uid": "o1", "name": "o"}]},
            "status": {"observedGeneration": 7}}),
        );
        let b = Manifest::new(
            json!({"metadata": {"name": "a", "uid": "2", "ownerReferences": [{"uid": "o2", "name": "o"}], "generation": 1},
            "status": {"observedGeneration": 1}}),
        );
        assert_eq!(comparable(&a, 7), comparable(&b, 1));
        let behind = Manifest::new(
            json!({"metadata": {"name": "a", "ownerReferences": [{"name": "o"}]}, "status": {"observedGeneration": 0}}),
        );
        assert_eq!(differences(&comparable(&a, 7), &comparable(&behind, 1)).len(), 1);
        let ahead = differences(&comparable(&behind, 1), &comparable(&b, 1));
        assert!(ahead.len() == 1 && ahead[0].is_loss(), "{ahead:?}");
    }

    #[test]
    fn differences_tell_the_path_and_never_the_value() {
        let found = differences(
            &json!({"data": {"a/b": "secret", "gone": "x", "same": 1}, "list": [1, {"k": 1}]}),
            &json!({"data": {"a/b": "other", "new": "y", "same": 1}, "list": [1, {"k": 2}]}),
        );
        let text: Vec<_> = found.iter().map(|d| format!("{} {}", d.path, d.difference)).collect();
        assert_eq!(
            text,
            [
                "/data/a~1b another value in the target",
                "/data/gone missing in the target",
                "/data/new in the target only",
                "/list/1/k another value in the target"
            ]
        );
    }

    #[test]
    fn a_secret_is_digested_by_revision() {
        let secret = |value: &str| {
            Manifest::new(
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "uid": "u", "resourceVersion": "1"}, "data": {"k": value}}),
            )
        };
        assert_eq!(declared_digest(&secret("a")), declared_digest(&secret("b")));
    }
}
