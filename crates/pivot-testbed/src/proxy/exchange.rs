//! One request and its answer.

use std::{
    future, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tower::BoxError;

use super::{
    Shared,
    gate::{Broken, Passage, Stage},
    upstream::Known,
};
use crate::traffic::{
    Action, Call, Chunks, Meeting, Outcome, ReplyBody, Ticket, Verb, deliver, lock, refusal, whole,
};

/// Answers a request, or breaks the connection.
pub(super) async fn answer(
    shared: Arc<Shared>,
    known: Option<Known>,
    request: Request<Incoming>,
) -> Result<Response<Traced>, Broken> {
    shared.gates.held_back().await?;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let (user, upstream) = if let Some(known) = known {
        (known.user, Some(known.upstream))
    } else {
        let token = parts.headers.contains_key(header::AUTHORIZATION);
        (String::new(), token.then(|| shared.nameless.clone()))
    };
    let mut call = Call::read(&user, &parts, &body);
    call.kind = shared.kinds.of(&call).await;
    let (call, mut ticket) = shared.history.begin(call);
    let Some(upstream) = upstream else {
        ticket.outcome = Outcome::Answered(401);
        let message = "the proxy knows neither a token nor the certificate; use a kubeconfig it has written";
        return Ok(Traced::untraced(refusal(401, "Unauthorized", message, None).map(whole)));
    };

    let mut passage = shared.gates.meet(&call);
    let Meeting { delay, action, earlier, keep } = lock(&shared.faults).meet(&call);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match &action {
        Some(Action::DropBefore) => {
            ticket.outcome = Outcome::Lost { applied: false };
            return Err(Broken);
        }
        Some(Action::Hang) => future::pending().await,
        Some(Action::Status { code, reason, retry_after }) => {
            ticket.outcome = Outcome::Answered(*code);
            return Ok(Traced::untraced(refusal(*code, reason, "injected fault", *retry_after).map(whole)));
        }
        _ => {}
    }
    if let Some(earlier) = earlier {
        ticket.outcome = Outcome::Answered(earlier.status().as_u16());
        return Ok(Traced::untraced(earlier.map(whole)));
    }
    passage.stop_at(Stage::Before, None).await?;

    let verb = call.verb;
    // A task of its own: what was sent is seen through, and noted, also when the client is gone by then.
    let sent = tokio::spawn(async move {
        ticket.outcome = Outcome::Unanswered;
        let reply = upstream.send(&parts, body).await?;
        let reply = receive(reply, verb).await?;
        ticket.outcome = Outcome::AbandonedAfter { applied: reply.status().as_u16() < 400 };
        Ok::<_, BoxError>((reply, ticket))
    });
    let (reply, mut ticket): (_, Ticket) = match sent.await {
        Ok(Ok(answered)) => answered,
        Ok(Err(_)) | Err(_) => return Err(Broken),
    };
    let code = reply.status().as_u16();
    if keep {
        lock(&shared.faults).keep(&call, &reply);
    }
    passage.stop_at(Stage::Applied, Some(code)).await?;
    match action {
        Some(Action::DropAfter) => {
            ticket.outcome = Outcome::Lost { applied: code < 400 };
            Err(Broken)
        }
        Some(Action::HangAfter) => future::pending().await,
        action => {
            let (reply, outcome) = deliver(reply, verb, action.as_ref());
            // Noted before the client can know.
            ticket.outcome = outcome;
            drop(ticket);
            Ok(reply.map(|body| Traced { body, ended: false, replied: Some((passage, code)) }))
        }
    }
}

/// Waits for the whole reply; events of a watch pass as they come.
async fn receive(reply: Response<Incoming>, verb: Verb) -> Result<Response<Chunks>, BoxError> {
    let (head, body) = reply.into_parts();
    let chunks = if verb == Verb::Watch && head.status.is_success() {
        let data = body.into_data_stream().map(|chunk| chunk.map_err(io::Error::other));
        Chunks::Many(data.boxed())
    } else {
        Chunks::One(body.collect().await?.to_bytes())
    };
    Ok(Response::from_parts(head, chunks))
}

/// The body of a reply, that tells its gate when it has been sent.
pub(super) struct Traced {
    body: ReplyBody,
    ended: bool,
    replied: Option<(Passage, u16)>,
}

impl Traced {
    fn untraced(reply: Response<ReplyBody>) -> Response<Self> {
        reply.map(|body| Self { body, ended: false, replied: None })
    }
}

impl Body for Traced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.ended |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let sent = self.ended || self.body.is_end_stream();
        if let Some((passage, code)) = self.replied.take().filter(|_| sent) {
            passage.replied(code);
        }
    }
}
