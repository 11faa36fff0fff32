//! Coordinators that die at any time, in any trouble, and others that take the pivot up.

use std::time::Duration;

use pivot_core::machine::Retire;
use pivot_core::record::{FenceMode, Verb};
use proptest::prelude::*;

use crate::chance::{Choice, Fate, deadly, deadly_and_crowded, haunted, setup, silent, verb};
use crate::run::{Ending, Run, Setup};
use crate::tally::random;
use crate::world::{World, fixed_worlds, small_world};

/// A side that does not answer is soon given up for now.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tries one kind of life, and counts how it ended.
fn lives(
    test: &'static str,
    cases: u32,
    choices: impl Strategy<Value = Vec<Choice>>,
    adapt: impl Fn(Setup) -> Setup,
) {
    let all = (small_world(), setup(PATIENCE), choices, verb());
    let tally = random(test, cases, all, |(world, setup, choices, verb)| {
        let setup = adapt(setup);
        let ending = life(&world, setup, &choices, verb);
        let ending = ending.map_or_else(|| "cannot be moved".to_owned(), |ending| format!("{ending:?}"));
        format!("{:?}: {ending}", setup.fence)
    });
    tally.finish(cases as usize);
    for ending in ["Full: Moved", "Full: Undone"] {
        assert!(tally.of(ending) * 20 > cases as usize, "{ending}: only {}", tally.of(ending));
    }
}

fn life(world: &World, setup: Setup, choices: &[Choice], verb: Verb) -> Option<Ending> {
    let mut run = Run::new(world, setup)?;
    let ending = run.live(choices, verb);
    run.assert_ended(ending);
    if setup.retire == Retire::Keep && ending == Ending::Moved && run.clusters.undisturbed {
        run.finalize();
        run.assert_moved();
    }
    Some(ending)
}

#[test]
pub(crate) fn the_dead_are_followed() {
    lives("crash::the_dead_are_followed", 12_000, deadly(), |setup| setup);
}

#[test]
pub(crate) fn the_dead_are_followed_among_people() {
    lives("crash::the_dead_are_followed_among_people", 8_000, deadly_and_crowded(), |setup| setup);
}

#[test]
pub(crate) fn a_side_falls_silent() {
    lives("crash::a_side_falls_silent", 8_000, silent(), |setup| setup);
}

#[test]
pub(crate) fn the_undead_do_no_harm_behind_a_fence() {
    let fenced = |setup| Setup { fence: FenceMode::Full, ..setup };
    lives("crash::the_undead_do_no_harm_behind_a_fence", 8_000, haunted(), fenced);
}

/// A chunk of the snapshot that arrives while the new fence is not yet in force, of a coordinator that was followed by one that fails.
#[test]
fn what_the_undead_wrote_before_the_fence_knew_of_them_goes_too() {
    let (_, world) = fixed_worlds().swap_remove(0);
    let setup = Setup { room: 2, patience: PATIENCE, ..Setup::new(FenceMode::Full, false) };
    let well = Choice::Effect(0, Fate::Done);
    let mut tried = 0;
    for slept in 0..40 {
        for woken in 0..12 {
            let mut run = Run::new(&world, setup).unwrap();
            if (0..slept).any(|_| run.step(well).is_some()) {
                break;
            }
            let mut choices = vec![Choice::Crash { applied: 0, verb: Verb::Resume, zombie: true }];
            choices.extend(vec![well; woken]);
            choices.extend([0, 1].map(|pick| Choice::Zombie(pick, Fate::Done)));
            choices.extend([well; 4]);
            choices.extend([Choice::Effect(0, Fate::Busy); 8]);
            let ending = run.live(&choices, Verb::Resume);
            run.assert_ended(ending);
            tried += 1;
        }
    }
    assert!(tried > 200, "only {tried}");
}
