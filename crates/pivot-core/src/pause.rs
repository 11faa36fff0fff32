//! Pausing: who is told to stand still, how, and how the original value comes back (DESIGN section 2, QUIESCE).

use serde_json::{Value, json};

use crate::kind::GroupKind;
use crate::object::Manifest;

/// Annotation by which Cluster API pauses one object.
pub const CLUSTER_API_PAUSED: &str = "cluster.x-k8s.io/paused";
/// Annotation by which baremetal-operator leaves a host alone; its only pause check.
pub const HOST_PAUSED: &str = "baremetalhost.metal3.io/paused";

/// How objects of a kind are paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseField {
    /// `spec.paused` of a Cluster, which all that belongs to it obeys.
    ClusterSpec,
    /// An annotation; any value pauses.
    Annotation(&'static str),
}

impl PauseField {
    /// The field for a kind; `None` for kinds that are paused through their Cluster.
    pub fn of(kind: &GroupKind) -> Option<Self> {
        match (kind.group.as_str(), kind.kind.as_str()) {
            ("cluster.x-k8s.io", "Cluster") => Some(Self::ClusterSpec),
            ("cluster.x-k8s.io", "ClusterClass") => Some(Self::Annotation(CLUSTER_API_PAUSED)),
            ("metal3.io", "BareMetalHost") => Some(Self::Annotation(HOST_PAUSED)),
            _ => None,
        }
    }

    /// The value as it stands: `null` when absent.
    pub fn read(self, manifest: &Manifest) -> Value {
        let value = match self {
            Self::ClusterSpec => manifest.pointer("/spec/paused").cloned(),
            Self::Annotation(key) => manifest.annotation(key).map(Value::from),
        };
        value.unwrap_or(Value::Null)
    }

    /// True where a value means paused.
    pub fn is_paused(self, value: &Value) -> bool {
        match self {
            Self::ClusterSpec => value == &Value::Bool(true),
            Self::Annotation(_) => !value.is_null(),
        }
    }

    /// The value that pauses for the pivot `id`. A host carries the id, so that nobody else takes the pause for its own
    /// (CAPM3 lifts only the one it set).
    pub fn paused(self, id: &str) -> Value {
        match self {
            Self::ClusterSpec => Value::Bool(true),
            Self::Annotation(HOST_PAUSED) => Value::from(format!("pivot.metal3.io/{id}")),
            Self::Annotation(_) => Value::from(""),
        }
    }

    /// How far a pause moves `metadata.generation` on: a change of spec does, one of metadata does not.
    pub fn generation_step(self) -> i64 {
        match self {
            Self::ClusterSpec => 1,
            Self::Annotation(_) => 0,
        }
    }

    /// A merge patch that sets the value; `null` removes the field and nothing else.
    pub fn patch(self, value: &Value) -> Value {
        match self {
            Self::ClusterSpec => json!({"spec": {"paused": value}}),
            Self::Annotation(key) => json!({"metadata": {"annotations": {key: value}}}),
        }
    }

    /// Sets the value in a whole object.
    pub fn write(self, object: &mut Value, value: &Value) {
        match self {
            Self::ClusterSpec => set_or_remove(&mut object["spec"], "paused", value),
            Self::Annotation(key) => {
                set_or_remove(&mut object["metadata"]["annotations"], key, value);
                let annotations = &object["metadata"]["annotations"];
                if (annotations.is_null() || annotations.as_object().is_some_and(serde_json::Map::is_empty))
                    && let Some(metadata) = object["metadata"].as_object_mut()
                {
                    metadata.remove("annotations");
                }
            }
        }
    }
}

fn set_or_remove(map: &mut Value, key: &str, value: &Value) {
    if value.is_null() {
        if let Some(fields) = map.as_object_mut() {
            fields.remove(key);
        }
    } else {
        map[key] = value.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_value_reads_back_and_leaves_no_trace_when_removed() {
        let objects =
            [json!({"spec": {}, "metadata": {"name": "a"}}), json!({"spec": {}, "metadata": {"name": "a"}})];
        let fields = [PauseField::ClusterSpec, PauseField::Annotation(HOST_PAUSED)];
        for (original, field) in objects.into_iter().zip(fields) {
            let mut object = original.clone();
            field.write(&mut object, &field.paused("p1"));
            let manifest = Manifest::new(object.clone());
            assert!(field.is_paused(&field.read(&manifest)));
            field.write(&mut object, &Value::Null);
            assert_eq!(object, original);
        }
    }

    #[test]
    fn paused_false_is_not_paused() {
        let cluster = Manifest::new(json!({"spec": {"paused": false}}));
        assert!(!PauseField::ClusterSpec.is_paused(&PauseField::ClusterSpec.read(&cluster)));
    }
}
