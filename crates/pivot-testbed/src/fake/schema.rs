//! The part of structural schemas that decides what a server keeps: pruning, defaults, and the commonest checks.

use serde_json::{Map, Value};

use super::{failure::Cause, resource::items};

/// The fields of ObjectMeta.
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const EMBEDDED: &str = "x-kubernetes-embedded-resource";

/// Removes the fields that the schema does not know; returns their paths in order.
pub(super) fn prune(schema: Option<&Value>, object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|field, _| {
            let known = METADATA.contains(&field.as_str());
            if !known {
                unknown.push(format!("metadata.{field}"));
            }
            known
        });
    }
    if let Some(schema) = schema {
        prune_at(schema, object, "", true, &mut unknown);
    }
    unknown.sort();
    unknown
}

fn prune_at(schema: &Value, value: &mut Value, path: &str, resource: bool, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let preserve = schema[PRESERVE] == true || schema["additionalProperties"] == true;
            let typed = schema["type"] == "object" || schema["properties"].is_object();
            fields.retain(|field, child| {
                if resource && matches!(field.as_str(), "apiVersion" | "kind" | "metadata") {
                    return true;
                }
                let below = join(path, field);
                let child_schema = child_of(schema, field);
                if let Some(child_schema) = child_schema {
                    prune_at(child_schema, child, &below, child_schema[EMBEDDED] == true, unknown);
                    return true;
                }
                let keep = preserve || !typed;
                if !keep {
                    unknown.push(below);
                }
                keep
            });
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                let schema = &schema["items"];
                prune_at(schema, element, &format!("{path}[{index}]"), schema[EMBEDDED] == true, unknown);
            }
        }
        _ => {}
    }
}

/// Sets absent fields that have a default.
pub(super) fn default(schema: Option<&Value>, object: &mut Value) {
    if let Some(schema) = schema {
        default_at(schema, object);
    }
}

fn default_at(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (field, child_schema) in schema["properties"].as_object().into_iter().flatten() {
                // A null is dropped in favour of the default where the field may not be null.
                let absent =
                    fields.get(field).is_none_or(|v| v.is_null() && child_schema["nullable"] != true);
                if let Some(default) = child_schema.get("default").filter(|_| absent) {
                    fields.insert(field.clone(), default.clone());
                }
            }
            for (field, child) in fields.iter_mut() {
                if let Some(child_schema) = child_of(schema, field) {
                    default_at(child_schema, child);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|e| default_at(&schema["items"], e)),
        _ => {}
    }
}

/// Checks `type`, `required` and `enum`.
pub(super) fn validate(schema: Option<&Value>, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(schema) = schema {
        validate_at(schema, object, "", &mut causes);
    }
    causes
}

fn validate_at(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    let found = type_of(value);
    if let Some(expected) = schema["type"].as_str()
        && !(expected == found || expected == "number" && found == "integer")
        && schema["x-kubernetes-int-or-string"] != true
    {
        causes.push(Cause::new(
            "FieldValueTypeInvalid",
            path,
            format!("Invalid value: \"{found}\": {path} in body must be of type {expected}: \"{found}\""),
        ));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let supported: Vec<_> = allowed.iter().map(Value::to_string).collect();
        causes.push(Cause::new(
            "FieldValueNotSupported",
            path,
            format!("Unsupported value: {value}: supported values: {}", supported.join(", ")),
        ));
    }
    match value {
        Value::Object(fields) => {
            for field in items(&schema["required"]).filter_map(Value::as_str) {
                if !fields.contains_key(field) {
                    causes.push(Cause::new(
                        "FieldValueRequired",
                        &join(path, field),
                        "Required value".to_owned(),
                    ));
                }
            }
            for (field, child) in fields {
                if let Some(child_schema) = child_of(schema, field) {
                    validate_at(child_schema, child, &join(path, field), causes);
                }
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                validate_at(&schema["items"], element, &format!("{path}[{index}]"), causes);
            }
        }
        _ => {}
    }
}

fn child_of<'a>(schema: &'a Value, field: &str) -> Option<&'a Value> {
    let named = schema["properties"].as_object().and_then(|properties: &Map<_, _>| properties.get(field));
    named.or_else(|| schema.get("additionalProperties").filter(|any| any.is_object()))
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {
            "spec": {"type": "object", "required": ["size"], "properties": {
                "size": {"type": "integer"},
                "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
                "port": {"x-kubernetes-int-or-string": true},
                "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "raw": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "template": {"type": "object", "x-kubernetes-embedded-resource": true}}}}})
    }

    #[test]
    fn unknown_fields_go_and_are_told() {
        let mut object = json!({"apiVersion": "v1", "kind": "W", "metadata": {"name": "a", "odd": 1}, "other": 1,
            "spec": {"size": 1, "bogus": 1, "list": [{"x": "1", "y": 1}], "map": {"any": "1"}, "raw": {"z": {}},
                "template": {"apiVersion": "v1", "kind": "K", "metadata": {}, "extra": 1}}});
        let unknown = prune(Some(&schema()), &mut object);
        assert_eq!(unknown, ["metadata.odd", "other", "spec.bogus", "spec.list[0].y", "spec.template.extra"]);
        assert_eq!(
            object,
            json!({"apiVersion": "v1", "kind": "W", "metadata": {"name": "a"},
                "spec": {"size": 1, "list": [{"x": "1"}], "map": {"any": "1"}, "raw": {"z": {}},
                    "template": {"apiVersion": "v1", "kind": "K", "metadata": {}}}})
        );
    }

    #[test]
    fn defaults_fill_absent_fields_only() {
        let mut object = json!({"spec": {"size": 1}});
        default(Some(&schema()), &mut object);
        assert_eq!(object["spec"]["mode"], "a");
        let mut object = json!({"spec": {"mode": "b"}});
        default(Some(&schema()), &mut object);
        assert_eq!(object["spec"]["mode"], "b");
        let mut object = json!({});
        default(Some(&schema()), &mut object);
        assert_eq!(object, json!({}), "a default below an absent object sets nothing");
    }

    #[test]
    fn types_enums_and_required_fields_are_checked() {
        let fields = |object: Value| -> Vec<_> {
            validate(Some(&schema()), &object).into_iter().map(|cause| cause.field).collect()
        };
        assert!(fields(json!({"spec": {"size": 1, "mode": "b", "port": "http"}})).is_empty());
        assert_eq!(fields(json!({"spec": {"size": "x", "mode": "c"}})), ["spec.mode", "spec.size"]);
        assert_eq!(fields(json!({"spec": {}})), ["spec.size"]);
    }
}
