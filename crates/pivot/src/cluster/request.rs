//! One request, one answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::path::concerns_secrets;
use super::{Cluster, Failure};

/// Media type of objects.
pub const JSON: &str = "application/json";
/// Media type of an RFC 7386 merge patch.
pub const MERGE_PATCH: &str = "application/merge-patch+json";
/// Media type of an RFC 6902 patch.
pub const JSON_PATCH: &str = "application/json-patch+json";
/// Media type of server-side apply.
pub const APPLY_PATCH: &str = "application/apply-patch+yaml";
/// As `accept`: the metadata of the object alone comes back.
pub const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// As `accept` of a list: the metadata of the objects alone comes back.
pub const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// A request to an API server.
#[derive(Clone, Debug)]
pub struct RawRequest {
    /// HTTP method.
    pub method: Method,
    /// Path and query (see [`resource_path`](super::resource_path)).
    pub path_and_query: String,
    /// Media type of the body.
    pub content_type: &'static str,
    /// Media type asked for.
    pub accept: &'static str,
    /// Body; empty for none.
    pub body: Bytes,
    /// How long to wait for the whole answer, where not as long as [`Cluster::request_timeout`].
    pub timeout: Option<Duration>,
}

impl RawRequest {
    /// A request with a body, JSON both ways.
    pub fn new(method: Method, path_and_query: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            method,
            path_and_query: path_and_query.into(),
            content_type: JSON,
            accept: JSON,
            body: body.into(),
            timeout: None,
        }
    }

    /// A GET.
    pub fn get(path_and_query: impl Into<String>) -> Self {
        Self::new(Method::GET, path_and_query, Bytes::new())
    }

    /// The same with another media type asked for.
    #[must_use]
    pub fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// The same with another media type sent.
    #[must_use]
    pub fn content_type(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }

    pub(super) fn build(self) -> Result<Request<Body>, Failure> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.path_and_query)
            .header(header::ACCEPT, self.accept)
            .header(header::USER_AGENT, concat!("pivotctl/", env!("CARGO_PKG_VERSION")));
        if !self.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, self.content_type);
        }
        request.body(Body::from(self.body)).map_err(|e| Failure::NotSent { reason: e.to_string() })
    }
}

/// A 2xx answer.
#[derive(Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body, decompressed.
    pub body: Bytes,
}

impl std::fmt::Debug for Reply {
    /// Without the body, which may be a Secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).field("bytes", &self.body.len()).finish()
    }
}

impl Reply {
    /// Decodes the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| Failure::undecodable("the answer", &error))
    }
}

impl Cluster {
    /// Sends one request, once, and waits no longer than its timeout.
    ///
    /// Nothing is retried here: only the caller knows what may be sent twice. Dropping the future gives the request up, which
    /// for a write is an outcome unknown.
    pub async fn request(&self, request: RawRequest) -> Result<Reply, Failure> {
        let limit = request.timeout.unwrap_or(self.request_timeout());
        match timeout(limit, self.exchange(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Unknown { reason: format!("nothing within {} s", limit.as_secs_f32()) }),
        }
    }

