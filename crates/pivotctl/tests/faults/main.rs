//! Pivots that are killed, cut off and opposed: a sample of the cases that `cargo xtask faults --all` runs to the last.

use std::path::Path;

use pivot_testbed::{
    assets_or_skip,
    faults::{self, Invariant, News, Plan},
};

/// How many cases run at least. Those that are in every sample are more.
const CASES: usize = 60;
/// Draws the sample. Another one draws other cases, which must end well too.
const SEED: u64 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn every_pivot_ends_in_one_of_the_two_good_ends() {
    let assets = assets_or_skip!();
    let plan = Plan { sample: Some(CASES), seed: SEED, lanes: 2, only: None, limit: None };
    let pivotctl = Path::new(env!("CARGO_BIN_EXE_pivotctl"));
    let tell = |news: News<'_>| {
        if let News::Over(verdict) = news
            && !verdict.violations.is_empty()
        {
            eprintln!("{}\n{:#?}", verdict.case, verdict);
        }
    };
    let report = faults::run(&assets, pivotctl, &plan, &tell).await.unwrap();
    println!("{}", report.summary());
    let broken: Vec<_> = report.failures().map(|verdict| (&verdict.case, &verdict.violations)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(report.verdicts.len() >= CASES, "{} cases of {}", report.verdicts.len(), Invariant::ALL.len());
}
