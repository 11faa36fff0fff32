//! Every effect of a few pivots, and everything that may become of it.

use std::time::Duration;

use pivot_core::machine::{Act, End, Side};
use pivot_core::record::{Attested, NoCourse, State, Verb};

use crate::chance::{Choice, Fate};
use crate::exhaustive::{telling, ways};
use crate::recover::{TakeUp, Taken};
use crate::run::{Ending, Run, Setup};
use crate::tally::Tally;
use crate::world::{World, fixed_worlds};

/// A pivot of which this many effects went well; `None` once there are no more.
fn begun(world: &World, setup: Setup, effects: usize) -> Option<Run> {
    let mut run = Run::new(world, setup).expect("a fixed world moves");
    for _ in 0..effects {
        if run.step(run.well()).is_some() {
            return None;
        }
    }
    run.hand.as_mut().unwrap().begin().then_some(run)
}

fn each(
    test: &'static str,
    at_least: usize,
    adapt: impl Fn(Setup) -> Setup,
    mut go: impl FnMut(&dyn Fn() -> Run, &mut Tally),
) {
    let mut tally = Tally::new(test);
    for (name, world) in fixed_worlds() {
        for setup in ways().map(&adapt) {
            let mut effects = 0;
            while begun(&world, setup, effects).is_some() {
                let what =
                    format!("{name}, {:?}, pre-copy {}, effect {effects}", setup.fence, setup.pre_copy);
                telling(&what, || go(&|| begun(&world, setup, effects).unwrap(), &mut tally));
                effects += 1;
            }
        }
    }
    tally.finish(at_least);
}

fn what(run: &Run) -> &'static str {
    match run.hand.as_ref().unwrap().in_flight[0].act {
        Act::Write(_) => "write",
        Act::Read { .. } => "read",
        Act::Canary { .. } => "canary",
        Act::Ironic { .. } => "ironic",
        Act::Watch | Act::Unwatch => "watch",
        Act::Inventory { .. }
        | Act::ListTarget(_)
        | Act::Glance { .. }
        | Act::Pods { .. }
        | Act::Occupants(_) => "list",
    }
}

#[test]
pub(crate) fn whatever_becomes_of_an_effect() {
    each(
        "fates::whatever_becomes_of_an_effect",
        2_500,
        |setup| setup,
        |begin, tally| {
            for fate in [Fate::Busy, Fate::Lost, Fate::Broken, Fate::Conflict, Fate::Denied] {
                for verb in [Verb::Resume, Verb::Rollback] {
                    let mut run = begin();
                    let kind = what(&run);
                    run.step(Choice::Effect(0, fate));
                    let ending = run.come_to_an_end(verb);
                    if fate != Fate::Denied {
                        assert_eq!(ending, Ending::Moved, "{fate:?}");
                    }
                    run.assert_ended(ending);
                    tally.count(&format!("{fate:?} {kind}"));
                }
            }
        },
    );
}

/// For a while: it waits. For longer than it is patient: it stands still or goes back, and one more command brings it to an end.
#[test]
pub(crate) fn a_side_is_silent_for_a_while() {
    let impatient = |setup| Setup { patience: Duration::from_secs(2), ..setup };
    each("fates::a_side_is_silent_for_a_while", 2_500, impatient, |begin, tally| {
        for side in [Side::Source, Side::Target] {
            for (effects, verb) in [(3, Verb::Resume), (1_000, Verb::Resume), (1_000, Verb::Rollback)] {
                let mut run = begin();
                run.clusters.silent.insert(side);
                let mut end = None;
                for _ in 0..effects {
                    end = run.step(run.well());
                    if end.is_some() {
                        break;
                    }
                }
                assert!(effects == 3 || end.is_some(), "it does not give up");
                if let Some(end) = &end {
                    is_honest(&run, end);
                    run.hand = None;
                }
                run.clusters.silent.clear();
                let ending = run.come_to_an_end(verb);
                run.assert_ended(ending);
                tally.count(&format!(
                    "{side} silent, {}",
                    if effects == 3 { "soon back" } else { "given up" }
                ));
            }
        }
    });
}

/// What it says of itself is true.
fn is_honest(run: &Run, end: &End) {
    use pivot_core::machine::Active;
    let decided = run.is_decided();
    match end {
        End::Done { .. } => run.assert_moved(),
        End::RolledBack { .. } => run.assert_undone(false),
        End::InDoubt { .. } => {}
        end => match end.active() {
            Active::Source => assert!(!decided && !run.clusters.acts(Side::Target), "{end:?}"),
            Active::Target => assert!(decided && !run.clusters.acts(Side::Source), "{end:?}"),
            Active::Neither => {}
        },
    }
}

