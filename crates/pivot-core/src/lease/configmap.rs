//! Leases as a ConfigMap, the form in which a cluster carries them (`dnsmasq-leases-configmap`, the pivoting study).
//!
//! An API server takes no ConfigMap of more than 1 MiB. Leases that are more go into several, each a lease file of its own: the first has the
//! name and key that everybody knows, the others carry a number. One behind the other they are the file, so that `cat` puts
//! them together wherever they are mounted, and nothing need be unpacked.

use serde_json::{Value, json};

use super::file::LeaseFile;
use crate::object::Manifest;

/// Name of the first ConfigMap, and the beginning of the others' names.
pub const CONFIG_MAP: &str = "dnsmasq-leases-configmap";

/// Key of the leases, and the beginning of the others' keys.
pub const KEY: &str = "dnsmasq.leases";

/// Annotation of the first: how many there are.
pub const PARTS: &str = "pivot.metal3.io/lease-parts";

/// Bytes that a part holds at most. Below the limit of 1 MiB, which counts keys and values, so that a few words of somebody else fit in.
const LARGEST_PART: usize = 1_000_000;

/// The same where `kubectl apply` writes them: it keeps what it applied, once more, in an annotation of at most 262144 bytes.
const LARGEST_APPLIED: usize = 240_000;

/// A ConfigMap that holds no leases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigMapError {
    /// There is no such key.
    #[error("it has no key `{wanted}`{}", told(there))]
    NoKey {
        /// The key that was looked for.
        wanted: String,
        /// Those that are there.
        there: Vec<String>,
    },
    /// It says of how many parts it is the first, in words that are no number.
    #[error("its annotation {PARTS} says `{0}`, which is no number of ConfigMaps")]
    Parts(String),
}

/// Parts that do not make a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// One holds no leases.
    #[error("ConfigMap {name}: {error}")]
    Part {
        /// Its name.
        name: String,
        /// Why.
        error: ConfigMapError,
    },
    /// One is not there.
    #[error("ConfigMap {missing} does not exist, and {first} says that there are {count}")]
    Missing {
        /// The one that is not there.
        missing: String,
        /// The first.
        first: String,
        /// How many there should be.
        count: usize,
    },
}

fn told(keys: &[String]) -> String {
    if keys.is_empty() { ", nor any other".to_owned() } else { format!("; it has {}", keys.join(", ")) }
}

/// Name of a part, from 0, of the leases that begin in the ConfigMap `first`.
pub fn part_name(first: &str, index: usize) -> String {
    if index == 0 { first.to_owned() } else { format!("{first}-{index:02}") }
}

/// Key of a part, from 0. Keys sort as the parts follow each other.
pub fn part_key(index: usize) -> String {
    if index == 0 { KEY.to_owned() } else { format!("{KEY}.{index:02}") }
}

/// The ConfigMaps that hold these leases.
pub fn parts(file: &LeaseFile, namespace: &str, name: &str) -> Vec<Value> {
    parts_of(file, namespace, name, LARGEST_PART)
}

/// The same for `kubectl apply`.
pub fn parts_to_apply(file: &LeaseFile, namespace: &str, name: &str) -> Vec<Value> {
    parts_of(file, namespace, name, LARGEST_APPLIED)
}

fn parts_of(file: &LeaseFile, namespace: &str, name: &str, largest: usize) -> Vec<Value> {
    let mut texts = vec![String::new()];
    for line in file.lines() {
        let full = texts.last().is_some_and(|text| !text.is_empty() && text.len() + line.len() >= largest);
        if full {
            texts.push(String::new());
        }
        let text = texts.last_mut().expect("BUG: there is a part");
        text.push_str(&line);
        text.push('\n');
    }
    let count = texts.len();
    let part = |(index, text): (usize, String)| {
        let mut part = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": part_name(name, index),
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "pivotctl"},
            },
            "data": {part_key(index): text},
        });
        if index == 0 {
            part["metadata"]["annotations"] = json!({PARTS: count.to_string()});
        }
        part
    };
    texts.into_iter().enumerate().map(part).collect()
}

/// How many parts the first one speaks of: one, where nobody wrote down how many.
pub fn count(first: &Manifest) -> Result<usize, ConfigMapError> {
    let Some(text) = first.annotation(PARTS) else { return Ok(1) };
    match text.parse() {
        Ok(count) if (1..=MOST_PARTS).contains(&count) => Ok(count),
        _ => Err(ConfigMapError::Parts(text.to_owned())),
    }
}

/// More are not looked for: a hundred megabytes of leases are a mistake.
const MOST_PARTS: usize = 100;