    async fn exchange(&self, request: RawRequest) -> Result<Reply, Failure> {
        let sent = concerns_secrets(&request.path_and_query).then(|| request.body.clone());
        let (head, body) = self.send(request.build()?).await?.into_parts();
        let body = body.collect().await.map_err(|error| cut_short(&error))?.to_bytes();
        if head.status.is_success() {
            return Ok(Reply { status: head.status.as_u16(), body });
        }
        Err(Failure::of_answer(head.status, &head.headers, &body, sent.as_deref()))
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<http::Response<Body>, Failure> {
        if let Some(headers) = &self.identity {
            let headers = headers.iter().map(|(name, value)| (name.clone(), value.clone()));
            request.headers_mut().extend(headers);
        }
        self.counters().count(request.method());
        self.client().send(request).await.map_err(|error| Failure::of_transport(&error))
    }
}

fn cut_short(error: &kube::Error) -> Failure {
    match Failure::of_transport(error) {
        Failure::NotSent { reason } | Failure::Unknown { reason } => {
            Failure::Unknown { reason: format!("the answer was cut short: {reason}") }
        }
        refused @ Failure::Refused(_) => refused,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures::{future, stream};
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use serde_json::{Value, json};
    use tower::{BoxError, service_fn};

    use super::super::fake;
    use super::*;

    async fn failure(cluster: &Cluster) -> Failure {
        cluster.request(RawRequest::get("/api/v1/namespaces/a/secrets/b")).await.unwrap_err()
    }

    #[tokio::test]
    async fn answers_are_refusals_whatever_their_body() {
        let (cluster, _) = fake::cluster(|_| fake::refusal(409, "AlreadyExists"));
        let taken = failure(&cluster).await;
        assert!(taken.is_already_exists() && !taken.is_conflict());
        assert_eq!(taken.to_string(), "refused with 409 AlreadyExists: no");
        let (cluster, _) = fake::cluster(|_| fake::json(502, &json!("canary")));
        assert_eq!(failure(&cluster).await.to_string(), "refused with 502 Bad Gateway");
    }

    #[tokio::test]
    async fn a_refused_connection_never_sent_anything() {
        let (cluster, _) = fake::cluster(|_| Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()));
        assert!(matches!(failure(&cluster).await, Failure::NotSent { .. }));
    }

    #[tokio::test]
    async fn a_broken_connection_leaves_the_outcome_unknown() {
        let (cluster, _) = fake::cluster(|_| Err(io::Error::from(io::ErrorKind::ConnectionReset).into()));
        assert!(matches!(failure(&cluster).await, Failure::Unknown { .. }));
    }

    #[tokio::test]
    async fn a_body_cut_short_leaves_the_outcome_unknown() {
        let service = service_fn(|_: Request<Body>| {
            let frames = [
                Ok(Frame::data(Bytes::from("{\"data\":"))),
                Err::<_, BoxError>(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
            ];
            let body = StreamBody::new(stream::iter(frames));
            future::ok::<_, BoxError>(http::Response::builder().status(201).body(body).unwrap())
        });
        let cluster = Cluster::from_client(kube::Client::new(service, "default"), "fake");
        let failure = failure(&cluster).await;
        assert!(matches!(&failure, Failure::Unknown { reason } if reason.contains("cut short")), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_the_outcome_unknown() {
        let service = service_fn(|_: Request<Body>| {
            future::pending::<Result<http::Response<http_body_util::Full<Bytes>>, BoxError>>()
        });
        let cluster = Cluster::from_client(kube::Client::new(service, "default"), "fake");
        let failure = failure(&cluster.with_request_timeout(Duration::from_secs(5))).await;
        assert_eq!(failure.to_string(), "no answer: nothing within 5 s");
    }

    #[tokio::test]
    async fn an_answer_of_another_form_is_not_quoted() {
        let (cluster, _) = fake::cluster(|_| fake::json(200, &json!({"items": "canary"})));
        let reply = cluster.request(RawRequest::get("/")).await.unwrap();
        assert!(!format!("{reply:?}").contains("canary"));
        let failure = reply.json::<std::collections::BTreeMap<String, Vec<Value>>>().unwrap_err();
        assert!(
            matches!(failure, Failure::Unknown { .. }) && !failure.to_string().contains("canary"),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn a_path_that_is_none_is_not_sent() {
        let (cluster, seen) = fake::cluster(|_| fake::refusal(500, ""));
        let failure = cluster.request(RawRequest::get("not a path")).await.unwrap_err();
        assert!(matches!(failure, Failure::NotSent { .. }));
        assert!(seen.lock().unwrap().is_empty() && cluster.counters().total() == 0);
    }
}
