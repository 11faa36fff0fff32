//! Request paths.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pivot_core::kind::{KindInfo, Scope};

/// What RFC 3986 leaves unreserved; everything else is escaped, so that no name can change the meaning of a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Path of a collection (no `name`), an object or its subresource. A namespace is left out for cluster-scoped kinds;
/// without one, a collection spans all namespaces.
pub fn resource_path(
    kind: &KindInfo,
    version: &str,
    namespace: Option<&str>,
    name: Option<&str>,
    subresource: Option<&str>,
) -> String {
    let mut path = match kind.kind.group.as_str() {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    };
    let namespace = namespace.filter(|_| kind.scope == Scope::Namespaced);
    if let Some(namespace) = namespace {
        push(&mut path, "namespaces");
        push(&mut path, namespace);
    }
    push(&mut path, &kind.plural);
    for part in [name, subresource].into_iter().flatten() {
        push(&mut path, part);
    }
    path
}

fn push(path: &mut String, part: &str) {
    write!(path, "/{}", escape(part)).expect("BUG: writing to a string fails");
}

/// Adds a query parameter.
pub fn add_query(path: &mut String, key: &str, value: &str) {
    let separator = if path.contains('?') { '&' } else { '?' };
    write!(path, "{separator}{key}={}", escape(value)).expect("BUG: writing to a string fails");
}

fn escape(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, ESCAPED)
}

/// True for paths of core Secrets, whose refusals may quote values.
pub(super) fn concerns_secrets(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let Some(rest) = path.strip_prefix("/api/v1/") else { return false };
    let mut parts = rest.split('/');
    match parts.next() {
        Some("namespaces") => parts.nth(1) == Some("secrets"),
        first => first == Some("secrets"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use pivot_core::kind::GroupKind;

    use super::*;

    fn kind(group: &str, plural: &str, scope: Scope) -> KindInfo {
        KindInfo {
            kind: GroupKind::new(group, "Any"),
            plural: plural.to_owned(),
            scope,
            storage_version: "v1".to_owned(),
            served: BTreeSet::new(),
            status_subresource: BTreeSet::new(),
            labels: BTreeMap::new(),
            schemas: BTreeMap::new(),
        }
    }

    #[test]
    fn paths_follow_group_and_scope() {
        let secrets = kind("", "secrets", Scope::Namespaced);
        assert_eq!(resource_path(&secrets, "v1", None, None, None), "/api/v1/secrets");
        assert_eq!(
            resource_path(&secrets, "v1", Some("a"), Some("b"), None),
            "/api/v1/namespaces/a/secrets/b"
        );
        let hosts = kind("metal3.io", "baremetalhosts", Scope::Namespaced);
        assert_eq!(
            resource_path(&hosts, "v1alpha1", Some("a"), Some("b"), Some("status")),
            "/apis/metal3.io/v1alpha1/namespaces/a/baremetalhosts/b/status"
        );
        let providers = kind("x.io", "identities", Scope::Cluster);
        assert_eq!(resource_path(&providers, "v1", Some("a"), Some("b"), None), "/apis/x.io/v1/identities/b");
    }

    #[test]
    fn a_name_cannot_leave_its_place() {
        let secrets = kind("", "secrets", Scope::Namespaced);
        let path = resource_path(&secrets, "v1", Some("a/../b"), Some("c?d#e f"), None);
        assert_eq!(path, "/api/v1/namespaces/a%2F..%2Fb/secrets/c%3Fd%23e%20f");
        let mut path = "/x".to_owned();
        add_query(&mut path, "continue", "a+b/c==");
        add_query(&mut path, "limit", "5");
        assert_eq!(path, "/x?continue=a%2Bb%2Fc%3D%3D&limit=5");
    }

    #[test]
    fn secrets_are_known_by_their_path() {
        for path in
            ["/api/v1/secrets?limit=5", "/api/v1/namespaces/a/secrets/b", "/api/v1/namespaces/a/secrets"]
        {
            assert!(concerns_secrets(path), "{path}");
        }
        for path in
            ["/api/v1/namespaces/secrets", "/apis/x.io/v1/secrets", "/api/v1/namespaces/a/configmaps/secrets"]
        {
            assert!(!concerns_secrets(path), "{path}");
        }
    }
}
