//! Asking an HTTP server that is not an API server.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use tokio::time::timeout;

use crate::{Error, Result};

/// How long an answer may take: the server may be on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// The version of Ironic's API that baremetal-operator 0.6.0 asks for. Other servers do not look at it.
const VERSION: (&str, &str) = ("X-OpenStack-Ironic-API-Version", "1.81");

/// The document at an address.
pub(super) async fn get(url: &str) -> Result<Value> {
    let failed = |reason: String| Error::Asked { url: url.to_owned(), reason };
    match timeout(PATIENCE, fetch(url)).await {
        Ok(answer) => answer.map_err(|error| failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

async fn fetch(url: &str) -> Result<Value, tower::BoxError> {
    let request = Request::get(url).header(VERSION.0, VERSION.1).body(Empty::<Bytes>::new())?;
    let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    if status.is_success() {
        Ok(serde_json::from_slice(&body)?)
    } else {
        Err(format!("HTTP status {status}").into())
    }
}
