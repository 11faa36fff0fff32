//! Every request that was seen, and what became of it.

use std::sync::{Arc, Mutex, MutexGuard};

use super::{call::Call, lock, target::Target};

/// What became of a request, as the client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not yet answered.
    InFlight,
    /// Answered with this code.
    Answered(u16),
    /// The reply, which had this code, broke off or was no reply of an API server.
    Truncated(u16),
    /// The connection broke without a reply.
    Lost {
        /// True if the request had been done and had succeeded.
        applied: bool,
    },
    /// The client went away before the request was done.
    Abandoned,
    /// The client went away before the reply of a request that had been done, or was refused.
    AbandonedAfter {
        /// True if it had succeeded.
        applied: bool,
    },
    /// Sent on to a server that broke the connection, or has not answered: nobody knows whether it was done.
    Unanswered,
}

impl Outcome {
    /// True if the request is known to have been done with success, whatever the client saw of it.
    pub fn applied(self) -> bool {
        match self {
            Self::Answered(code) | Self::Truncated(code) => code < 400,
            Self::Lost { applied } | Self::AbandonedAfter { applied } => applied,
            Self::InFlight | Self::Abandoned | Self::Unanswered => false,
        }
    }
}

/// A request and what became of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The request.
    pub call: Arc<Call>,
    /// What became of it.
    pub outcome: Outcome,
}

/// The requests in the order in which they came. Clones are the same history.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    entries: Vec<Entry>,
    numbered: usize,
    in_flight: usize,
    peak: usize,
}

impl History {
    /// Numbers a request and enters it.
    pub(crate) fn begin(&self, mut call: Call) -> (Arc<Call>, Ticket) {
        let mut log = self.log();
        log.numbered += 1;
        call.number = log.numbered;
        log.in_flight += 1;
        log.peak = log.peak.max(log.in_flight);
        let call = Arc::new(call);
        log.entries.push(Entry { call: Arc::clone(&call), outcome: Outcome::InFlight });
        (call, Ticket { history: self.clone(), number: log.numbered, outcome: Outcome::Abandoned })
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.log().entries.clone()
    }

    pub(crate) fn count(&self, target: &Target) -> usize {
        self.log().entries.iter().filter(|entry| target.matches(&entry.call)).count()
    }

    pub(crate) fn peak(&self) -> usize {
        self.log().peak
    }

    pub(crate) fn clear(&self) {
        let mut log = self.log();
        log.entries.clear();
        log.peak = log.in_flight;
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.0)
    }
}

/// Notes in the history what became of a request when dropped, also when the client goes away while it is handled.
#[derive(Debug)]
pub(crate) struct Ticket {
    history: History,
    number: usize,
    /// What is noted.
    pub(crate) outcome: Outcome,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut log = self.history.log();
        log.in_flight = log.in_flight.saturating_sub(1);
        // Cleared in between: then there is nothing to note.
        if let Ok(at) = log.entries.binary_search_by_key(&self.number, |entry| entry.call.number) {
            log.entries[at].outcome = self.outcome;
        }
    }
}
