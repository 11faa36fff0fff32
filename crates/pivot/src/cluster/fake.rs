//! An API server that is a function, for tests.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use kube::client::Body;
use serde_json::Value;
use tower::BoxError;

use super::Cluster;

/// Requests that came in: method, path and query.
pub(crate) type Seen = Arc<Mutex<Vec<String>>>;

/// A cluster whose answers are made from `METHOD path?query`.
pub(crate) fn cluster<F>(answer: F) -> (Cluster, Seen)
where
    F: Fn(&str) -> Result<Response<Full<Bytes>>, BoxError> + Send + Sync + 'static,
{
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let service = tower::service_fn(move |request: Request<Body>| {
        let line = format!("{} {}", request.method(), request.uri());
        log.lock().unwrap().push(line.clone());
        let answer = answer(&line);
        async move { answer }
    });
    (Cluster::from_client(kube::Client::new(service, "default"), "fake"), seen)
}

/// An answer with a JSON body.
#[expect(clippy::unnecessary_wraps, reason = "answers may also be broken connections")]
pub(crate) fn json(status: u16, body: &Value) -> Result<Response<Full<Bytes>>, BoxError> {
    Ok(Response::builder().status(status).body(Full::from(body.to_string())).unwrap())
}

/// A refusal as API servers word it.
pub(crate) fn refusal(status: u16, reason: &str) -> Result<Response<Full<Bytes>>, BoxError> {
    json(status, &serde_json::json!({"kind": "Status", "code": status, "reason": reason, "message": "no"}))
}