/// A dead target: the source comes back once a person says so, whatever was undecided.
#[test]
pub(crate) fn the_target_is_gone_for_good() {
    let impatient = |setup| Setup { patience: Duration::from_secs(2), ..setup };
    each("fates::the_target_is_gone_for_good", 800, impatient, |begin, tally| {
        let mut run = begin();
        let decided = run.is_decided();
        run.crash(0);
        run.clusters.silent.insert(Side::Target);
        let was_prepared = run.clusters.history(crate::run::PIVOT).prepared;
        let mut how = TakeUp { patience: Duration::from_secs(2), ..TakeUp::new(Verb::Rollback) };
        match run.take_up(how) {
            Err(Taken::Not(NoCourse::InDoubt(_))) => assert!(was_prepared),
            Err(Taken::Not(NoCourse::NoPivot | NoCourse::TargetUnreachable) | Taken::Ended(_)) => {}
            Err(Taken::Not(NoCourse::Decided)) => assert!(decided),
            Ok(()) => {
                assert!(!was_prepared, "a prepared source is opened without the target's word");
                let end = run.drive(&[]);
                assert!(matches!(end, End::Suspended { .. }), "{end:?}");
                is_honest(&run, &end);
                assert!(run.clusters.acts(Side::Source), "the source does not act");
            }
            _ => panic!("no word of what is missing"),
        }
        run.hand = None;
        how.attested = Attested { target_dead: true, ..Attested::default() };
        match run.take_up(how) {
            Ok(()) => {
                let end = run.drive(&[]);
                assert!(matches!(end, End::RolledBack { .. }), "{end:?}");
                // What was decided and retired is lost with the target.
                if !decided {
                    run.assert_source_as_it_was();
                }
            }
            Err(Taken::Ended(_) | Taken::Not(NoCourse::NoPivot)) => {}
            Err(Taken::Not(reason)) => assert!(decided, "{reason}"),
            _ => panic!("it cannot be rolled back"),
        }
        comes_back(&mut run, decided);
        tally.count(if decided { "decided" } else { "undecided" });
    });
}

/// It was not dead at all. What it holds of an undecided pivot is cleaned; where both sides say that they act nobody goes on.
fn comes_back(run: &mut Run, decided: bool) {
    run.clusters.silent.clear();
    let state = run.clusters.state(Side::Source, crate::run::PIVOT);
    if decided && matches!(state, Some(State::Aborting | State::Aborted)) {
        for verb in [Verb::Resume, Verb::Rollback] {
            let refused = matches!(run.take_up(TakeUp::new(verb)), Err(Taken::Not(NoCourse::InDoubt(_))));
            assert!(refused, "{verb:?} goes on where both sides act");
        }
    } else if !decided {
        run.clusters.dead.clear();
        let ending = run.settle(Verb::Rollback);
        run.assert_ended(ending);
    }
}

/// A dead source: the target completes what it has whole, once a person says so; else it is cleaned.
#[test]
pub(crate) fn the_source_is_gone_for_good() {
    let impatient = |setup| Setup { patience: Duration::from_secs(2), ..setup };
    each("fates::the_source_is_gone_for_good", 800, impatient, |begin, tally| {
        let mut run = begin();
        run.crash(0);
        run.clusters.silent.insert(Side::Source);
        let decided = run.is_decided();
        for verb in [Verb::Resume, Verb::Rollback] {
            if !decided {
                let refused = matches!(run.take_up(TakeUp::new(verb)), Err(Taken::Not(_)));
                assert!(refused, "{verb:?} goes on although the source may live");
            }
        }
        let how = TakeUp {
            patience: Duration::from_secs(2),
            attested: Attested { source_dead: true, ..Attested::default() },
            ..TakeUp::new(Verb::Resume)
        };
        let kind = match run.take_up(how) {
            Ok(()) => {
                let end = run.drive(&[]);
                assert!(matches!(end, End::Done { .. }), "{end:?}");
                run.assert_moved();
                "completed from the snapshot"
            }
            Err(Taken::Ended(true)) => "had ended",
            Err(Taken::Not(NoCourse::NoSnapshot)) => {
                assert!(!decided);
                assert!(
                    run.take_up(TakeUp { verb: Verb::Rollback, ..how }).is_ok(),
                    "the target cannot be cleaned"
                );
                let end = run.drive(&[]);
                assert!(matches!(end, End::RolledBack { .. }), "{end:?}");
                run.assert_target_as_it_was(false);
                "target cleaned"
            }
            Err(Taken::Not(NoCourse::SourceUnreachable | NoCourse::NoPivot)) => {
                assert!(run.clusters.record(Side::Target, crate::run::PIVOT).is_none());
                "the target knows nothing"
            }
            _ => panic!("no word of what is missing"),
        };
        tally.count(kind);
    });
}

/// People who edit, remove, add, pause and unpause in the source, and take names and objects in the target.
#[test]
pub(crate) fn people_go_on_working() {
    each(
        "fates::people_go_on_working",
        5_000,
        |setup| setup,
        |begin, tally| {
            for n in 0..2 {
                let deeds = [
                    ("edit", Choice::Edit(n)),
                    ("remove", Choice::Remove(n)),
                    ("add", Choice::Add(n)),
                    ("pause", Choice::Pause(n)),
                    ("unpause", Choice::Unpause(n)),
                    ("squat", Choice::Squat(n)),
                    ("usurp", Choice::Usurp(n)),
                    ("intrude", Choice::Intrude(n)),
                    ("interrupt", Choice::Interrupt),
                ];
                for (name, deed) in deeds {
                    let mut run = begin();
                    run.step(deed);
                    let ending = run.come_to_an_end(Verb::Rollback);
                    telling(name, || run.assert_ended(ending));
                    tally.count(&format!("{name}: {ending:?}"));
                }
            }
        },
    );
}
