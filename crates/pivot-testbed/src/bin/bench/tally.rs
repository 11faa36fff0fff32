//! Requests of one run, counted by what they do.

use serde::Serialize;

use pivot_testbed::audit::{Deed, Request};

/// How many requests of each sort the API servers of both sides saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    /// Gets, lists, watches, discovery and questions about permissions.
    pub(crate) read: usize,
    pub(crate) create: usize,
    /// Writes to `/status`.
    pub(crate) status: usize,
    pub(crate) update: usize,
    pub(crate) patch: usize,
    pub(crate) delete: usize,
    /// How many of all these were refused.
    pub(crate) refused: usize,
}

impl Tally {
    pub(crate) fn of(requests: &[Request]) -> Self {
        let mut tally = Self::default();
        for request in requests {
            *match request.deed() {
                Deed::Read => &mut tally.read,
                Deed::Create => &mut tally.create,
                Deed::Status => &mut tally.status,
                Deed::Update => &mut tally.update,
                Deed::Patch => &mut tally.patch,
                Deed::Delete => &mut tally.delete,
            } += 1;
            tally.refused += usize::from(request.is_refused());
        }
        tally
    }

    pub(crate) fn total(&self) -> usize {
        self.read + self.create + self.status + self.update + self.patch + self.delete
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_request_counts_once() {
        let request = |verb: &str, code: u16| -> Request {
            serde_json::from_value(json!({"verb": verb, "requestURI": "/", "responseStatus": {"code": code},
                "requestReceivedTimestamp": ""}))
            .unwrap()
        };
        let tally = Tally::of(&[request("list", 200), request("create", 409), request("create", 201)]);
        assert_eq!(tally, Tally { read: 1, create: 2, refused: 1, ..Tally::default() });
        assert_eq!(tally.total(), 3);
    }
}
