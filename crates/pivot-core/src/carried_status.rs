//! The annotation in which a host carries its status (`baremetalhost.metal3.io/status`).
//!
//! A status is lost where an object is created by whoever does not write `/status`: `clusterctl`, `kubectl apply`. baremetal-operator fills an
//! empty one from the annotation, and takes the annotation away from a host that has one. A pivot writes the status itself; so the annotation is
//! for directories, which others may read, and for hosts that came with nothing else.

use serde_json::{Map, Value};

use crate::host::is_host;
use crate::kind::GroupKind;
use crate::marks;
use crate::object::Manifest;
use crate::schema::pruned_fields;

/// The annotation.
pub const ANNOTATION: &str = "baremetalhost.metal3.io/status";
/// Bytes that the keys and values of an object's annotations may have together (`TotalAnnotationSizeLimitB` of Kubernetes).
pub const LIMIT: usize = 256 * 1024;

/// Values that baremetal-operator writes into a status and that its webhook refuses in the annotation.
const REFUSED: [(&str, &[&str]); 2] =
    [("operationalStatus", &["servicing"]), ("errorType", &["detach error", "servicing error"])];

/// True for a status that an operator wrote: baremetal-operator takes any other one for none.
fn is_written(status: Option<&Value>) -> bool {
    status.and_then(|status| status.get("lastUpdated")).is_some_and(|updated| !updated.is_null())
}

/// Takes the annotation from a host that has a status, as its operator would.
pub(crate) fn drop_idle(object: &mut Value) {
    if !is_written(object.get("status")) {
        return;
    }
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let kind = GroupKind::from_api_version(text("apiVersion"), text("kind"));
    if is_host(&kind) {
        marks::retain_annotations(object, |key| key != ANNOTATION);
    }
}

/// The host with its status in the annotation as well: the hardware too where it fits, which is in its HardwareData otherwise.
///
/// `None` for other objects, and for hosts without a status.
///
/// # Errors
///
/// The bytes that its annotations would have, where that is more than [`LIMIT`].
pub fn carry(host: &Manifest) -> Result<Option<Manifest>, usize> {
    if !is_host(&host.group_kind()) || !is_written(host.status()) {
        return Ok(None);
    }
    let status = host.status().cloned().unwrap_or_default();
    let mut lean = status.clone();
    if let Some(fields) = lean.as_object_mut() {
        fields.remove("hardware");
    }
    let mut size = 0;
    for status in [status, lean] {
        let mut object = host.value().clone();
        object["metadata"]["annotations"][ANNOTATION] = status.to_string().into();
        size = bytes(object["metadata"]["annotations"].as_object());
        if size <= LIMIT {
            return Ok(Some(Manifest::new(object)));
        }
    }
    Err(size)
}

fn bytes(annotations: Option<&Map<String, Value>>) -> usize {
    let annotations = annotations.into_iter().flatten();
    annotations.map(|(key, value)| key.len() + value.as_str().unwrap_or_default().len()).sum()
}

/// Why the target's operator, whose hosts have this schema, would not take the status that a host without another one carries. It refuses the
/// host, or drops what it cannot read and registers the machine from scratch.
pub(crate) fn problem(host: &Manifest, schema: &Value) -> Option<String> {
    if !is_host(&host.group_kind()) || is_written(host.status()) {
        return None;
    }
    let carried = host.annotation(ANNOTATION)?;
    let Ok(Value::Object(status)) = serde_json::from_str::<Value>(carried) else {
        return Some("is not a JSON object".to_owned());
    };
    for (field, values) in REFUSED {
        let value = status.get(field).and_then(Value::as_str).unwrap_or_default();
        if values.contains(&value) {
            return Some(format!("says {field} `{value}`, which the operator's webhook refuses"));
        }
    }
    let unknown = pruned_fields(schema, &serde_json::json!({"status": status}));
    (!unknown.is_empty()).then(|| format!("has fields that the target does not know: {}", unknown.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn host(status: &Value, carried: Option<&str>) -> Manifest {
        let annotations = carried.map(|carried| json!({ANNOTATION: carried}));
        Manifest::new(json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": {"name": "h", "annotations": annotations}, "status": *status}))
    }

    fn status(hardware: usize, flags: usize) -> Value {
        json!({"lastUpdated": "2026-01-01T00:00:00Z", "hardware": {"hostname": "x".repeat(hardware)},
            "errorMessage": "y".repeat(flags)})
    }

    #[test]
    fn the_status_is_carried_as_whole_as_it_fits() {
        let carried = |manifest: &Manifest| -> Value {
            let carried = carry(manifest).unwrap().unwrap();
            serde_json::from_str(carried.annotation(ANNOTATION).unwrap()).unwrap()
        };
        assert_eq!(carried(&host(&status(10, 10), None)), status(10, 10));
        assert_eq!(carried(&host(&status(LIMIT, 10), None)).get("hardware"), None);
        assert!(carry(&host(&status(10, LIMIT), None)).unwrap_err() > LIMIT);
        // What it was carried as before is replaced.
        assert_eq!(carried(&host(&status(1, 1), Some("{}"))), status(1, 1));
        for other in [host(&json!({}), Some("{}")), host(&Value::Null, None)] {
            assert_eq!(carry(&other), Ok(None));
        }
    }

    #[test]
    fn annotations_of_others_count() {
        let mut object = host(&status(10, 10), None).into_value();
        object["metadata"]["annotations"] = json!({"other": "z".repeat(LIMIT)});
        assert!(carry(&Manifest::new(object)).is_err());
    }

    #[test]
    fn a_host_with_a_status_needs_no_annotation() {
        let mut object = host(&status(1, 1), Some("{}")).into_value();
        drop_idle(&mut object);
        assert_eq!(object["metadata"].get("annotations"), None);
        let mut lost = host(&Value::Null, Some("{}")).into_value();
        drop_idle(&mut lost);
        assert_eq!(lost["metadata"]["annotations"][ANNOTATION], "{}", "it is all that the host has");
    }

    #[test]
    fn what_the_operator_would_not_read_is_told() {
        let schema = json!({"type": "object", "properties": {"status": {"type": "object", "properties": {
            "operationalStatus": {"type": "string"}, "errorType": {"type": "string"}}}}});
        let told = |carried: &str| problem(&host(&Value::Null, Some(carried)), &schema);
        assert_eq!(told(r#"{"operationalStatus": "OK"}"#), None);
        assert!(told("no json").unwrap().contains("JSON"));
        assert!(told(r#"{"operationalStatus": "servicing"}"#).unwrap().contains("servicing"));
        assert!(told(r#"{"errorType": "detach error"}"#).unwrap().contains("detach error"));
        assert!(told(r#"{"newer": 1}"#).unwrap().contains("newer"));
        // With a status of its own it is not asked.
        assert_eq!(problem(&host(&status(1, 1), Some("no json")), &schema), None);
    }
}
