//! What the API server lets us do.

use futures::stream::{self, StreamExt, TryStreamExt};
use http::Method;
use pivot_core::plan::Permission;
use serde_json::{Value, json};

use super::{Cluster, Failure, IN_FLIGHT, RawRequest};

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

impl Cluster {
    /// Asks the API server which of these we may not do (`SelfSubjectAccessReview`), in the order given.
    pub async fn denied(
        &self,
        permissions: impl IntoIterator<Item = Permission>,
    ) -> Result<Vec<Permission>, Failure> {
        stream::iter(permissions)
            .map(|permission| async move {
                let allowed = self.is_allowed(&permission).await?;
                Ok(if allowed { None } else { Some(permission) })
            })
            .buffered(IN_FLIGHT)
            .try_filter_map(|denied| async move { Ok(denied) })
            .try_collect()
            .await
    }

    async fn is_allowed(&self, permission: &Permission) -> Result<bool, Failure> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": permission.verb,
                "group": permission.group,
                "resource": permission.resource,
                "subresource": permission.subresource.as_deref().unwrap_or_default(),
                "name": permission.name.as_deref().unwrap_or_default(),
                "namespace": permission.namespace.as_deref().unwrap_or_default(),
            }},
        });
        // A POST that stores nothing, so that it may be sent twice.
        let answer: Value = self.read(RawRequest::new(Method::POST, REVIEWS, review.to_string())).await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::fake;
    use super::*;

    #[tokio::test]
    async fn only_what_is_denied_comes_back() {
        let count = AtomicU32::new(0);
        let (cluster, seen) = fake::cluster(move |_| {
            let allowed = count.fetch_add(1, Ordering::Relaxed) != 1;
            fake::json(201, &json!({"status": {"allowed": allowed}}))
        });
        let permission = |verb: &str| Permission {
            verb: verb.to_owned(),
            group: "metal3.io".to_owned(),
            resource: "baremetalhosts".to_owned(),
            subresource: Some("status".to_owned()),
            name: None,
            namespace: Some("a".to_owned()),
        };
        let denied = cluster.denied(["get", "patch", "delete"].map(permission)).await.unwrap();
        assert_eq!(denied, [permission("patch")]);
        assert_eq!(denied[0].to_string(), "patch baremetalhosts.metal3.io/status in namespace a");
        assert!(seen.lock().unwrap().iter().all(|request| request == &format!("POST {REVIEWS}")));
    }
}
