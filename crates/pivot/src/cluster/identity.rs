//! Who we are to the API server, and who we are to our own fence.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pivot_core::fence::{ID_EXTRA, Identity, TOKEN_EXTRA};
use serde::Deserialize;
use serde_json::json;

use super::{Cluster, Failure, RawRequest};

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// The user as the API server knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whoami {
    /// Name.
    pub user: String,
    /// Groups, with those that the server adds by itself.
    pub groups: Vec<String>,
    /// Pivot and token of the [`Identity`] that the server saw.
    pub identity: Option<(String, String)>,
}

#[derive(Deserialize)]
struct Review {
    status: ReviewStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewStatus {
    user_info: UserInfo,
}

#[derive(Deserialize)]
struct UserInfo {
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    extra: std::collections::BTreeMap<String, Vec<String>>,
}

impl Cluster {
    /// Asks the API server who it takes us for (`SelfSubjectReview`).
    pub async fn whoami(&self) -> Result<Whoami, Failure> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        // A POST that stores nothing, so that it may be sent twice.
        let review: Review = self.read(RawRequest::new(Method::POST, REVIEWS, review.to_string())).await?;
        let UserInfo { username, groups, extra } = review.status.user_info;
        let only = |key: &str| match extra.get(key).map(Vec::as_slice) {
            Some([value]) => Some(value.clone()),
            _ => None,
        };
        Ok(Whoami { user: username, groups, identity: only(ID_EXTRA).zip(only(TOKEN_EXTRA)) })
    }

    /// The same cluster, asked under an identity that our own fence lets through. It shares connections and counters.
    ///
    /// A kubeconfig that impersonates somebody goes on doing so: the identity is of whom it impersonates, and the user behind it
    /// must be allowed to add the extras. Fails where the user's name cannot stand in a header.
    pub fn with_identity(&self, identity: &Identity) -> Result<Self, Failure> {
        let mut headers = HeaderMap::new();
        for (name, value) in identity.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("BUG: our own headers have no names");
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Failure::NotSent {
                reason: "your user or one of your groups has a name that no header may carry".to_owned(),
            })?;
            headers.append(name, value);
        }
        Ok(Self { identity: Some(Arc::new(headers)), ..self.clone() })
    }

    /// The same cluster, asked as the user of the kubeconfig.
    #[must_use]
    pub fn without_identity(&self) -> Self {
        Self { identity: None, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::{Request, Response};
    use http_body_util::Full;
    use kube::client::Body;
    use tower::BoxError;

    use super::*;

    #[tokio::test]
    async fn the_identity_goes_with_every_request_and_only_there() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let service = tower::service_fn(move |request: Request<Body>| {
            let headers = request.headers().iter();
            let ours = headers.filter(|(name, _)| name.as_str().starts_with("impersonate-"));
            let ours: Vec<_> = ours
                .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
                .collect();
            log.lock().unwrap().push(ours);
            let answer = json!({"status": {"userInfo": {"username": "kim", "groups": ["ops"], "extra": {
                ID_EXTRA: ["p1"], TOKEN_EXTRA: ["t1"]}}}});
            let response =
                Response::builder().status(201).body(Full::<bytes::Bytes>::from(answer.to_string()));
            async move { Ok::<_, BoxError>(response.unwrap()) }
        });
        let plain = Cluster::from_client(kube::Client::new(service, "default"), "fake");
        let me = plain.whoami().await.unwrap();
        assert_eq!((me.user.as_str(), me.groups.as_slice()), ("kim", ["ops".to_owned()].as_slice()));
        assert_eq!(me.identity, Some(("p1".to_owned(), "t1".to_owned())));
        let ours = plain.with_identity(&Identity::new("kïm", &["a", "b"], "p1", "t1")).unwrap();
        ours.whoami().await.unwrap();
        ours.without_identity().whoami().await.unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!(
            seen[1],
            [
                "impersonate-user: kïm",
                "impersonate-group: a",
                "impersonate-group: b",
                "impersonate-extra-pivot.metal3.io%2fid: p1",
                "impersonate-extra-pivot.metal3.io%2ftoken: t1",
            ]
        );
        assert!(seen[0].is_empty() && seen[2].is_empty());
        assert_eq!(plain.counters().total(), 3);
    }

    #[tokio::test]
    async fn a_name_that_no_header_carries_is_refused() {
        let (plain, _) = super::super::fake::cluster(|_| super::super::fake::refusal(500, ""));
        let failure = plain.with_identity(&Identity::new("kim\nImpersonate-Group: root", &[""; 0], "p", "t"));
        assert!(matches!(failure, Err(Failure::NotSent { .. })));
    }
}
