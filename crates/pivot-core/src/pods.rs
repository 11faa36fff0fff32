//! Pods, by what they belong to.

use std::collections::BTreeSet;

use crate::machine::Seen;
use crate::object::Uid;

/// The pods of a Deployment, among pods and ReplicaSets of its namespace: through a ReplicaSet of it, which need not be its latest.
pub fn pods_of<'a>(deployment: &Uid, seen: &'a [Seen]) -> impl Iterator<Item = &'a Seen> {
    let of = |kind: &'static str| seen.iter().filter(move |seen| seen.key.kind.kind == kind);
    let sets: BTreeSet<&Uid> =
        of("ReplicaSet").filter(|set| set.owners.contains(deployment)).map(|set| &set.uid).collect();
    of("Pod").filter(move |pod| pod.owners.iter().any(|owner| sets.contains(owner)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::GroupKind;
    use crate::object::ObjectKey;

    #[test]
    fn pods_are_told_by_uids() {
        let owned = |kind: &str, name: &str, owner: &str| Seen {
            key: ObjectKey::new(GroupKind::new("", kind), Some("metal3"), name),
            uid: Uid(format!("uid-{name}")),
            resource_version: "1".to_owned(),
            owners: vec![Uid(owner.to_owned())],
            terminating: false,
        };
        let seen = [
            owned("ReplicaSet", "new", "d"),
            owned("ReplicaSet", "old", "d"),
            owned("ReplicaSet", "other", "e"),
            owned("Pod", "a", "uid-new"),
            owned("Pod", "b", "uid-old"),
            owned("Pod", "c", "uid-other"),
        ];
        let deployment = Uid("d".to_owned());
        let found = pods_of(&deployment, &seen);
        assert_eq!(found.map(|pod| pod.key.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}
