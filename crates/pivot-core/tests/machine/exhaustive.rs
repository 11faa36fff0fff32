//! Every instant of a few pivots: the coordinator dies before and after each write, and whoever takes the pivot up dies before and
//! after each write of theirs.
//!
//! Nothing but what the servers hold survives a coordinator, so that an instant is a state of both servers: before a write, and
//! after it with the answer seen by nobody.

use pivot_core::machine::{Act, End, Phase, Retire};
use pivot_core::record::{FenceMode, Verb};

use crate::chance::Fate;
use crate::clusters::Clusters;
use crate::ironic;
use crate::recover::TakeUp;
use crate::run::{Ending, Run, Setup};
use crate::tally::Tally;
use crate::world::{World, fixed_worlds};

const VERBS: [Verb; 2] = [Verb::Resume, Verb::Rollback];

/// All instants of a pivot from where it stands to its end, and the phase of each.
pub(crate) fn instants(run: &mut Run) -> Vec<(Phase, Clusters)> {
    let mut instants = Vec::new();
    loop {
        let phase = run.phase();
        let hand = run.hand.as_mut().unwrap();
        if !hand.begin() {
            instants.push((phase, run.clusters.clone()));
            return instants;
        }
        match &hand.in_flight[0].act {
            Act::Write(_) => instants.push((phase, run.clusters.clone())),
            Act::Ironic { side, job } => {
                instants.push((phase, run.clusters.clone()));
                // A job with a machine is many commands: half of them are done.
                let mut half = run.clusters.clone();
                ironic::perform(&mut half, &hand.id, (*side, job), Fate::Broken);
                instants.push((phase, half));
            }
            _ => {}
        }
        if hand.sightings.is_empty() {
            hand.finish(&mut run.clusters, 0, Fate::Done);
        } else {
            hand.sight();
        }
    }
}

pub(crate) fn ways() -> impl Iterator<Item = Setup> {
    let full = [false, true].map(|pre_copy| Setup::new(FenceMode::Full, pre_copy));
    full.into_iter().chain([Setup::new(FenceMode::Pause, false)])
}

fn told(name: &str, setup: &Setup, at: &[(Phase, usize, Verb)]) -> String {
    format!("{name}, fence {:?}, pre-copy {}, left at {at:?}", setup.fence, setup.pre_copy)
}

/// Runs with a message for where it failed.
pub(crate) fn telling<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    outcome.unwrap_or_else(|panic| {
        let cause = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("a panic without words");
        panic!("{what}: {cause}");
    })
}

/// The end that a verb must lead to from an instant.
fn expected(verb: Verb, committed: bool, started: bool) -> &'static [Ending] {
    match (verb, committed) {
        (_, true) => &[Ending::Moved],
        // Nobody knows of a pivot of which nothing was written, and one that was called off goes back.
        (Verb::Resume, false) if started => &[Ending::Moved, Ending::Undone],
        (Verb::Rollback | Verb::Resume, false) => &[Ending::Undone],
    }
}

fn once(world: &World, setup: Setup, clusters: &Clusters, verb: Verb) -> Ending {
    let committed = clusters.is_committed(crate::run::PIVOT);
    let started = clusters.record(pivot_core::machine::Side::Source, crate::run::PIVOT).is_some();
    let mut run = Run::left(world, setup, clusters.clone());
    let ending = run.settle(verb);
    run.assert_ended(ending);
    assert!(expected(verb, committed, started).contains(&ending), "{verb:?} led to {ending:?}");
    // Asking again does no harm.
    let before = (run.clusters.source.revision, run.clusters.target.revision);
    run.settle(verb);
    assert_eq!(
        before,
        (run.clusters.source.revision, run.clusters.target.revision),
        "again, something was written"
    );
    ending
}

