//! One coordinator that nobody kills: trouble, people, refusals.

use std::time::Duration;

use pivot_core::machine::{Active, End, OnFailure, Retire};
use pivot_core::record::Verb;

use crate::chance::{anything, crowded, passing, setup};
use crate::run::{Ending, Run, Setup};
use crate::tally::random;
use crate::world::world;

/// Longer than all trouble of one run together.
const PATIENT: Duration = Duration::from_secs(3_600);
const CASES: u32 = 2_000;

#[test]
pub(crate) fn passing_trouble_changes_nothing() {
    let name = "ends::passing_trouble_changes_nothing";
    let tally = random(name, CASES, (world(), setup(PATIENT), passing()), |(world, setup, choices)| {
        let Some(mut run) = Run::new(&world, setup) else { return "cannot be moved".to_owned() };
        let end = run.drive(&choices);
        assert!(matches!(end, End::Done { .. }), "{end:?}");
        run.assert_moved();
        "moved".to_owned()
    });
    tally.finish(CASES as usize);
}

#[test]
pub(crate) fn it_is_moved_or_undone_whatever_people_do() {
    whatever_people_do("ends::it_is_moved_or_undone_whatever_people_do", CASES);
}

/// The same with other and more lives: some mistakes are met by few of them.
#[cfg(feature = "defects")]
pub(crate) fn it_is_moved_or_undone_whatever_many_people_do() {
    whatever_people_do("ends::it_is_moved_or_undone_whatever_many_people_do", 8 * CASES);
}

fn whatever_people_do(name: &'static str, cases: u32) {
    let tally = random(name, cases, (world(), setup(PATIENT), crowded()), |(world, setup, choices)| {
        let setup = Setup { on_failure: OnFailure::Rollback, retire: Retire::Delete, ..setup };
        let Some(mut run) = Run::new(&world, setup) else { return "cannot be moved".to_owned() };
        let end = run.drive(&choices);
        let ending = match &end {
            End::RolledBack { .. } => Ending::Undone,
            End::Done { .. } => Ending::Moved,
            End::CleanupPending { .. } => Ending::Kept,
            End::Suspended { interrupted: true, .. } => {
                let ending = run.settle(Verb::Rollback);
                assert!(ending == Ending::Undone || run.is_decided());
                ending
            }
            _ => panic!("{end:?}"),
        };
        assert!(ending != Ending::Kept || !run.clusters.undisturbed, "{end:?}");
        run.assert_ended(ending);
        format!("{ending:?}")
    });
    tally.finish(cases as usize);
}

#[test]
pub(crate) fn a_refusal_for_good_leaves_one_side_to_say_so() {
    let name = "ends::a_refusal_for_good_leaves_one_side_to_say_so";
    let lives = (world(), setup(Duration::from_secs(2)), anything());
    let tally = random(name, CASES, lives, |(world, setup, choices)| {
        let Some(mut run) = Run::new(&world, setup) else { return "cannot be moved".to_owned() };
        let end = run.drive(&choices);
        match &end {
            End::RolledBack { .. } => run.assert_undone(true),
            End::Done { .. } => run.assert_moved(),
            _ => run.assert_nothing_lost(),
        }
        // In doubt means that the record may say anything; and nobody acts while a decided pivot stands still.
        let in_doubt = matches!(end, End::InDoubt { .. });
        let decided = run.is_decided();
        let says_so = match end.active() {
            Active::Source => !decided,
            Active::Target => decided,
            Active::Neither => true,
        };
        assert!(in_doubt || says_so, "{end:?} in {}", run.phase());
        let ended = matches!(end, End::CleanupPending { .. } | End::Done { .. });
        assert!(!ended || decided, "{end:?}");
        format!("{:?}", end.active())
    });
    tally.finish(CASES as usize);
}
