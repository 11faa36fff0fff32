//! Whether a fence holds, without touching anything.

use http::Method;
use pivot_core::fence::{canary, canary_key};

use super::known::well_known;
use super::{Cluster, Failure, RawRequest, add_query, resource_path};

/// What became of a canary.
#[derive(Clone, Debug)]
pub enum CanaryOutcome {
    /// A fence of ours refused it.
    Denied {
        /// The pivot whose fence it was.
        pivot_id: String,
    },
    /// It would have been created.
    Admitted,
    /// Neither: somebody else refused, or nobody answered.
    Failed(Failure),
}

impl Cluster {
    /// Tries to create the canary of a pivot (a dry run: nothing is stored). The namespace of the records must exist.
    ///
    /// Refused to the plain user it shows that the fence holds in the replica that answered; let through
    /// [`with_identity`](Self::with_identity) it shows that it is the fence of that token.
    pub async fn canary(&self, pivot_id: &str) -> CanaryOutcome {
        let key = canary_key(pivot_id);
        let kind = well_known(&key.kind).expect("BUG: ConfigMaps are unknown");
        let mut path = resource_path(kind, &kind.storage_version, key.namespace.as_deref(), None, None);
        add_query(&mut path, "dryRun", "All");
        match self.request(RawRequest::new(Method::POST, path, canary(pivot_id).to_string())).await {
            Ok(_) => CanaryOutcome::Admitted,
            Err(failure) => match failure.fenced_by() {
                Some(pivot_id) => CanaryOutcome::Denied { pivot_id: pivot_id.to_owned() },
                None => CanaryOutcome::Failed(failure),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fake;
    use super::*;

    #[tokio::test]
    async fn a_canary_is_only_tried_and_its_refusal_read() {
        let (open, seen) = fake::cluster(|_| fake::json(201, &json!({})));
        assert!(matches!(open.canary("p1").await, CanaryOutcome::Admitted));
        let path = "/api/v1/namespaces/pivotctl-system/configmaps?dryRun=All";
        assert_eq!(*seen.lock().unwrap(), [format!("POST {path}")]);

        let (fenced, _) = fake::cluster(|_| {
            let message = "denied request: behind the fence of pivot p0: go away";
            fake::json(403, &json!({"kind": "Status", "reason": "Forbidden", "message": message}))
        });
        let CanaryOutcome::Denied { pivot_id } = fenced.canary("p1").await else {
            panic!("it was let through")
        };
        assert_eq!(pivot_id, "p0");

        for status in [403, 404, 500] {
            let (refusing, _) = fake::cluster(move |_| fake::refusal(status, "Any"));
            assert!(matches!(refusing.canary("p1").await, CanaryOutcome::Failed(_)), "{status}");
        }
    }
}
