//! One coordinator that nobody kills: trouble, people, refusals.

use std::time::Duration;

use pivot_core::machine::{Active, End, OnFailure, Retire};
use proptest::prelude::*;

use crate::chance::{anything, config, crowded, passing, setup};
use crate::run::{Ending, Run, Setup};
use crate::world::world;

/// Longer than all trouble of one run together.
const PATIENT: Duration = Duration::from_secs(3_600);

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn passing_trouble_changes_nothing(world in world(), setup in setup(PATIENT), choices in passing()) {
        let Some(mut run) = Run::new(&world, setup) else { return Ok(()) };
        let end = run.drive(&choices);
        prop_assert!(matches!(end, End::Done { .. }), "{end:?}");
        run.assert_moved();
    }

    #[test]
    fn it_is_moved_or_undone_whatever_people_do(world in world(), setup in setup(PATIENT), choices in crowded()) {
        let setup = Setup { on_failure: OnFailure::Rollback, retire: Retire::Delete, ..setup };
        let Some(mut run) = Run::new(&world, setup) else { return Ok(()) };
        let end = run.drive(&choices);
        match &end {
            End::RolledBack { .. } => run.assert_undone(false),
            End::Done { .. } if run.clusters.undisturbed => run.assert_moved(),
            End::Done { .. } => run.assert_nothing_lost(),
            End::CleanupPending { .. } => {
                prop_assert!(!run.clusters.undisturbed, "{end:?}");
                run.assert_nothing_lost();
            }
            End::Suspended { interrupted: true, .. } => {
                let ending = run.settle(pivot_core::record::Verb::Rollback);
                prop_assert!(ending == Ending::Undone || run.is_decided());
                run.assert_ended(ending);
            }
            _ => prop_assert!(false, "{end:?}"),
        }
    }

    #[test]
    fn a_refusal_for_good_leaves_one_side_to_say_so(world in world(), setup in setup(Duration::from_secs(2)), choices in anything()) {
        let Some(mut run) = Run::new(&world, setup) else { return Ok(()) };
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
        prop_assert!(in_doubt || says_so, "{:?} in {}", &end, run.phase());
        let ended = matches!(end, End::CleanupPending { .. } | End::Done { .. });
        prop_assert!(!ended || decided, "{:?}", end);
    }
}
