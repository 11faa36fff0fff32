//! Fields that a structural schema does not know, and that an API server would prune without a word.

use serde_json::{Map, Value};

/// Paths of the fields of `object` that `schema` (`openAPIV3Schema` of a CRD version) would prune.
pub fn pruned_fields(schema: &Value, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(fields) = object.as_object() {
        walk_fields(schema, fields, &mut String::new(), true, &mut found);
    }
    found
}

fn walk(schema: &Value, value: &Value, path: &mut String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let embedded = flag(schema, "x-kubernetes-embedded-resource");
            walk_fields(schema, fields, path, embedded, found);
        }
        Value::Array(items) => {
            let Some(item_schema) = schema.get("items") else { return };
            for (index, item) in items.iter().enumerate() {
                let length = path.len();
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
                walk(item_schema, item, path, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// `resource`: this object has `apiVersion`, `kind` and `metadata` without the schema saying so.
fn walk_fields(
    schema: &Value,
    fields: &Map<String, Value>,
    path: &mut String,
    resource: bool,
    found: &mut Vec<String>,
) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let additional =
        schema.get("additionalProperties").filter(|a| a.is_object() || a.as_bool() == Some(true));
    let preserved = flag(schema, "x-kubernetes-preserve-unknown-fields");
    for (name, value) in fields {
        if resource && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        let length = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        match (properties.and_then(|p| p.get(name)), additional) {
            // `additionalProperties: true` takes anything.
            (None, Some(Value::Bool(_))) => {}
            (Some(schema), _) | (None, Some(schema)) => walk(schema, value, path, found),
            (None, None) if preserved => {}
            (None, None) => found.push(path.clone()),
        }
        path.truncate(length);
    }
}

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_what_a_schema_does_not_know() {
        let schema = json!({"properties": {
            "spec": {"properties": {
                "known": {"type": "string"},
                "list": {"items": {"properties": {"a": {}}}},
                "map": {"additionalProperties": {"properties": {"a": {}}}},
                "free": {"x-kubernetes-preserve-unknown-fields": true, "properties": {"strict": {"properties": {}}}},
                "embedded": {"x-kubernetes-embedded-resource": true, "properties": {}},
            }},
        }});
        let object = json!({"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n"}, "status": {"x": 1}, "spec": {
            "known": "x", "unknown": 1, "list": [{"a": 1, "b": 2}], "map": {"any": {"a": 1, "b": 2}},
            "free": {"anything": 1, "strict": {"lost": 1}}, "embedded": {"kind": "K", "lost": 1},
        }});
        let mut found = pruned_fields(&schema, &object);
        found.sort();
        assert_eq!(
            found,
            [
                "spec.embedded.lost",
                "spec.free.strict.lost",
                "spec.list[0].b",
                "spec.map.any.b",
                "spec.unknown",
                "status"
            ]
        );
    }

    #[test]
    fn additional_properties_true_keeps_all() {
        let schema = json!({"properties": {"spec": {"additionalProperties": true}}});
        assert!(pruned_fields(&schema, &json!({"spec": {"a": {"b": 1}}})).is_empty());
    }
}
