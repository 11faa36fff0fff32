//! The fence of a whole move, as it is derived from a survey.

use std::collections::BTreeSet;

use pivot::survey::survey;
use pivot_core::fence::FenceScope;
use pivot_core::machine::Side;
use pivot_core::record::FenceMode;
use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use serde_json::json;

use crate::scene::{Scene, merge};

#[tokio::test]
async fn a_server_takes_the_fence_of_a_whole_move() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "whole").await;
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace));
    let objects = fixture::load(&scene.admin, &fixture).await.unwrap();
    let survey = survey(&scene.others, None, &scene.options(FenceMode::Pause)).await.unwrap();
    let scope = FenceScope::of(survey.blueprint(), Side::Source);
    let by_name: BTreeSet<&str> =
        scope.rules.iter().filter(|rule| rule.names.is_some()).map(|rule| rule.plural.as_str()).collect();
    assert!(by_name.iter().all(|plural| matches!(*plural, "secrets" | "configmaps")), "{by_name:?}");
    scene.raise(&scope, "t1").await;
    let note = json!({"metadata": {"annotations": {"note": "changed"}}});
    let moved: Vec<_> = survey.blueprint().staged_objects().collect();
    assert!(moved.len() > 30, "{}", moved.len());
    for (_, object) in moved {
        let kind = survey.blueprint().source.inventory.kinds.get(&object.key.kind).unwrap();
        let version = survey.blueprint().versions[&object.key.kind].as_str();
        let namespace = object.key.namespace.as_deref();
        let path = pivot::cluster::resource_path(kind, version, namespace, Some(&object.key.name), None);
        let failure = merge(&scene.others, &path, &note).await.map(drop).expect_err(&path);
        assert_eq!(failure.fenced_by(), Some(scene.id.as_str()), "{path}: {failure}");
    }
    assert!(!objects.is_empty());
    scene.lower().await;
}
