//! The user interrupts: back before the commit, on to the end after it.

use std::collections::BTreeSet;

use pivot_core::machine::{Active, End, Phase};
use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{Fixture, FixtureOptions};

use crate::content::{assert_not_written, assert_untouched_content, keys};
use crate::scene::{Run, Scene, begins};

async fn interrupted_at(scene: &Scene<'_>, phase: Phase) -> Run {
    let pivot = scene.there();
    let token = pivot.interrupt.clone();
    pivot
        .run_with(async |notice| {
            if begins(notice, phase) {
                token.cancel();
            }
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_commit_everything_is_undone() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "undone").await;
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    let moving: BTreeSet<_> = fixture.keys().collect();
    scene.load(&fixture).await;
    // One that is there already: the pivot neither makes nor takes it.
    scene.target.ensure_namespace(&scene.namespace).await.unwrap();
    let (before, namespace) = scene.dumps().await;
    for phase in [Phase::Lock, Phase::Quiesce, Phase::Snapshot, Phase::Stage, Phase::Verify] {
        let run = interrupted_at(&scene, phase).await;
        let End::RolledBack { phase: stood, interrupted: true, cause } = &run.end else {
            panic!("{phase}: {:?}\n{}", run.end, run.story())
        };
        assert!(*stood >= phase && *stood < Phase::Prepare, "{phase}: {stood}");
        assert!(cause.contains("interrupted"), "{cause}");
        assert_eq!((run.end.exit_code(), run.end.active()), (130, Active::Source));
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
    for phase in [Phase::Commit, Phase::Activate, Phase::Observe, Phase::Retire] {
        let scene = Scene::new(&assets, phase.name()).await;
        let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
        let moving: BTreeSet<_> = fixture.keys().collect();
        scene.load(&fixture).await;
        let run = interrupted_at(&scene, phase).await;
        assert_eq!(run.done().end, End::Done { moved: moving.len(), copied: 0 }, "{phase}");
        assert!(phase == Phase::Commit || run.warns("it goes on to the end"), "{phase}: {}", run.story());
        let (source, target) = scene.dumps().await;
        assert_eq!((keys(&target), keys(&source)), (moving, BTreeSet::new()), "{phase}");
    }
}