/// The bytes of a lease file that a part holds.
fn part_text(part: &Manifest, index: usize) -> Result<String, ConfigMapError> {
    let wanted = part_key(index);
    let data = part.pointer("/data").and_then(Value::as_object);
    if let Some(text) = data.and_then(|data| data.get(&wanted)).and_then(Value::as_str) {
        return Ok(text.to_owned());
    }
    let keys = ["/data", "/binaryData"].map(|pointer| part.pointer(pointer).and_then(Value::as_object));
    let there = keys.into_iter().flatten().flat_map(|map| map.keys().cloned()).collect();
    Err(ConfigMapError::NoKey { wanted, there })
}

/// The lease file that these ConfigMaps hold, in their order. What is missing is `None`.
pub fn joined(first: &str, parts: &[Option<Manifest>]) -> Result<String, PartsError> {
    let mut whole = String::new();
    for (index, part) in parts.iter().enumerate() {
        let name = part_name(first, index);
        let Some(part) = part else {
            return Err(PartsError::Missing { missing: name, first: first.to_owned(), count: parts.len() });
        };
        let text = part_text(part, index).map_err(|error| PartsError::Part { name, error })?;
        whole.push_str(&text);
        // What a person wrote may lack the end of its last line.
        if !text.is_empty() && !text.ends_with('\n') {
            whole.push('\n');
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(count: usize) -> LeaseFile {
        let v4 = |n: usize| {
            format!("0 52:54:00:00:{:02x}:{:02x} 10.1.{}.{} * *\n", n / 256, n % 256, n / 256, n % 256)
        };
        let mut text: String = (0..count).map(v4).collect();
        text.push_str("duid 00:01\n9 7 fd00::1 * 00:01\n");
        LeaseFile::parse(text.as_bytes())
    }

    fn manifests(parts: Vec<Value>) -> Vec<Option<Manifest>> {
        parts.into_iter().map(|part| Some(Manifest::new(part))).collect()
    }

    #[test]
    fn few_leases_are_the_configmap_of_the_study() {
        let parts = parts(&file(2), "metal3", CONFIG_MAP);
        let [only] = parts.as_slice() else { panic!("{parts:?}") };
        assert_eq!(only["metadata"]["name"], "dnsmasq-leases-configmap");
        assert_eq!(only["data"]["dnsmasq.leases"], file(2).text());
        let empty = super::parts(&LeaseFile::default(), "metal3", CONFIG_MAP);
        assert_eq!(empty[0]["data"]["dnsmasq.leases"], "");
        assert_eq!(joined(CONFIG_MAP, &manifests(empty)), Ok(String::new()));
    }

    #[test]
    fn what_one_does_not_hold_goes_into_several() {
        let file = file(400);
        let parts = parts_of(&file, "metal3", CONFIG_MAP, 2_000);
        assert!(parts.len() > 3 && parts.len() < 20, "{}", parts.len());
        for (index, part) in parts.iter().enumerate() {
            let text = part["data"][part_key(index)].as_str().unwrap();
            assert!(text.len() <= 2_000);
            assert_eq!(LeaseFile::parse(text.as_bytes()).aside(), [], "each is a lease file");
        }
        let mut keys: Vec<String> = (0..parts.len()).map(part_key).collect();
        keys.sort();
        assert_eq!(keys, (0..parts.len()).map(part_key).collect::<Vec<_>>(), "a shell reads them in order");
        let manifests = manifests(parts);
        assert_eq!(count(manifests[0].as_ref().unwrap()), Ok(manifests.len()));
        assert_eq!(joined(CONFIG_MAP, &manifests), Ok(file.text()));
    }

    #[test]
    fn a_part_that_is_missing_is_named() {
        let mut parts = manifests(parts_of(&file(400), "metal3", CONFIG_MAP, 2_000));
        let count = parts.len();
        parts[1] = None;
        let missing = PartsError::Missing {
            missing: "dnsmasq-leases-configmap-01".to_owned(),
            first: CONFIG_MAP.to_owned(),
            count,
        };
        assert_eq!(joined(CONFIG_MAP, &parts), Err(missing));
    }

    #[test]
    fn what_people_made_is_read() {
        let made = |data: Value| {
            joined("mine", &[Some(Manifest::new(json!({"metadata": {"name": "mine"}, "data": data})))])
        };
        assert_eq!(made(json!({"dnsmasq.leases": "0 a"})), Ok("0 a\n".to_owned()));
        let error = made(json!({"leases": "0 a"})).unwrap_err();
        assert_eq!(error.to_string(), "ConfigMap mine: it has no key `dnsmasq.leases`; it has leases");
        assert_eq!(
            made(Value::Null).unwrap_err().to_string(),
            "ConfigMap mine: it has no key `dnsmasq.leases`, nor any other"
        );
        let parts = |text: &str| {
            count(&Manifest::new(json!({"metadata": {"name": "a", "annotations": {PARTS: text}}})))
        };
        assert_eq!(parts("3"), Ok(3));
        for bad in ["", "0", "-1", "many", "1000"] {
            assert_eq!(parts(bad), Err(ConfigMapError::Parts(bad.to_owned())));
        }
    }
}
