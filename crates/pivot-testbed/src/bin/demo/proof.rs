//! What must hold after the pivot, checked with reads of the demo's own.

use std::fmt;

use pivot_testbed::{
    content::{content, is_of_every_namespace, touched},
    dump::Key,
};

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
    use super::*;

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
