//! What two dumps are compared by: whether anybody wrote, and whether objects say the same in another cluster.

use serde_json::Value;

use crate::dump::{Dump, Key};

/// Every annotation of a pivot begins like this; no comparison counts them.
const MARKS: &str = "pivot.metal3.io/";
const OBSERVED: &str = "observedGeneration";

/// What controllers of Kubernetes put into every namespace.
pub fn is_of_every_namespace(key: &Key) -> bool {
    matches!(
        (key.kind.as_str(), key.name.as_str()),
        ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default")
    )
}

/// Objects that were written, added or removed in between.
pub fn touched(before: &Dump, after: &Dump, concerns: impl Fn(&Key) -> bool) -> Vec<String> {
    let versions = |dump: &Dump| dump.filter(&concerns).uids_and_resource_versions();
    let (before, after) = (versions(before), versions(after));
    let changed = before.iter().filter(|(key, version)| after.get(key) != Some(version)).map(|(key, _)| key);
    let added = after.keys().filter(|key| !before.contains_key(key));
    changed.chain(added).map(ToString::to_string).collect()
}

/// Objects without what every cluster assigns anew, and without the marks of a pivot.
#[must_use]
pub fn content(dump: &Dump) -> Dump {
    dump.iter().map(|(_, object)| without_assigned(object.clone())).collect()
}

fn without_assigned(mut object: Value) -> Value {
    let generation = object["metadata"]["generation"].as_i64();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !key.starts_with(MARKS));
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
        let owners = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut);
        for owner in owners.into_iter().flatten().filter_map(Value::as_object_mut) {
            owner.remove("uid");
        }
    }
    // A Cluster is resumed through its spec, which its controller has yet to observe.
    let resumed_by_spec = object["kind"] == "Cluster";
    if let Some(status) = object.get_mut("status") {
        observed(status, generation.filter(|_| !resumed_by_spec));
    }
    object
}

/// Generations begin anew in another cluster. What counts is whether the present one was observed; an older one observed is the
/// same as none, and nothing counts where no generation is given.
fn observed(status: &mut Value, generation: Option<i64>) {
    match status {
        Value::Object(fields) => {
            if let Some(seen) = fields.remove(OBSERVED).as_ref().and_then(Value::as_i64)
                && generation.is_some_and(|generation| seen >= generation)
            {
                fields.insert(OBSERVED.to_owned(), "current".into());
            }
            fields.values_mut().for_each(|field| observed(field, generation));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| observed(item, generation)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dump::Difference;

    fn host(uid: &str, generation: i64, observed: i64, state: &str) -> Dump {
        let object = json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": {"name": "a", "namespace": "metal3", "uid": uid, "resourceVersion": uid, "generation": generation,
                "annotations": {"pivot.metal3.io/id": uid}, "ownerReferences": [{"name": "o", "uid": uid}]},
            "status": {"state": state, "observedGeneration": observed}});
        [object].into_iter().collect()
    }

    #[test]
    fn content_is_what_a_cluster_does_not_assign() {
        let before = content(&host("1", 7, 7, "provisioned"));
        assert_eq!(before.diff(&content(&host("2", 1, 1, "provisioned"))), []);
        let differs = |after: Dump| matches!(&before.diff(&content(&after))[..], [Difference::Changed(..)]);
        assert!(differs(host("2", 1, 1, "available")));
        assert!(
            differs(host("2", 2, 1, "provisioned")),
            "it would look reconciled and is not, or the other way round"
        );
        assert_eq!(
            content(&host("1", 7, 5, "available")).diff(&content(&host("2", 2, 1, "available"))),
            [],
            "neither was reconciled"
        );
    }

    #[test]
    fn a_write_is_seen_although_nothing_is_different() {
        let before = host("1", 1, 1, "provisioned");
        assert_eq!(touched(&before, &before.clone(), |_| true), Vec::<String>::new());
        assert_eq!(touched(&before, &host("2", 1, 1, "provisioned"), |_| true).len(), 1);
        assert_eq!(touched(&before, &Dump::default(), |_| true).len(), 1);
        assert_eq!(touched(&Dump::default(), &before, |_| true).len(), 1);
    }
}