#[test]
pub(crate) fn left_at_any_instant() {
    let mut tally = Tally::new("exhaustive::left_at_any_instant");
    for (name, world) in fixed_worlds() {
        for setup in ways() {
            let mut first = Run::new(&world, setup).expect("a fixed world moves");
            for (number, (phase, clusters)) in instants(&mut first).into_iter().enumerate() {
                for verb in VERBS {
                    let what = told(name, &setup, &[(phase, number, verb)]);
                    let ending = telling(&what, || once(&world, setup, &clusters, verb));
                    if verb == Verb::Resume && number > 0 {
                        assert_eq!(ending, Ending::Moved, "{what}");
                    }
                    tally.count(&format!("{verb:?} from {phase}"));
                }
            }
            assert!(matches!(first.hand.unwrap().machine.end(), Some(End::Done { .. })));
        }
    }
    tally.finish(1_000);
}

/// The second coordinator dies as well.
fn left_twice(test: &'static str, verbs: [Verb; 2], at_least: usize) {
    let mut tally = Tally::new(test);
    let [first_verb, second_verb] = verbs;
    for (name, world) in fixed_worlds() {
        for setup in ways() {
            let mut first = Run::new(&world, setup).expect("a fixed world moves");
            for (number, (phase, clusters)) in instants(&mut first).into_iter().enumerate() {
                let mut second = Run::left(&world, setup, clusters);
                if second.take_up(TakeUp::new(first_verb)).is_err() {
                    continue;
                }
                for (again, (phase_again, clusters)) in instants(&mut second).into_iter().enumerate() {
                    let at = [(phase, number, first_verb), (phase_again, again, second_verb)];
                    let what = told(name, &setup, &at);
                    telling(&what, || once(&world, setup, &clusters, second_verb));
                    tally.count(&format!("{first_verb:?} from {phase}, then {second_verb:?}"));
                }
            }
        }
    }
    tally.finish(at_least);
}

#[test]
pub(crate) fn left_while_it_is_resumed_and_resumed() {
    left_twice("exhaustive::left_while_it_is_resumed_and_resumed", [Verb::Resume, Verb::Resume], 1);
}

#[test]
pub(crate) fn left_while_it_is_resumed_and_rolled_back() {
    left_twice("exhaustive::left_while_it_is_resumed_and_rolled_back", [Verb::Resume, Verb::Rollback], 1);
}

#[test]
pub(crate) fn left_while_it_is_rolled_back_and_resumed() {
    left_twice("exhaustive::left_while_it_is_rolled_back_and_resumed", [Verb::Rollback, Verb::Resume], 1);
}

#[test]
pub(crate) fn left_while_it_is_rolled_back_and_rolled_back() {
    left_twice(
        "exhaustive::left_while_it_is_rolled_back_and_rolled_back",
        [Verb::Rollback, Verb::Rollback],
        1,
    );
}

/// `--retire=keep`, then `finalize`, which dies, and is asked for again or resumed.
#[test]
pub(crate) fn left_while_it_is_finalized() {
    let mut tally = Tally::new("exhaustive::left_while_it_is_finalized");
    for (name, world) in fixed_worlds() {
        for setup in ways().map(|setup| Setup { retire: Retire::Keep, ..setup }) {
            let mut first = Run::new(&world, setup).expect("a fixed world moves");
            assert_eq!(first.come_to_an_end(Verb::Resume), Ending::Moved);
            first.assert_moved();
            let mut second = Run::left(&world, setup, first.clusters);
            let close = TakeUp { close: true, ..TakeUp::new(Verb::Resume) };
            assert!(second.take_up(close).is_ok(), "{name}: there is nothing to finalize");
            for (number, (phase, clusters)) in instants(&mut second).into_iter().enumerate() {
                for resumed in [false, true] {
                    telling(&told(name, &setup, &[(phase, number, Verb::Resume)]), || {
                        let mut run = Run::left(&world, setup, clusters.clone());
                        if resumed {
                            assert_eq!(run.settle(Verb::Resume), Ending::Moved);
                        }
                        run.finalize();
                        run.assert_moved();
                    });
                    tally.count(if resumed { "resumed, then finalized" } else { "finalized again" });
                }
            }
        }
    }
    tally.finish(200);
}
