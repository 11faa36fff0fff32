//! The server as a `tower` service: faults, hooks and history around the handling of a request.

use std::{
    future, io,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use kube::client::Body;
use serde_json::{Value, json};
use tower::{BoxError, Service};

use super::{
    Action, Call, FakeServer, Outcome, Shared, Verb, answer::Answer, failure::Failure, validate::MAX_BODY,
};

/// The body of a reply.
pub type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;

impl Service<Request<Body>> for FakeServer {
    type Response = Response<ReplyBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        async move { server.serve(request).await }.boxed()
    }
}

impl FakeServer {
    async fn serve(self, request: Request<Body>) -> Result<Response<ReplyBody>, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await?;
        // Requests made at the same time take turns here, as they would on a network.
        tokio::task::yield_now().await;
        let call = self.shared.accept(&parts, &body);
        let mut ticket = Ticket { shared: &self.shared, number: call.number, outcome: Outcome::Abandoned };
        self.run_hooks(&self.shared.before, &call);
        if self.shared.is_down() {
            ticket.outcome = Outcome::Lost { applied: false };
            return Err(broken("connection refused"));
        }
        let (delay, action) = self.shared.faults().meet(&call);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match &action {
            Some(Action::DropBefore) => {
                ticket.outcome = Outcome::Lost { applied: false };
                return Err(broken("connection reset before the request was sent"));
            }
            Some(Action::Hang) => future::pending().await,
            Some(Action::Status { code, reason, retry_after }) => {
                ticket.outcome = Outcome::Answered(*code);
                return Ok(refusal(*code, reason, *retry_after));
            }
            _ => {}
        }
        let answer = if body.len() > MAX_BODY {
            let message = "Request entity too large: limit is 3145728";
            Err(Failure::new(413, "RequestEntityTooLarge", message, Value::Null))
        } else {
            self.shared.change(|world| world.handle(&call))
        };
        let (code, chunks) = self.shared.render(answer);
        self.run_hooks(&self.shared.after, &call);
        let applied = code.status().as_u16() < 400;
        ticket.outcome = Outcome::Answered(code.status().as_u16());
        match action {
            Some(Action::DropAfter) => {
                ticket.outcome = Outcome::Lost { applied };
                Err(broken("connection closed before the message completed"))
            }
            Some(Action::HangAfter) => {
                ticket.outcome = Outcome::AbandonedAfter { applied };
                future::pending().await
            }
            Some(Action::Truncate | Action::TruncateSilently) => {
                ticket.outcome = Outcome::Truncated(code.status().as_u16());
                let loud = action == Some(Action::Truncate);
                Ok(code.map(|()| truncated(chunks, loud)))
            }
            Some(Action::Mute) if call.verb == Verb::Watch => {
                Ok(code.map(|()| StreamBody::new(stream::pending::<io::Result<_>>()).boxed_unsync()))
            }
            _ => Ok(code.map(|()| whole(chunks))),
        }
    }
}

/// What a reply is made of.
enum Chunks {
    One(Bytes),
    Many(stream::BoxStream<'static, io::Result<Bytes>>),
}

impl Shared {
    /// Reads a request and enters it in the history.
    fn accept(&self, parts: &http::request::Parts, body: &Bytes) -> Arc<Call> {
        let mut call = Call::read(0, parts, body);
        call.kind = self
            .look(|world| world.resource(&call.group, &call.plural))
            .map(|resource| resource.kind.clone())
            .unwrap_or_default();
        let mut history = self.history();
        call.number = history.next_number();
        let call = Arc::new(call);
        history.begin(Arc::clone(&call));
        call
    }

    fn render(self: &Arc<Self>, answer: Result<Answer, Failure>) -> (Response<()>, Chunks) {
        let answer = answer.unwrap_or_else(|failure| Answer::Json {
            code: failure.code,
            body: failure.status,
            warnings: Vec::new(),
        });
        let (code, media, warnings, chunks) = match answer {
            Answer::Json { code, body, warnings } => {
                (code, "application/json", warnings, Chunks::One(body.to_string().into()))
            }
            Answer::Text { code, body } => (
                code,
                "text/plain; charset=utf-8",
                Vec::new(),
                Chunks::One(Bytes::from_static(body.as_bytes())),
            ),
            Answer::Watch(subscription) => {
                let events = subscription.stream(Arc::clone(self)).boxed();
                (200, "application/json", Vec::new(), Chunks::Many(events))
            }
        };
        let mut reply = head(code, media);
        for warning in warnings {
            let text = format!("299 - \"{}\"", warning.replace('\\', "\\\\").replace('"', "\\\""));
            if let Ok(text) = HeaderValue::from_str(&text) {
                reply.headers_mut().append(header::WARNING, text);
            }
        }
        (reply, chunks)
    }
}

fn head(code: u16, media: &str) -> Response<()> {
    Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, media)
        .body(())
        .expect("BUG: a code and a media type make a response")
}

fn whole(chunks: Chunks) -> ReplyBody {
    match chunks {
        Chunks::One(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        Chunks::Many(stream) => StreamBody::new(stream.map(|chunk| chunk.map(Frame::data))).boxed_unsync(),
    }
}

/// The first half of the first chunk, then an error, or an end as if nothing were missing.
fn truncated(chunks: Chunks, loud: bool) -> ReplyBody {
    let first = match chunks {
        Chunks::One(bytes) => stream::once(future::ready(Ok(bytes))).boxed(),
        Chunks::Many(stream) => stream.take(1).boxed(),
    };
    let half = first.map(|chunk| chunk.map(|bytes| Frame::data(bytes.slice(..bytes.len() / 2))));
    let error = io::Error::new(io::ErrorKind::ConnectionReset, "end of file before the message was complete");
    let end = stream::iter(loud.then_some(Err(error)));
    StreamBody::new(half.chain(end)).boxed_unsync()
}

fn refusal(code: u16, reason: &str, retry_after: Option<u32>) -> Response<ReplyBody> {
    let mut details = json!({});
    let mut reply = head(code, "application/json");
    if let Some(seconds) = retry_after {
        details["retryAfterSeconds"] = seconds.into();
        reply.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    let failure = Failure::new(code, reason, "injected fault", details);
    reply.map(|()| whole(Chunks::One(failure.status.to_string().into())))
}

fn broken(text: &'static str) -> BoxError {
    Box::new(io::Error::new(io::ErrorKind::ConnectionReset, text))
}

/// Notes in the history what became of a request, also when the client goes away while it is handled.
struct Ticket<'a> {
    shared: &'a Shared,
    number: usize,
    outcome: Outcome,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.shared.history().end(self.number, self.outcome);
    }
}
