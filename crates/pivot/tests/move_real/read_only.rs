//! `plan`, `check` and `move --dry-run` are a survey, and a survey writes nothing.

use pivot_testbed::assets_or_skip;
use pivot_testbed::dump::dump;
use pivot_testbed::fixture::{Fixture, FixtureOptions, bystanders};

use crate::content::assert_not_written;
use crate::garbage::await_garbage_collection;
use crate::quiet::Quiet;
use crate::scene::Scene;

#[tokio::test]
async fn a_survey_changes_no_resource_version_in_either_cluster() {
    let assets = assets_or_skip!();
    let quiet = Quiet::take(&assets).await;
    let scene = Scene::on(&quiet.pair, "survey").await;
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace).with_cluster_class());
    let moving = fixture.keys().count();
    scene.load(&fixture.with(bystanders(&scene.namespace))).await;
    // Both clusters are at rest: whatever they do by themselves is done.
    scene.target.ensure_namespace("survey-rest").await.unwrap();
    tokio::join!(
        await_garbage_collection(&scene.source, &scene.namespace),
        await_garbage_collection(&scene.target, "survey-rest")
    );
    let before = (dump(&scene.source).await.unwrap(), dump(&scene.target).await.unwrap());
    assert!(before.0.len() > moving);

    let survey = scene.there().survey().await;
    assert_eq!(survey.report().errors().next(), None);
    assert_eq!(survey.report().counts().moved, moving);
    let everything = scene.there().in_namespaces(None).survey().await;
    assert!(everything.report().counts().moved >= moving);

    assert_not_written(&before.0, &dump(&scene.source).await.unwrap());
    assert_not_written(&before.1, &dump(&scene.target).await.unwrap());
    quiet.give_back();
}
