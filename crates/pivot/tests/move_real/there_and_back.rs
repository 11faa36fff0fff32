//! Move, and move back: what is there afterwards says what was there before.

use std::collections::{BTreeMap, BTreeSet};

use pivot_core::machine::End;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::PlaneClient;
use pivot_testbed::dump::{Dump, Key};
use pivot_testbed::fixture::{Fixture, FixtureOptions, bystanders};
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::Pair;
use serde_json::{Value, json};

use crate::content::{applied_fields, assert_not_written, assert_same, is_of_the_cluster, keys, managers};
use crate::garbage::await_garbage_collection;
use crate::pivot::Run;
use crate::scene::Scene;

#[tokio::test]
async fn a_cluster_goes_there_and_back() {
    let assets = assets_or_skip!();
    let scene = Scene::on(Pair::shared(&assets).await.unwrap(), "back").await;
    there_and_back(&scene, FixtureOptions::small().in_namespace(&scene.namespace)).await;
}

#[tokio::test]
async fn a_cluster_of_a_class_goes_there_and_back() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "class").await;
    there_and_back(&scene, FixtureOptions::small().in_namespace(&scene.namespace).with_cluster_class()).await;
}

#[tokio::test]
async fn what_no_controller_has_seen_yet_is_news_in_the_target_too() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "behind").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    // What makes Machines would not be moved before its controller has seen it.
    let patch = json!({"spec": {"deletion": {"nodeDrainTimeoutSeconds": 10}}});
    let changed = scene.patch(Gvk::MACHINE, "test1-md-0-0000", &patch).await;
    let observed = |object: &Value| object["status"]["observedGeneration"].as_i64().unwrap_or_default();
    assert!(observed(&changed) < changed["metadata"]["generation"].as_i64().unwrap());
    scene.there().run().await.done();
    let moved = scene.in_target(Gvk::MACHINE, "test1-md-0-0000").await.unwrap();
    assert!(observed(&moved) < moved["metadata"]["generation"].as_i64().unwrap());
    let seen = scene.in_target(Gvk::MACHINE_SET, "test1-md-0-7b9f4").await.unwrap();
    assert_eq!(Some(observed(&seen)), seen["metadata"]["generation"].as_i64());
}

async fn there_and_back(scene: &Scene<'_>, options: FixtureOptions) {
    let fixture = Fixture::new(options);
    let moving: BTreeSet<Key> = fixture.keys().collect();
    scene.load(&fixture.with(bystanders(&scene.namespace))).await;
    let (before, elsewhere) = scene.dumps().await;
    assert_eq!(keys(&elsewhere), BTreeSet::new());
    let moved_before = before.filter(|key| moving.contains(key));
    let beside = |dump: &Dump| dump.filter(|key| !moving.contains(key));

    let there = scene.there().run().await;
    assert_eq!(there.done().end, End::Done { moved: moving.len(), copied: 0 });
    await_both(scene).await;
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), moving, "all of it, and nothing else");
    assert_same(&moved_before, &with_the_pause_observed(&target));
    assert_managers_kept(&moved_before, &target);
    assert_marked(&target, &there, &moved_before);
    assert_eq!(target.dangling_owners(), []);
    // Nothing of the moved set is left, and nothing else was touched.
    assert_not_written(&beside(&before), &source);

    // What controllers would do now; else the first pivot's unpausing would be news to them for the second.
    observe(&scene.target, &scene.namespace).await;
    let (_, acting) = scene.dumps().await;
    let back = scene.back().run().await;
    assert_eq!(back.done().end, End::Done { moved: moving.len(), copied: 0 });
    await_both(scene).await;
    let (source, target) = scene.dumps().await;
    assert_eq!(keys(&target), BTreeSet::new());
    let returned = source.filter(|key| moving.contains(key));
    assert_same(&moved_before, &with_the_pause_observed(&returned));
    assert_managers_kept(&moved_before, &returned);
    assert_marked(&returned, &back, &acting);
    assert_eq!(source.dangling_owners(), []);
    assert_not_written(&beside(&before), &beside(&source));
}

async fn await_both(scene: &Scene<'_>) {
    tokio::join!(
        await_garbage_collection(&scene.source, &scene.namespace),
        await_garbage_collection(&scene.target, &scene.namespace)
    );
}

/// Ending the pause of a Cluster makes a generation that its controller, of which there is none, would observe.
fn with_the_pause_observed(dump: &Dump) -> Dump {
    let objects = dump.iter().map(|(key, object)| {
        let mut object = object.clone();
        if key.kind == "Cluster" {
            let generation = object["metadata"]["generation"].as_i64().unwrap();
            assert_eq!(object["status"]["observedGeneration"], generation - 1, "{key}");
            object["metadata"]["generation"] = (generation - 1).into();
        }
        object
    });
    objects.collect()
}

/// Observes the generation of every Cluster, as its controller would.
async fn observe(client: &PlaneClient, namespace: &str) {
    for cluster in client.list(Gvk::CLUSTER, Some(namespace)).await.unwrap() {
        let generation = &cluster["metadata"]["generation"];
        let mut status = cluster["status"].clone();
        status["observedGeneration"] = generation.clone();
        for condition in status["conditions"].as_array_mut().unwrap() {
            if condition.get("observedGeneration").is_some() {
                condition["observedGeneration"] = generation.clone();
            }
        }
        client.put_status(&cluster, status, "manager").await.unwrap();
    }
}

/// Managed fields: everybody who managed something still does, appliers exactly what they did, and only we have joined.
fn assert_managers_kept(before: &Dump, after: &Dump) {
    for (key, object) in before.iter() {
        let now = after.get(key).unwrap();
        let (was, is) = (managers(object), managers(now));
        assert!(was.is_subset(&is), "{key}: {was:?} became {is:?}");
        assert!(
            is.difference(&was).all(|(manager, ..)| manager == "pivotctl"),
            "{key}: {was:?} became {is:?}"
        );
        assert_eq!(applied_fields(object), applied_fields(now), "{key}");
    }
}

/// Every object carries the marks of this pivot and of no other.
fn assert_marked(after: &Dump, run: &Run, before: &Dump) {
    let uids: BTreeMap<&Key, &Value> =
        before.iter().map(|(key, object)| (key, &object["metadata"]["uid"])).collect();
    for (key, object) in after.iter().filter(|(key, _)| !is_of_the_cluster(key) && key.kind != "Namespace") {
        let annotations = &object["metadata"]["annotations"];
        assert_eq!(annotations["pivot.metal3.io/id"], *run.id, "{key}");
        assert_eq!(annotations["pivot.metal3.io/pivoted-ready"], *run.id, "{key}");
        assert_eq!(annotations["pivot.metal3.io/source-uid"], *uids[key], "{key}");
    }
}
