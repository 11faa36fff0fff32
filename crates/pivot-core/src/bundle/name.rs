//! File names.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::object::ObjectKey;

/// Longest file name that common file systems take, in bytes.
const LONGEST: usize = 255;
const SUFFIX: &str = ".yaml";
/// Hexadecimal digits that tell shortened names apart.
const SHORT_DIGEST: usize = 16;

/// The file of an object as clusterctl names it: `<Kind>_<namespace>_<name>.yaml`, the namespace empty for cluster-scoped objects.
pub fn object_file(key: &ObjectKey) -> String {
    compose(&key.kind.kind, key)
}

fn compose(kind: &str, key: &ObjectKey) -> String {
    format!("{kind}_{}_{}{SUFFIX}", key.namespace.as_deref().unwrap_or_default(), key.name)
}

/// A file name for each object. Where the kinds of two groups share a name, as `IPAddress` of Metal3 and of Cluster API do, the
/// first in the order of keys gets clusterctl's name and the others the group with it; a name that is too long is shortened.
pub fn object_files<'a>(keys: impl IntoIterator<Item = &'a ObjectKey>) -> BTreeMap<&'a ObjectKey, String> {
    let sorted: BTreeSet<&ObjectKey> = keys.into_iter().collect();
    let mut taken = BTreeSet::new();
    let mut files = BTreeMap::new();
    for key in sorted {
        let plain = shortened(object_file(key), key);
        let file =
            if taken.contains(&plain) { shortened(compose(&key.kind.to_string(), key), key) } else { plain };
        taken.insert(file.clone());
        files.insert(key, file);
    }
    files
}

fn shortened(file: String, key: &ObjectKey) -> String {
    if file.len() <= LONGEST {
        return file;
    }
    let digest = Digest::of(format!("{} {}", key.kind, key.path()).as_bytes());
    let tail = format!("~{}{SUFFIX}", &digest.as_str()[..SHORT_DIGEST]);
    let mut end = LONGEST - tail.len();
    while !file.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &file[..end])
}

/// The name that a file has while it is written.
pub fn temporary_file(number: usize) -> String {
    format!(".pivotctl-{number}.tmp")
}

/// True for a name that only [`temporary_file`] gives: left over by an export that did not finish.
pub fn is_temporary(file: &str) -> bool {
    file.strip_prefix(".pivotctl-")
        .and_then(|rest| rest.strip_suffix(".tmp"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// True for a name that leads to a file in the directory itself.
pub(super) fn is_plain(file: &str) -> bool {
    !matches!(file, "" | "." | "..") && file.len() <= LONGEST && !file.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::GroupKind;

    fn key(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
        ObjectKey::new(GroupKind::new(group, kind), namespace, name)
    }

    #[test]
    fn files_are_named_as_clusterctl_names_them() {
        let cluster = key("cluster.x-k8s.io", "Cluster", Some("metal3"), "test1");
        assert_eq!(object_file(&cluster), "Cluster_metal3_test1.yaml");
        assert_eq!(object_file(&key("x", "Identity", None, "shared")), "Identity__shared.yaml");
    }

    #[test]
    fn two_groups_share_no_file() {
        let (metal3, capi) = (
            key("ipam.metal3.io", "IPAddress", Some("m"), "a"),
            key("ipam.cluster.x-k8s.io", "IPAddress", Some("m"), "a"),
        );
        let files = object_files([&metal3, &capi]);
        assert_eq!(files[&capi], "IPAddress_m_a.yaml");
        assert_eq!(files[&metal3], "IPAddress.ipam.metal3.io_m_a.yaml");
        assert_eq!(files, object_files([&capi, &metal3]), "whatever the order");
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = |end: &str| key("g", "Kind", Some("n"), &format!("{}{end}", "x".repeat(252)));
        let (one, two) = (long("1"), long("2"));
        let files = object_files([&one, &two]);
        assert_ne!(files[&one], files[&two]);
        for file in files.values() {
            assert_eq!(file.len(), LONGEST);
            assert!(file.starts_with("Kind_n_xxx") && file.ends_with(SUFFIX));
        }
    }

    #[test]
    fn temporary_files_are_known_by_their_names() {
        assert!(is_temporary(&temporary_file(12)));
        for other in [".pivotctl-.tmp", ".pivotctl-a.tmp", "pivotctl-1.tmp", ".pivotctl-1.tmp.yaml"] {
            assert!(!is_temporary(other), "{other}");
        }
    }

    #[test]
    fn only_plain_names_lead_into_the_directory() {
        assert!(is_plain("Cluster_a_b.yaml"));
        for name in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0"] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
