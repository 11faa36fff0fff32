//! Replies, whole and spoiled.

use std::{future, io};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::{call::Verb, fault::Action, history::Outcome};

/// The body of a reply.
pub type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;

/// What a reply is made of.
pub(crate) enum Chunks {
    One(Bytes),
    /// Without an end, as a watch.
    Many(stream::BoxStream<'static, io::Result<Bytes>>),
}

/// The reply as a client gets it after this action, and what to note about it.
pub(crate) fn deliver(
    reply: Response<Chunks>,
    verb: Verb,
    action: Option<&Action>,
) -> (Response<ReplyBody>, Outcome) {
    let code = reply.status().as_u16();
    let opened = verb == Verb::Watch && reply.status().is_success();
    let reply = match action {
        Some(Action::Truncate) => reply.map(|chunks| truncated(chunks, true)),
        Some(Action::TruncateSilently) => {
            let mut reply = reply.map(|chunks| truncated(chunks, false));
            reply.headers_mut().remove(header::CONTENT_LENGTH);
            reply
        }
        Some(Action::WebPage) => web_page(code).map(whole),
        Some(Action::Mute) if opened => {
            return (
                reply.map(|_| StreamBody::new(stream::pending()).boxed_unsync()),
                Outcome::Answered(code),
            );
        }
        Some(Action::EndWatch) if opened => {
            return (reply.map(|_| whole(Bytes::new())), Outcome::Answered(code));
        }
        _ => {
            let whole = |chunks| match chunks {
                Chunks::One(bytes) => whole(bytes),
                Chunks::Many(stream) => {
                    StreamBody::new(stream.map(|chunk| chunk.map(Frame::data))).boxed_unsync()
                }
            };
            return (reply.map(whole), Outcome::Answered(code));
        }
    };
    (reply, Outcome::Truncated(code))
}

/// All of a reply at once.
pub(crate) fn whole(bytes: Bytes) -> ReplyBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// The first half of the reply or of the first event, then an error, or an end as if nothing were missing.
fn truncated(chunks: Chunks, loud: bool) -> ReplyBody {
    let first = match chunks {
        Chunks::One(bytes) => stream::once(future::ready(Ok(bytes))).boxed(),
        Chunks::Many(stream) => stream.take(1).map(|chunk| chunk.map(|chunk| first_line(&chunk))).boxed(),
    };
    let half = first.map(|chunk| chunk.map(|bytes| Frame::data(bytes.slice(..bytes.len() / 2))));
    let end = stream::once(async move {
        // A body that has nothing to say for a moment is flushed; otherwise the half would never leave.
        tokio::task::yield_now().await;
        let error =
            io::Error::new(io::ErrorKind::ConnectionReset, "end of file before the message was complete");
        loud.then_some(Err(error))
    });
    StreamBody::new(half.chain(end.filter_map(future::ready))).boxed_unsync()
}

fn first_line(chunk: &Bytes) -> Bytes {
    let end = chunk.iter().position(|byte| *byte == b'\n').map_or(chunk.len(), |at| at + 1);
    chunk.slice(..end)
}

/// The `Status` object of a refusal.
pub(crate) fn status(code: u16, reason: &str, message: &str, details: Value) -> Value {
    let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "code": code});
    if !reason.is_empty() {
        status["reason"] = reason.into();
    }
    if !details.is_null() {
        status["details"] = details;
    }
    status
}

/// A refusal that no API server made.
pub(crate) fn refusal(code: u16, reason: &str, message: &str, retry_after: Option<u32>) -> Response<Bytes> {
    let mut details = json!({});
    let mut reply = head(code, "application/json");
    if let Some(seconds) = retry_after {
        details["retryAfterSeconds"] = seconds.into();
        reply.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    reply.map(|()| status(code, reason, message, details).to_string().into())
}

fn web_page(code: u16) -> Response<Bytes> {
    let page = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please sign in.</body></html>";
    head(code, "text/html; charset=utf-8").map(|()| Bytes::from_static(page.as_bytes()))
}

/// A reply without a body.
pub(crate) fn head(code: u16, media: &'static str) -> Response<()> {
    let mut reply = Response::new(());
    *reply.status_mut() = StatusCode::from_u16(code).expect("BUG: a fault answers with a code that HTTP has");
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    reply
}
