//! Coordinators that die at any time, in any trouble, and others that take the pivot up.

use std::time::Duration;

use pivot_core::machine::Retire;
use pivot_core::record::{FenceMode, Verb};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use crate::chance::{Choice, config, deadly, deadly_and_crowded, haunted, setup, silent, verb};
use crate::run::{Ending, Run, Setup};
use crate::tally::Tally;
use crate::world::{World, small_world};

/// A side that does not answer is soon given up for now.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tries one kind of life, and counts how it ended.
fn lives(
    test: &'static str,
    cases: u32,
    choices: impl Strategy<Value = Vec<Choice>>,
    adapt: impl Fn(Setup) -> Setup,
    judge: impl Fn(&Run, Ending),
) {
    let tally = std::cell::RefCell::new(Tally::new(test));
    let mut runner = TestRunner::new(config(cases));
    let all = (small_world(), setup(PATIENCE), choices, verb());
    let outcome = runner.run(&all, |(world, setup, choices, verb)| {
        let setup = adapt(setup);
        let ending = life(&world, setup, &choices, verb, &judge);
        let ending = ending.map_or_else(|| "cannot be moved".to_owned(), |ending| format!("{ending:?}"));
        tally.borrow_mut().count(&format!("{:?}: {ending}", setup.fence));
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let tally = tally.into_inner();
    tally.finish(cases as usize);
    for (ending, least) in [("Full: Moved", 20), ("Full: Undone", 20)] {
        assert!(tally.of(ending) * least > cases as usize, "{ending}: only {}", tally.of(ending));
    }
}

fn life(
    world: &World,
    setup: Setup,
    choices: &[Choice],
    verb: Verb,
    judge: impl Fn(&Run, Ending),
) -> Option<Ending> {
    let mut run = Run::new(world, setup)?;
    let ending = run.live(choices, verb);
    judge(&run, ending);
    if setup.retire == Retire::Keep && ending == Ending::Moved && run.clusters.undisturbed {
        run.finalize();
        run.assert_moved();
    }
    Some(ending)
}

#[test]
fn the_dead_are_followed() {
    lives("crash::the_dead_are_followed", 12_000, deadly(), |setup| setup, Run::assert_ended);
}

#[test]
fn the_dead_are_followed_among_people() {
    lives(
        "crash::the_dead_are_followed_among_people",
        8_000,
        deadly_and_crowded(),
        |setup| setup,
        Run::assert_ended,
    );
}

#[test]
fn a_side_falls_silent() {
    lives("crash::a_side_falls_silent", 8_000, silent(), |setup| setup, Run::assert_ended);
}

#[test]
fn the_undead_do_no_harm_behind_a_fence() {
    let fenced = |setup| Setup { fence: FenceMode::Full, ..setup };
    lives("crash::the_undead_do_no_harm_behind_a_fence", 8_000, haunted(), fenced, Run::assert_ended);
}
