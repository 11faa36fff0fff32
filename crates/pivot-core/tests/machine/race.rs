//! Two pivots of the same clusters at the same time: the ownership records let one of them through.

use pivot_core::machine::{End, Side};
use pivot_core::record::FenceMode;
use proptest::prelude::*;

use crate::chance::Fate;
use crate::hand::Hand;
use crate::run::{PIVOT, Run, Setup};
use crate::tally::random;
use crate::world::small_world;

const OTHER: &str = "p2";

fn step(hand: &mut Hand, run: &mut Run, pick: usize) {
    if hand.begin() {
        hand.finish(&mut run.clusters, pick, Fate::Done);
    }
}

#[test]
pub(crate) fn one_of_two_pivots_is_let_through() {
    let cases = 3_000;
    let turns = prop::collection::vec((any::<bool>(), 0usize..4), 0..60);
    let all = (small_world(), any::<bool>(), 1usize..4, turns);
    let test = "race::one_of_two_pivots_is_let_through";
    let tally = random(test, cases, all, |(world, full, room, turns)| {
        let fence = if full { FenceMode::Full } else { FenceMode::Pause };
        let setup = Setup { room, ..Setup::new(fence, false) };
        let Some(mut run) = Run::new(&world, setup) else { return "cannot be moved".to_owned() };
        let mut first = run.hand.take().unwrap();
        let mut second = run.start(OTHER).unwrap();
        for (turn, pick) in turns {
            step(if turn { &mut first } else { &mut second }, &mut run, pick);
        }
        // Whoever is in the way of the other goes first from here on.
        while second.machine.end().is_none() {
            step(&mut second, &mut run, 0);
        }
        run.hand = Some(first);
        let end = run.drive(&[]);
        let other = second.machine.end().cloned().unwrap();
        let stepped_back = |end: &End| matches!(end, End::RolledBack { .. } | End::Failed { .. });
        let kind = match (&end, &other) {
            (End::Done { .. }, other) if stepped_back(other) => {
                run.assert_moved();
                "the first"
            }
            (end, End::Done { .. }) if stepped_back(end) => "the second",
            // Each has one of the clusters: both step back.
            (end, other) if stepped_back(end) && stepped_back(other) => {
                run.assert_undone_by_both();
                "neither"
            }
            (end, other) => panic!("{end:?} and {other:?}"),
        };
        assert!(!run.clusters.acts(Side::Source) || !run.clusters.acts(Side::Target));
        assert_eq!(run.clusters.is_committed(PIVOT), matches!(end, End::Done { .. }));
        assert_eq!(run.clusters.is_committed(OTHER), matches!(other, End::Done { .. }));
        kind.to_owned()
    });
    assert!(["the first", "the second", "neither"].iter().all(|kind| tally.of(kind) > 0));
    tally.finish(cases as usize);
}
