//! The server as a `tower` service: faults, hooks and history around the handling of a request.

use std::{
    future, io,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture};
use http::{HeaderValue, Request, Response, header};
use kube::client::Body;
use serde_json::Value;
use tower::{BoxError, Service};

use super::{
    Action, Call, FakeServer, Outcome, ReplyBody, Shared, answer::Answer, failure::Failure,
    validate::MAX_BODY,
};
use crate::traffic::{Chunks, Meeting, Ticket, deliver, head, refusal, whole};

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
        let (call, mut ticket) = self.shared.accept(&parts, &body);
        self.run_hooks(&self.shared.before, &call);
        if self.shared.is_down() {
            ticket.outcome = Outcome::Lost { applied: false };
            return Err(broken("connection refused"));
        }
        let Meeting { delay, action, earlier, keep } = self.shared.faults().meet(&call);
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
                return Ok(refusal(*code, reason, "injected fault", *retry_after).map(whole));
            }
            _ => {}
        }
        if let Some(earlier) = earlier {
            ticket.outcome = Outcome::Answered(earlier.status().as_u16());
            return Ok(earlier.map(whole));
        }
        let answer = if body.len() > MAX_BODY {
            let message = "Request entity too large: limit is 3145728";
            Err(Failure::new(413, "RequestEntityTooLarge", message, Value::Null))
        } else {
            self.shared.change(|world| world.handle(&call))
        };
        let reply = self.shared.render(answer);
        if keep {
            self.shared.faults().keep(&call, &reply);
        }
        self.run_hooks(&self.shared.after, &call);
        let applied = reply.status().as_u16() < 400;
        match action {
            Some(Action::DropAfter) => {
                ticket.outcome = Outcome::Lost { applied };
                Err(broken("connection closed before the message completed"))
            }
            Some(Action::HangAfter) => {
                ticket.outcome = Outcome::AbandonedAfter { applied };
                future::pending().await
            }
            action => {
                let (reply, outcome) = deliver(reply, call.verb, action.as_ref());
                ticket.outcome = outcome;
                Ok(reply)
            }
        }
    }
}

impl Shared {
    /// Reads a request and enters it in the history.
    fn accept(&self, parts: &http::request::Parts, body: &Bytes) -> (Arc<Call>, Ticket) {
        let mut call = Call::read("fake-admin", parts, body);
        call.kind = self
            .look(|world| world.resource(&call.group, &call.plural))
            .map(|resource| resource.kind.clone())
            .unwrap_or_default();
        self.history.begin(call)
    }

    fn render(self: &Arc<Self>, answer: Result<Answer, Failure>) -> Response<Chunks> {
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
        reply.map(|()| chunks)
    }
}

fn broken(text: &'static str) -> BoxError {
    Box::new(io::Error::new(io::ErrorKind::ConnectionReset, text))
}
