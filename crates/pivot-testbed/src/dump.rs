//! Everything in a cluster, to compare before and after.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use crate::{Result, client::PlaneClient, kind::Gvk, providers};

/// Kinds that change by themselves in a cluster where nobody does anything.
const VOLATILE: [(&str, &str); 6] = [
    ("", "ComponentStatus"),
    ("", "Endpoints"),
    ("", "Event"),
    ("coordination.k8s.io", "Lease"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("events.k8s.io", "Event"),
];

/// Names an object, whatever version it is read in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// The key of an object.
    pub fn of(object: &Value) -> Option<Self> {
        let gvk = Gvk::of(object)?;
        let metadata = &object["metadata"];
        Some(Self {
            group: gvk.group.into_owned(),
            kind: gvk.kind.into_owned(),
            namespace: metadata["namespace"].as_str().unwrap_or_default().to_owned(),
            name: metadata["name"].as_str()?.to_owned(),
        })
    }

    /// True for an object of this kind, in whatever version.
    pub fn is_of(&self, gvk: &Gvk) -> bool {
        self.group == gvk.group && self.kind == gvk.kind
    }

    /// The key of the object of this kind and name.
    pub fn new(gvk: &Gvk, namespace: &str, name: &str) -> Self {
        Self {
            group: gvk.group.clone().into_owned(),
            kind: gvk.kind.clone().into_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        f.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// Every object of every kind that can be listed, but for the volatile kinds.
#[derive(Debug, Clone, Default)]
pub struct Dump {
    objects: BTreeMap<Key, Value>,
}

/// One difference between two dumps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Only in the later dump.
    Added(Key),
    /// Only in the earlier dump.
    Removed(Key),
    /// In both; these JSON pointers differ. Values are not told: the object may be a Secret.
    Changed(Key, Vec<String>),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(key) => write!(f, "added {key}"),
            Self::Removed(key) => write!(f, "removed {key}"),
            Self::Changed(key, paths) => write!(f, "changed {key}: {}", paths.join(", ")),
        }
    }
}

/// Reads the whole cluster, once every namespace has what the controller manager puts there: dumps are compared with later ones.
pub async fn dump(client: &PlaneClient) -> Result<Dump> {
    providers::settle(client).await?;
    let kinds = client.kinds().await?.into_iter().filter(|served| {
        served.listable && !VOLATILE.contains(&(served.gvk.group.as_ref(), served.gvk.kind.as_ref()))
    });
    let objects = stream::iter(kinds)
        .map(|served| async move { client.list_served(&served, None).await })
        .buffer_unordered(8)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(objects.into_iter().flatten().collect())
}

impl FromIterator<Value> for Dump {
    fn from_iter<T: IntoIterator<Item = Value>>(objects: T) -> Self {
        Self { objects: objects.into_iter().filter_map(|o| Some((Key::of(&o)?, o))).collect() }
    }
}

impl Dump {
    /// The object of a key.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    /// All objects in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.objects.iter()
    }

    /// How many objects it holds.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// True if it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Puts an object into it, in the place of the one that has its key.
    pub fn insert(&mut self, object: Value) {
        if let Some(key) = Key::of(&object) {
            self.objects.insert(key, object);
        }
    }

    /// Takes an object out of it.
    pub fn remove(&mut self, key: &Key) -> Option<Value> {
        self.objects.remove(key)
    }

    /// The part whose keys satisfy the condition.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&Key) -> bool) -> Self {
        let objects = self.objects.iter().filter(|(key, _)| keep(key));
        Self { objects: objects.map(|(key, object)| (key.clone(), object.clone())).collect() }
    }

    /// The part in one namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        self.filter(|key| key.namespace == namespace)
    }

    /// Uid and resource version of every object: equal in two dumps only if nothing was written in between.
    pub fn uids_and_resource_versions(&self) -> BTreeMap<Key, (String, String)> {
        let text =
            |object: &Value, field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        self.objects
            .iter()
            .map(|(key, object)| (key.clone(), (text(object, "uid"), text(object, "resourceVersion"))))
            .collect()
    }

    /// What differs from this dump to a later one.
    pub fn diff(&self, later: &Self) -> Vec<Difference> {
        let keys: BTreeSet<_> = self.objects.keys().chain(later.objects.keys()).collect();
        let mut differences = Vec::new();
        for key in keys {
            match (self.objects.get(key), later.objects.get(key)) {
                (None, _) => differences.push(Difference::Added(key.clone())),
                (_, None) => differences.push(Difference::Removed(key.clone())),
                (Some(before), Some(after)) => {
                    let mut paths = Vec::new();
                    differing_paths(before, after, "", &mut paths);
                    if !paths.is_empty() {
                        differences.push(Difference::Changed(key.clone(), paths));
                    }
                }
            }
        }
        differences
    }

    /// Owner references whose uid no object of the dump has: what the garbage collector would act on.
    pub fn dangling_owners(&self) -> Vec<(Key, String)> {
        let uids: BTreeSet<&str> =
            self.objects.values().filter_map(|o| o["metadata"]["uid"].as_str()).collect();
        let mut dangling = Vec::new();
        for (key, object) in &self.objects {
            let owners = object["metadata"]["ownerReferences"].as_array();
            for owner in owners.into_iter().flatten() {
                let uid = owner["uid"].as_str().unwrap_or_default();
                if !uids.contains(uid) {
                    dangling.push((key.clone(), format!("{} {} {uid}", owner["kind"], owner["name"])));
                }
            }
        }
        dangling
    }
}

fn differing_paths(before: &Value, after: &Value, path: &str, paths: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let below = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                match (before.get(key), after.get(key)) {
                    (Some(before), Some(after)) => differing_paths(before, after, &below, paths),
                    _ => paths.push(below),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                differing_paths(before, after, &format!("{path}/{index}"), paths);
            }
        }
        _ if before != after => paths.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, uid: &str, data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "data": data,
            "metadata": {"namespace": "n", "name": name, "uid": uid, "resourceVersion": "1"}})
    }

    #[test]
    fn differences_name_paths_and_never_values() {
        let before: Dump =
            [object("a", "1", &json!({"x/y": "hidden", "z": [1, 2]})), object("b", "2", &json!({}))]
                .into_iter()
                .collect();
        let after: Dump =
            [object("a", "1", &json!({"x/y": "other", "z": [1, 3]})), object("c", "3", &json!({}))]
                .into_iter()
                .collect();
        let text: Vec<_> = before.diff(&after).iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            ["changed Secret n/a: /data/x~1y, /data/z/1", "removed Secret n/b", "added Secret n/c"]
        );
        assert!(before.diff(&before.clone()).is_empty());
    }

    #[test]
    fn an_owner_that_is_not_there_dangles() {
        let mut child = object("child", "2", &json!({}));
        child["metadata"]["ownerReferences"] = json!([{"kind": "Secret", "name": "parent", "uid": "1"}]);
        let orphaned: Dump = [child.clone()].into_iter().collect();
        assert_eq!(orphaned.dangling_owners().len(), 1);
        let complete: Dump = [child, object("parent", "1", &json!({}))].into_iter().collect();
        assert!(complete.dangling_owners().is_empty());
    }
}
