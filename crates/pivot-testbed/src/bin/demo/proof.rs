//! What must hold after the pivot, checked with reads of the demo's own.

use std::fmt;

use pivot_testbed::dump::{Dump, Key};
use serde_json::Value;

use crate::stage::{Dumps, NAMESPACE, Stage};

/// How many faults of one check are shown.
const SHOWN: usize = 10;

/// Checks and their outcomes.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    checks: Vec<(String, Vec<String>)>,
}

impl Proof {
    /// Notes a check; it holds if there is no fault.
    pub(crate) fn check(&mut self, what: impl Into<String>, faults: impl IntoIterator<Item = impl ToString>) {
        self.checks.push((what.into(), faults.into_iter().map(|fault| fault.to_string()).collect()));
    }

    /// True if every check holds.
    pub(crate) fn holds(&self) -> bool {
        self.checks.iter().all(|(_, faults)| faults.is_empty())
    }

    /// Everything that a pivot promises of the sample.
    pub(crate) fn of_pivot(&mut self, stage: &Stage, before: &Dumps, after: &Dumps) {
        let is_sample = |key: &Key| stage.sample.contains(key);
        let (was, is) = (before.source.filter(is_sample), after.target.filter(is_sample));
        self.check(
            format!(
                "nothing lost: {} objects are in the target, status, labels, annotations and owners equal",
                was.len()
            ),
            content(&was).diff(&content(&is)),
        );
        self.check(
            "every owner reference in the target leads to a live object, and its garbage collector took nothing",
            after.target.dangling_owners().into_iter().map(|(key, owner)| format!("{key}: {owner}")),
        );
        let left = after.source.filter(is_sample);
        self.check("nothing of the cluster is left in the source", left.iter().map(|(key, _)| key));
        self.check(
            format!("{} bystanders are as they were, uid and resourceVersion", stage.bystanders.len()),
            touched(&before.source, &after.source, |key| stage.bystanders.contains(key)),
        );
        self.check(
            "nothing else changed in the source",
            touched(&before.source, &after.source, |key| !is_sample(key) && !stage.bystanders.contains(key)),
        );
        let own_namespace =
            |key: &Key| key.namespace == NAMESPACE || (key.kind == "Namespace" && key.name == NAMESPACE);
        self.check(
            "nothing else changed in the target",
            touched(&before.target, &after.target, |key| !own_namespace(key)),
        );
        self.check(
            "nothing else came into the target",
            after
                .target
                .filter(|key| key.namespace == NAMESPACE && !is_sample(key) && !is_of_every_namespace(key))
                .iter()
                .map(|(key, _)| key),
        );
    }
}

/// What controllers of Kubernetes put into every namespace.
fn is_of_every_namespace(key: &Key) -> bool {
    matches!(
        (key.kind.as_str(), key.name.as_str()),
        ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default")
    )
}

/// Objects that were written, added or removed in between.
fn touched(before: &Dump, after: &Dump, concerns: impl Fn(&Key) -> bool) -> Vec<String> {
    let versions = |dump: &Dump| dump.filter(&concerns).uids_and_resource_versions();
    let (before, after) = (versions(before), versions(after));
    let changed = before.iter().filter(|(key, version)| after.get(key) != Some(version)).map(|(key, _)| key);
    let added = after.keys().filter(|key| !before.contains_key(key));
    changed.chain(added).map(ToString::to_string).collect()
}

/// Objects without what every cluster assigns anew, and without the marks of the pivot.
fn content(dump: &Dump) -> Dump {
    dump.iter().map(|(_, object)| without_assigned(object.clone())).collect()
}

fn without_assigned(mut object: Value) -> Value {
    let generation = object["metadata"]["generation"].as_i64();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !key.starts_with("pivot.metal3.io/"));
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
        observed_lag(status, generation.filter(|_| !resumed_by_spec));
    }
    object
}

/// Generations begin anew in another cluster. What counts is how far the observed one lies behind; nothing where no
/// generation is given.
fn observed_lag(status: &mut Value, generation: Option<i64>) {
    match status {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "observedGeneration" {
                    let lag =
                        generation.zip(value.as_i64()).map(|(generation, observed)| generation - observed);
                    *value = lag.into();
                } else {
                    observed_lag(value, generation);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| observed_lag(item, generation)),
        _ => {}
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for (what, faults) in &self.checks {
            lines.push(format!("{:<7} {what}", if faults.is_empty() { "ok" } else { "FAILED" }));
            lines.extend(faults.iter().take(SHOWN).map(|fault| format!("          {fault}")));
            if faults.len() > SHOWN {
                lines.push(format!("          and {} more", faults.len() - SHOWN));
            }
        }
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use pivot_testbed::dump::Difference;
    use serde_json::json;

    use super::*;

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
    }

    #[test]
    fn a_write_is_seen_although_nothing_is_different() {
        let before = host("1", 1, 1, "provisioned");
        assert_eq!(touched(&before, &before.clone(), |_| true), Vec::<String>::new());
        assert_eq!(touched(&before, &host("2", 1, 1, "provisioned"), |_| true).len(), 1);
        assert_eq!(touched(&before, &Dump::default(), |_| true).len(), 1);
        assert_eq!(touched(&Dump::default(), &before, |_| true).len(), 1);
    }

    #[test]
    fn one_fault_fails_the_proof() {
        let mut proof = Proof::default();
        proof.check("a", Vec::<String>::new());
        assert!(proof.holds());
        proof.check("b", ["x"]);
        assert!(!proof.holds());
        assert!(proof.to_string().contains("FAILED  b\n          x"));
    }
}
