//! Every request the server has seen, and what became of it.

use std::sync::Arc;

use super::{call::Call, target::Target};

/// What became of a request, as the client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not yet answered.
    InFlight,
    /// Answered with this code.
    Answered(u16),
    /// The reply, which had this code, broke off.
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
}

impl Outcome {
    /// True if the request was done and succeeded, whatever the client saw of it.
    pub fn applied(self) -> bool {
        match self {
            Self::Answered(code) | Self::Truncated(code) => code < 400,
            Self::Lost { applied } | Self::AbandonedAfter { applied } => applied,
            Self::InFlight | Self::Abandoned => false,
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

#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
    numbered: usize,
    in_flight: usize,
    peak: usize,
}

impl History {
    /// The number of the next request.
    pub(crate) fn next_number(&mut self) -> usize {
        self.numbered += 1;
        self.numbered
    }

    pub(crate) fn begin(&mut self, call: Arc<Call>) {
        self.entries.push(Entry { call, outcome: Outcome::InFlight });
        self.in_flight += 1;
        self.peak = self.peak.max(self.in_flight);
    }

    pub(crate) fn end(&mut self, number: usize, outcome: Outcome) {
        self.in_flight = self.in_flight.saturating_sub(1);
        // Cleared in between: then there is nothing to note.
        if let Ok(at) = self.entries.binary_search_by_key(&number, |entry| entry.call.number) {
            self.entries[at].outcome = outcome;
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn count(&self, target: &Target) -> usize {
        self.entries.iter().filter(|entry| target.matches(&entry.call)).count()
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.peak = self.in_flight;
    }
}
