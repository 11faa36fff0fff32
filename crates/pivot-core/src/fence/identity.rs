//! The identity under which the tool writes behind its own fence.

use std::collections::BTreeSet;

use crate::plan::Permission;

/// Key of the user's extra that names the pivot.
pub const ID_EXTRA: &str = "pivot.metal3.io/id";
/// Key of the user's extra that holds the coordinator's token.
pub const TOKEN_EXTRA: &str = "pivot.metal3.io/token";

/// The group that the API server gives to everybody by itself.
const EVERYBODY: &str = "system:authenticated";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The user as the API server knows them, impersonated by themselves: their rights stay what they are, and the extras tell the
/// fence that it is the tool that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the user.
    pub user: String,
    /// Groups to ask for; without those that the API server adds by itself.
    pub groups: Vec<String>,
    /// The pivot.
    pub pivot_id: String,
    /// Fencing token of whoever drives the pivot.
    pub token: String,
}

impl Identity {
    /// For a user and groups as a `SelfSubjectReview` tells them.
    pub fn new<G: AsRef<str>>(user: &str, groups: &[G], pivot_id: &str, token: &str) -> Self {
        let mut groups: Vec<String> = groups.iter().map(|group| group.as_ref().to_owned()).collect();
        groups.retain(|group| group != EVERYBODY);
        if let Some((namespace, _)) = service_account(user) {
            let implied = [SERVICE_ACCOUNTS.to_owned(), format!("{SERVICE_ACCOUNTS}:{namespace}")];
            let given: BTreeSet<&String> = groups.iter().collect();
            // Named by us they would need a right of their own; the server implies them only where none is named.
            if given == implied.iter().collect() {
                groups.clear();
            }
        }
        Self { user: user.to_owned(), groups, pivot_id: pivot_id.to_owned(), token: token.to_owned() }
    }

    /// The headers of every request. Names of extras are escaped, since a slash may not stand in the name of a header.
    pub fn headers(&self) -> Vec<(String, String)> {
        let extra = |key: &str| format!("Impersonate-Extra-{}", key.replace('/', "%2F"));
        let user = ("Impersonate-User".to_owned(), self.user.clone());
        let groups = self.groups.iter().map(|group| ("Impersonate-Group".to_owned(), group.clone()));
        let extras = [(extra(ID_EXTRA), self.pivot_id.clone()), (extra(TOKEN_EXTRA), self.token.clone())];
        std::iter::once(user).chain(groups).chain(extras).collect()
    }

    /// What the user must be allowed to do for it.
    pub fn permissions(&self) -> Vec<Permission> {
        let impersonate =
            |group: &str, resource: &str, subresource: Option<&str>, name: Option<&str>| Permission {
                verb: "impersonate".to_owned(),
                group: group.to_owned(),
                resource: resource.to_owned(),
                subresource: subresource.map(str::to_owned),
                name: name.map(str::to_owned),
                namespace: None,
            };
        let user = match service_account(&self.user) {
            Some((namespace, name)) => Permission {
                namespace: Some(namespace.to_owned()),
                ..impersonate("", "serviceaccounts", None, Some(name))
            },
            None => impersonate("", "users", None, Some(&self.user)),
        };
        let groups = self.groups.iter().map(|group| impersonate("", "groups", None, Some(group)));
        let extras =
            [ID_EXTRA, TOKEN_EXTRA].map(|key| impersonate(AUTHENTICATION, "userextras", Some(key), None));
        std::iter::once(user).chain(groups).chain(extras).collect()
    }
}

/// Namespace and name of a service account.
fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(identity: &Identity) -> Vec<String> {
        identity.permissions().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_person_impersonates_name_and_groups() {
        let identity = Identity::new("kim", &["system:authenticated", "ops"], "p1", "t1");
        let headers = identity.headers();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("Impersonate-User", "kim"),
                ("Impersonate-Group", "ops"),
                ("Impersonate-Extra-pivot.metal3.io%2Fid", "p1"),
                ("Impersonate-Extra-pivot.metal3.io%2Ftoken", "t1"),
            ]
        );
        assert_eq!(
            shown(&identity),
            [
                "impersonate users `kim`",
                "impersonate groups `ops`",
                "impersonate userextras.authentication.k8s.io/pivot.metal3.io/id",
                "impersonate userextras.authentication.k8s.io/pivot.metal3.io/token",
            ]
        );
    }

    #[test]
    fn a_service_account_has_its_groups_by_itself() {
        let own = ["system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"];
        let identity = Identity::new("system:serviceaccount:ci:robot", &own, "p1", "t1");
        assert!(identity.groups.is_empty());
        assert_eq!(shown(&identity)[0], "impersonate serviceaccounts `robot` in namespace ci");

        let more = ["system:serviceaccounts", "system:serviceaccounts:ci", "ops"];
        let identity = Identity::new("system:serviceaccount:ci:robot", &more, "p1", "t1");
        assert_eq!(identity.groups, more, "where one group is named, the server implies none");
    }
}
