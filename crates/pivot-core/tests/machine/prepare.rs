//! Trouble around the decision: a change of the source just before it, and a record whose answer never comes.

use std::time::Duration;

use pivot_core::machine::{Active, End, Phase};
use pivot_core::record::FenceMode;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::chance::{Choice, Fate};
use crate::run::{Run, Setup};
use crate::world::world;

#[test]
fn it_is_undone_while_nobody_has_said_yes() {
    let mut runner = TestRunner::deterministic();
    let mut seen = 0;
    for _ in 0..50 {
        let world = world().new_tree(&mut runner).unwrap().current();
        let setup = Setup { room: 4, ..Setup::new(FenceMode::Pause, false) };
        let Some(mut run) = Run::new(&world, setup) else { continue };
        while run.phase() < Phase::Prepare {
            assert!(run.step(Choice::Effect(0, Fate::Done)).is_none());
        }
        for n in 0..10 {
            run.step(Choice::Edit(n));
        }
        for _ in 0..10 {
            run.step(Choice::Sighting);
        }
        let end = run.drive(&[]);
        let End::RolledBack { phase: Phase::Prepare, cause, .. } = &end else { panic!("{end:?}") };
        assert!(cause.contains("after it was compared"), "{cause}");
        run.assert_undone(false);
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

/// Committed or not: nobody may act, and nobody may say who does.
#[test]
fn a_decision_without_an_answer_is_a_doubt() {
    for fate in [Fate::Lost, Fate::Broken] {
        let mut runner = TestRunner::deterministic();
        let mut seen = 0;
        for _ in 0..50 {
            let world = world().new_tree(&mut runner).unwrap().current();
            let patience = Duration::from_secs(2);
            let setup = Setup { room: 4, patience, ..Setup::new(FenceMode::Full, true) };
            let Some(mut run) = Run::new(&world, setup) else { continue };
            while run.phase() < Phase::Commit {
                assert!(run.step(Choice::Effect(0, Fate::Done)).is_none());
            }
            let end = run.drive(&[Choice::Effect(0, fate); 20]);
            assert!(matches!(end, End::InDoubt { .. }), "{end:?}");
            assert_eq!(end.active(), Active::Neither);
            assert_eq!(run.is_decided(), fate == Fate::Lost);
            seen += 1;
        }
        assert!(seen > 20, "{seen}");
    }
}
