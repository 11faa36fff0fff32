//! Faults: what goes wrong with which request.

use std::time::Duration;

use super::{call::Call, target::Target};

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
    /// Never answered, and nothing is done.
    Hang,
    /// Done, but never answered.
    HangAfter,
    /// A watch that opens and tells nothing.
    Mute,
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

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<(FaultId, Fault, usize)>,
    next: usize,
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
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Counts the request in every rule it matches; returns its delay and what else happens to it.
    pub(crate) fn meet(&mut self, call: &Call) -> (Duration, Option<Action>) {
        let mut delay = Duration::ZERO;
        let mut action = None;
        for (_, fault, seen) in self.rules.iter_mut().filter(|(_, fault, _)| fault.target.matches(call)) {
            *seen += 1;
            if *seen <= fault.skip || *seen - fault.skip > fault.times {
                continue;
            }
            match &fault.action {
                Action::Latency(more) => delay += *more,
                other => action = action.or_else(|| Some(other.clone())),
            }
        }
        (delay, action)
    }
}
