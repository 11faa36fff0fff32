//! Move, and move back.

use pivot_core::machine::End;
use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{Fixture, FixtureOptions};

use crate::scene::Scene;

#[tokio::test]
async fn a_cluster_goes_there_and_back() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "back").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let survey = scene.survey().await;
    for finding in &survey.report().findings {
        println!("{finding}");
    }
    for item in &survey.report().items {
        if item.key.namespace.as_deref() == Some(&scene.namespace) {
            println!("{} {} {}", item.action, item.key, item.reason);
        }
    }
    let (end, events) = scene.pivot().await;
    for event in &events {
        if !matches!(event.notice, pivot_core::machine::Notice::Progress { .. }) {
            println!("{:?} {:?}", event.elapsed, event.notice);
        }
    }
    assert!(matches!(end, End::Done { .. }), "{end:?}");
}
