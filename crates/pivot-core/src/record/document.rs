//! How a record is written into a ConfigMap and read back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::FORMAT;
use crate::object::{Manifest, ObjectKey};

/// Key of the ConfigMap's data.
const DATA: &str = "record.json";

/// A record that is kept in a ConfigMap of its own.
pub trait Document: Serialize + DeserializeOwned {
    /// What messages call it.
    const WHAT: &'static str;

    /// Format it was written in.
    fn format(&self) -> u32;

    /// Labels of its ConfigMap.
    fn labels(&self) -> Value {
        json!({})
    }

    /// The ConfigMap.
    fn to_object(&self, key: &ObjectKey) -> Value {
        let text = serde_json::to_string_pretty(self).expect("BUG: a record is no JSON");
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": key.name, "namespace": key.namespace, "labels": self.labels()},
            "data": {DATA: text},
        })
    }

    /// Reads a ConfigMap. The format is looked at before anything else, so that a newer one is refused and not guessed.
    fn from_object(object: &Manifest) -> Result<Self, DocumentError> {
        let damaged = |problem: String| DocumentError::Damaged {
            what: Self::WHAT,
            name: object.name().to_owned(),
            problem,
        };
        let text = object.value()["data"][DATA].as_str();
        let text = text.ok_or_else(|| damaged(format!("it has no `{DATA}`")))?;
        let value: Value = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        let format = value["format"].as_u64().ok_or_else(|| damaged("it has no format".to_owned()))?;
        if format > u64::from(FORMAT) {
            return Err(DocumentError::Newer { what: Self::WHAT, name: object.name().to_owned(), format });
        }
        serde_json::from_value(value).map_err(|error| damaged(error.to_string()))
    }
}

/// A record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// A later version wrote it.
    #[error(
        "the {what} {name} has format {format}, which a newer pivotctl wrote; this one reads up to {FORMAT}"
    )]
    Newer {
        /// What it is.
        what: &'static str,
        /// Name of the ConfigMap.
        name: String,
        /// Its format.
        format: u64,
    },
    /// It was changed by hand, or cut off.
    #[error("the {what} {name} is damaged: {problem}")]
    Damaged {
        /// What it is.
        what: &'static str,
        /// Name of the ConfigMap.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

#[cfg(test)]
mod tests {
    use super::super::{Ownership, Standing, ownership_key};
    use super::*;

    fn ownership() -> Ownership {
        Ownership {
            format: FORMAT,
            cluster: "uid".to_owned(),
            standing: Standing::HandingOver,
            epoch: 7,
            pivot: "p1".to_owned(),
            peer: None,
        }
    }

    fn read(text: Option<&str>) -> Result<Ownership, DocumentError> {
        let mut object = ownership().to_object(&ownership_key());
        object["data"] = text.map_or(Value::Null, |text| json!({ DATA: text }));
        Ownership::from_object(&Manifest::new(object))
    }

    #[test]
    fn what_is_written_is_read() {
        let object = Manifest::new(ownership().to_object(&ownership_key()));
        assert_eq!(object.key(), ownership_key());
        assert_eq!(Ownership::from_object(&object), Ok(ownership()));
    }

    #[test]
    fn a_newer_format_is_refused_before_anything_else_is_looked_at() {
        let newer = Err(DocumentError::Newer {
            what: "ownership record",
            name: "ownership".to_owned(),
            format: u64::from(FORMAT) + 1,
        });
        let next = FORMAT + 1;
        assert_eq!(read(Some(&format!(r#"{{"format": {next}}}"#))), newer);
        assert_eq!(read(Some(&format!(r#"{{"format": {next}, "standing": "unheard-of"}}"#))), newer);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, problem) in [
            (None, "it has no `record.json`"),
            (Some(""), "EOF"),
            (Some("{\"format\": 1"), "EOF"),
            (Some("[]"), "it has no format"),
            (Some("{\"format\": \"1\"}"), "it has no format"),
            (Some("{\"format\": -1}"), "it has no format"),
            (Some("{\"format\": 1}"), "missing field"),
            (
                Some(r#"{"format": 1, "cluster": "", "standing": "unheard-of", "epoch": 1, "pivot": ""}"#),
                "unknown variant",
            ),
        ] {
            let Err(DocumentError::Damaged { what, name, problem: found }) = read(text) else {
                panic!("{text:?} is read");
            };
            assert_eq!((what, name.as_str()), ("ownership record", "ownership"));
            assert!(found.contains(problem), "{text:?}: {found}");
        }
    }
}
