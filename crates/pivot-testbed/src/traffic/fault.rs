//! Faults: what goes wrong with which request.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use http::Response;

use super::{
    call::{Call, Verb},
    reply::Chunks,
    target::Target,
};

/// What happens to a request that a [`Fault`] meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The request is handled this much later. Adds up over all faults that meet it.
    Latency(Duration),
    /// Refused before anything is done.
    Status {
        /// The HTTP code.
        code: u16,
        /// The reason in the `Status` object, for example `TooManyRequests`.
        reason: String,
        /// The seconds of a `Retry-After` header.
        retry_after: Option<u32>,
    },
    /// The connection breaks before the server has seen the request: nothing is done.
    DropBefore,
    /// Done, but the connection breaks before the reply.
    DropAfter,
    /// Done, but the connection breaks in the middle of the reply. A watch breaks in the middle of its first event.
    Truncate,
    /// As [`Truncate`](Self::Truncate), but the reply looks complete, as some proxies make it.
    TruncateSilently,
    /// Done, but the reply is a web page under the same code, as a broken balancer or a login portal gives.
    WebPage,
    /// Never answered, and nothing is done.
    Hang,
    /// Done, but never answered.
    HangAfter,
    /// A list is answered as the same list was answered first since this fault was injected: by a cache that lags
    /// behind. The first one of all is answered truly. Two lists are the same if path and query are.
    Stale,
    /// A watch that opens and tells nothing.
    Mute,
    /// A watch that opens and ends at once, without an event.
    EndWatch,
}

impl Action {
    /// A refusal without `Retry-After`.
    pub fn status(code: u16, reason: &str) -> Self {
        Self::Status { code, reason: reason.to_owned(), retry_after: None }
    }
}

/// A rule: of the requests that the target names, these meet this action.
#[derive(Debug, Clone)]
pub struct Fault {
    target: Target,
    action: Action,
    skip: usize,
    times: usize,
}

impl Fault {
    /// Every request of the target meets the action, from now on.
    pub fn new(target: Target, action: Action) -> Self {
        Self { target, action, skip: 0, times: usize::MAX }
    }

    /// Only the nth matching request from now, counted from 1, and with [`times`](Self::times) those after it.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.skip = nth.saturating_sub(1);
        self.times = 1;
        self
    }

    /// How many requests meet the action.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }
}

/// Names an injected fault, to lift it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(usize);

/// What the faults in force do to one request.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    pub(crate) delay: Duration,
    pub(crate) action: Option<Action>,
    /// The answer this list had before.
    pub(crate) earlier: Option<Response<Bytes>>,
    /// A later list may be answered with the answer to this one.
    pub(crate) keep: bool,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<(FaultId, Fault, usize)>,
    next: usize,
    /// First answers to lists, while a fault is there that wants them.
    lists: HashMap<String, Response<Bytes>>,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) -> FaultId {
        let id = FaultId(self.next);
        self.next += 1;
        self.rules.push((id, fault, 0));
        id
    }

    pub(crate) fn lift(&mut self, id: FaultId) {
        self.rules.retain(|(own, ..)| *own != id);
        if !self.rules.iter().any(|(_, fault, _)| fault.action == Action::Stale) {
            self.lists.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
        self.lists.clear();
    }

    /// Counts the request in every rule it matches; returns what happens to it.
    pub(crate) fn meet(&mut self, call: &Call) -> Meeting {
        let mut meeting = Meeting::default();
        for (_, fault, seen) in self.rules.iter_mut().filter(|(_, fault, _)| fault.target.matches(call)) {
            meeting.keep |= call.verb == Verb::List && fault.action == Action::Stale;
            *seen += 1;
            if *seen <= fault.skip || *seen - fault.skip > fault.times {
                continue;
            }
            match &fault.action {
                Action::Latency(more) => meeting.delay += *more,
                other => meeting.action = meeting.action.or_else(|| Some(other.clone())),
            }
        }
        if meeting.keep && meeting.action == Some(Action::Stale) {
            meeting.earlier = self.lists.get(&identity(call)).cloned();
        }
        meeting
    }

    /// Keeps the answer to a list, unless there is one already.
    pub(crate) fn keep(&mut self, call: &Call, answer: &Response<Chunks>) {
        if let (true, Chunks::One(bytes)) = (answer.status().is_success(), answer.body()) {
            let mut kept = Response::new(bytes.clone());
            *kept.status_mut() = answer.status();
            *kept.headers_mut() = answer.headers().clone();
            self.lists.entry(identity(call)).or_insert(kept);
        }
    }
}

/// What makes two lists the same.
fn identity(list: &Call) -> String {
    let Call { path, query, metadata_only, .. } = list;
    format!("{path} {query:?} {metadata_only}")
}
