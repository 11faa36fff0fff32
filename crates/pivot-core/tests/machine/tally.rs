//! What was tried, counted; `PIVOT_MODEL_COUNTS=FILE` appends one line of JSON for each test to a file, from which docs are made.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::json;

/// Runs of one test, by kind.
pub(crate) struct Tally {
    test: &'static str,
    counts: BTreeMap<String, usize>,
}

impl Tally {
    pub(crate) fn new(test: &'static str) -> Self {
        Self { test, counts: BTreeMap::new() }
    }

    /// One more run of this kind.
    pub(crate) fn count(&mut self, kind: &str) {
        *self.counts.entry(kind.to_owned()).or_default() += 1;
    }

    pub(crate) fn of(&self, kind: &str) -> usize {
        self.counts.get(kind).copied().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// Tells, and asserts that nothing went missing.
    pub(crate) fn finish(&self, at_least: usize) {
        if let Some(path) = std::env::var_os("PIVOT_MODEL_COUNTS") {
            let line = json!({"test": self.test, "runs": self.total(), "kinds": self.counts});
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        assert!(self.total() >= at_least, "{} ran only {} times", self.test, self.total());
    }
}
