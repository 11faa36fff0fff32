//! Conditions in a status, in the shapes of both contracts of Cluster API.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::Manifest;

/// Where conditions stand, the newest contract first. An object of contract v1beta1 keeps those of v1beta2 apart, and the other way round.
const PLACES: [&str; 3] =
    ["/status/v1beta2/conditions", "/status/conditions", "/status/deprecated/v1beta1/conditions"];

/// One condition. What it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What it is about, such as `Ready`.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// How bad it is where it is not `True`; contract v1beta1 alone says so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub severity: String,
    /// Why, in one word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when its status is what it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_transition_time: String,
    /// The generation of the object that it is about, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

impl Condition {
    /// The condition of that type.
    pub fn find(manifest: &Manifest, name: &str) -> Option<Self> {
        let lists = PLACES.iter().filter_map(|place| manifest.pointer(place)?.as_array());
        let found = lists.flatten().find(|found| found.get("type").and_then(Value::as_str) == Some(name))?;
        // What is no condition says nothing.
        Self::deserialize(found).ok()
    }

    /// True where it is `True`.
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// True where it is `False`; `Unknown` is neither.
    pub fn is_false(&self) -> bool {
        self.status == "False"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_contract_counts_wherever_it_is_kept() {
        let ready =
            |status: &str, reason: &str| json!([{"type": "Ready", "status": status, "reason": reason}]);
        let found = |status: Value| {
            let found = Condition::find(&Manifest::new(json!({"status": status})), "Ready");
            found.map(|found| (found.status, found.reason))
        };
        let is = |status: &str, reason: &str| Some((status.to_owned(), reason.to_owned()));
        let old =
            json!({"conditions": ready("True", ""), "v1beta2": {"conditions": ready("False", "NotReady")}});
        assert_eq!(found(old), is("False", "NotReady"));
        let new = json!({"conditions": ready("Unknown", "New"),
            "deprecated": {"v1beta1": {"conditions": ready("True", "Old")}}});
        assert_eq!(found(new), is("Unknown", "New"));
        let deprecated =
            json!({"conditions": [], "deprecated": {"v1beta1": {"conditions": ready("True", "Old")}}});
        assert_eq!(found(deprecated), is("True", "Old"));
        for odd in [
            json!({}),
            json!({"conditions": "none"}),
            json!({"conditions": [1, {"type": "Ready", "status": 1}]}),
        ] {
            assert_eq!(found(odd), None);
        }
    }
}
