//! The user interrupts: the pivot stands still, and goes on or back when somebody comes back to it.

use std::collections::BTreeSet;

use pivot_core::machine::{Active, End, Phase};
use pivot_core::record::Verb;
use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{Fixture, FixtureOptions};

use crate::content::{assert_not_written, assert_untouched_content, keys};
use crate::pivot::{Pivot, Run, Turn, begins};
use crate::scene::Scene;

async fn interrupted_at(pivot: &Pivot<'_>, turn: &Turn, phase: Phase) -> Run {
    let token = pivot.interrupt.clone();
    let stop = async |notice: &_| {
        if begins(notice, phase) {
            token.cancel();
        }
    };
    pivot.run_with_in(turn, stop).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_commit_everything_can_be_undone() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "undone").await;
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    let moving: BTreeSet<_> = fixture.keys().collect();
    scene.load(&fixture).await;
    // One that is there already: the pivot neither makes nor takes it.
    scene.target.ensure_namespace(&scene.namespace).await.unwrap();
    let (before, namespace) = scene.dumps().await;
    for phase in [Phase::Lock, Phase::PreCopy, Phase::Quiesce, Phase::Stage, Phase::Verify] {
        let pivot = scene.there();
        let turn = pivot.turn().await;
        let run = interrupted_at(&pivot, &turn, phase).await;
        let stood = run.interrupted();
        assert!(stood >= phase && stood < Phase::Prepare, "{phase}: {stood}");
        let acts = if stood < Phase::Quiesce { Active::Source } else { Active::Neither };
        assert_eq!(run.end.active(), acts, "{phase}");
        let cause = pivot.take_up(&turn, Verb::Rollback).await.rolled_back().1.to_owned();
        assert!(cause.contains("rollback was asked for"), "{phase}: {cause}");
        let (source, target) = scene.dumps().await;
        assert_untouched_content(&before, &source);
        assert_eq!(keys(&target), BTreeSet::new(), "{phase}");
        assert_not_written(
            &namespace.filter(|key| key.kind == "Namespace"),
            &target.filter(|key| key.kind == "Namespace"),
        );
    }
    // And none of that stands in the way of a pivot.
    assert_eq!(scene.there().run().await.done().end, End::Done { moved: moving.len(), copied: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_commit_it_goes_on_to_the_end() {
    let assets = assets_or_skip!();
    for phase in [Phase::Activate, Phase::Observe, Phase::Retire] {
        let scene = Scene::new(&assets, phase.name()).await;
        let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
        let moving: BTreeSet<_> = fixture.keys().collect();
        scene.load(&fixture).await;
        let pivot = scene.there();
        let turn = pivot.turn().await;
        let run = interrupted_at(&pivot, &turn, phase).await;
        assert_eq!(run.interrupted(), phase);
        let acts = if phase == Phase::Activate { Active::Neither } else { Active::Target };
        assert_eq!(run.end.active(), acts, "{phase}");
        let resumed = pivot.take_up(&turn, Verb::Resume).await;
        assert_eq!(resumed.done().end, End::Done { moved: moving.len(), copied: 0 }, "{phase}");
        let (source, target) = scene.dumps().await;
        assert_eq!((keys(&target), keys(&source)), (moving, BTreeSet::new()), "{phase}");
    }
}
