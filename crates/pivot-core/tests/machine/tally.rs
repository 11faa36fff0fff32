//! What was tried, counted; `PIVOT_MODEL_COUNTS=FILE` appends one line of JSON for each test to a file, from which docs are made.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;

use pivot_core::machine::Defect;
use proptest::strategy::Strategy;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::json;

use crate::chance::config;

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
        // With a mistake on purpose that is no finding: another machine takes other steps.
        assert!(
            Defect::is_any_made() || self.total() >= at_least,
            "{} ran only {} times",
            self.test,
            self.total()
        );
    }
}

/// The same lives in every run, unless `PIVOT_MODEL_SEED` asks for others: a test fails because of what changed, and not by chance.
fn chance() -> TestRng {
    let asked = std::env::var("PIVOT_MODEL_SEED").ok().and_then(|text| text.parse::<u64>().ok());
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&asked.unwrap_or(1).to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &seed)
}

/// Tries this many random lives, and counts them by what each says of itself. One that fails is made as small as it can be.
pub(crate) fn random<S: Strategy>(
    test: &'static str,
    cases: u32,
    lives: S,
    live: impl Fn(S::Value) -> String,
) -> Tally {
    let tally = RefCell::new(Tally::new(test));
    let outcome = TestRunner::new_with_rng(config(cases), chance()).run(&lives, |life| {
        let kind = live(life);
        tally.borrow_mut().count(&kind);
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    tally.into_inner()
}
