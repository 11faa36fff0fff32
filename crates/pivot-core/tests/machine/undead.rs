//! A coordinator that was taken for dead at any instant, and goes on at any other.

use pivot_core::record::{FenceMode, Verb};

use crate::chance::Fate;
use crate::exhaustive::telling;
use crate::recover::TakeUp;
use crate::run::{Run, Setup};
use crate::tally::Tally;
use crate::world::fixed_worlds;

/// Steps of the second coordinator between two awakenings that are tried.
const STRIDE: usize = 3;

#[test]
pub(crate) fn wakes_at_any_instant() {
    let mut tally = Tally::new("undead::wakes_at_any_instant");
    for (name, world) in fixed_worlds().into_iter().take(2) {
        let setup = Setup { room: 4, ..Setup::new(FenceMode::Full, true) };
        for verb in [Verb::Resume, Verb::Rollback] {
            let mut slept = 0;
            'sleeps: loop {
                let mut woken = 0;
                loop {
                    let mut run = Run::new(&world, setup).unwrap();
                    for _ in 0..slept {
                        if run.step(run.well()).is_some() {
                            break 'sleeps;
                        }
                    }
                    let what =
                        format!("{name}, {verb:?}, asleep after {slept} effects, awake after {woken} more");
                    let Some(repelled) = telling(&what, || haunted(&mut run, verb, woken)) else { break };
                    tally.count(if repelled { "repelled" } else { "let pass" });
                    woken += STRIDE;
                }
                slept += 1;
            }
        }
    }
    assert!(tally.of("repelled") > 500, "{}", tally.of("repelled"));
    tally.finish(1_000);
}

/// `None` once the second coordinator has ended before it wakes.
fn haunted(run: &mut Run, verb: Verb, woken: usize) -> Option<bool> {
    let mut zombie = run.crash(0)?;
    zombie.is_zombie = true;
    run.take_up(TakeUp::new(verb)).ok()?;
    for _ in 0..woken {
        if run.step(run.well()).is_some() {
            return None;
        }
    }
    run.zombies.push(zombie);
    // It goes on until it ends by itself.
    for _ in 0..200 {
        run.haunt(0, Fate::Done);
    }
    let repelled = run.zombies[0].repelled > 0;
    let ending = run.come_to_an_end(verb);
    run.assert_ended(ending);
    Some(repelled)
}
