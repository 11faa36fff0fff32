//! Somebody changes the source, or puts something into the target, while the pivot is under way.

use std::ops::RangeInclusive;

use pivot_core::machine::{End, Phase};
use pivot_testbed::dump::Key;
use pivot_testbed::fake::{FakeServer, Target, Verb};
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::objects::NAMESPACE;
use crate::records::is_of_records;
use crate::scene::{Ran, Scene, key_of};

fn machine() -> Key {
    Key::new(Gvk::MACHINE, NAMESPACE, "tiny-0")
}

fn host() -> Key {
    Key::new(Gvk::BARE_METAL_HOST, NAMESPACE, "host-0")
}

fn relabel(server: &FakeServer) {
    assert!(server.edit(&machine(), |machine| machine["metadata"]["labels"]["changed"] = "yes".into()));
}

/// Writes to the target from the first object to the last seal.
async fn writes_of_stage() -> RangeInclusive<usize> {
    let scene = Scene::tiny();
    scene.pivot().await;
    let writes = scene.target.writes();
    let seals = |body: &Value| body["metadata"]["annotations"]["pivot.metal3.io/pivoted-ready"].is_string();
    let first = writes.iter().position(|entry| !is_of_records(&key_of(entry))).unwrap();
    let last = writes.iter().rposition(|entry| entry.call.body.as_ref().is_some_and(seals)).unwrap();
    first + 1..=last + 1
}

async fn with_at(n: usize, change: impl FnOnce(&FakeServer) + Send + 'static) -> (Scene, Ran) {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    let source = scene.source.clone();
    scene.target.before_nth(Target::writes(), n, move |_, _| change(&source));
    let ran = scene.run(survey).await;
    (scene, ran)
}

#[tokio::test(start_paused = true)]
async fn a_change_at_any_moment_of_stage_arrives_in_the_target() {
    for n in writes_of_stage().await {
        let (mut scene, ran) = with_at(n, relabel).await;
        let what = format!("a change at write {n}");
        assert!(matches!(ran.end, End::Done { .. }), "{what}: {:?}", ran.end);
        assert_eq!(ran.started(Phase::Snapshot), 2, "{what}");
        let changed = scene.source_before.get(&machine()).unwrap().clone();
        let changed = std::iter::once(changed).map(|mut machine| {
            machine["metadata"]["labels"]["changed"] = "yes".into();
            machine
        });
        scene.source_before =
            scene.source_before.iter().map(|(_, object)| object.clone()).chain(changed).collect();
        scene.judge(&ran, &what);
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_goes_at_any_moment_of_stage_goes_from_the_target() {
    let cluster = || Key::new(Gvk::CLUSTER, NAMESPACE, "tiny");
    for key in [cluster(), host()] {
        for n in writes_of_stage().await {
            let prepare = |object: &mut Value| object["metadata"]["labels"]["passing"] = "yes".into();
            let scene = Scene::tiny();
            assert!(scene.source.edit(&key, prepare));
            let survey = scene.survey().await;
            let (source, changed) = (scene.source.clone(), key.clone());
            scene.target.before_nth(Target::writes(), n, move |_, _| {
                let gone = |object: &mut Value| {
                    object["metadata"]["labels"].as_object_mut().unwrap().remove("passing");
                };
                assert!(source.edit(&changed, gone));
            });
            let ran = scene.run(survey).await;
            let what = format!("a label of {key} goes at write {n}");
            assert!(matches!(ran.end, End::Done { .. }), "{what}: {:?}", ran.end);
            scene.judge(&ran, &what);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_at_any_moment_of_stage_goes_from_the_target() {
    let template = || Key::new(Gvk::METAL3_MACHINE_TEMPLATE, NAMESPACE, "tiny");
    for n in writes_of_stage().await {
        let (mut scene, ran) = with_at(n, move |source| assert!(source.remove(&template()))).await;
        let what = format!("one goes at write {n}");
        scene.moving.remove(&template());
        scene.source_before = scene.source_before.filter(|key| *key != template());
        scene.judge(&ran, &what);
        assert!(matches!(ran.end, End::Done { .. }), "{what}: {:?}", ran.end);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_comes_at_any_moment_of_stage_moves_too() {
    let newcomer = || {
        json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "spec": {"online": true},
            "metadata": {"name": "late", "namespace": NAMESPACE, "uid": "source-late", "generation": 1}})
    };
    for n in writes_of_stage().await {
        let (mut scene, ran) = with_at(n, move |source| source.load([newcomer()])).await;
        let what = format!("one comes at write {n}");
        assert!(matches!(ran.end, End::Done { .. }), "{what}: {:?}", ran.end);
        assert_eq!(ran.started(Phase::Quiesce), 2, "{what}: it is paused first");
        scene.moving.insert(Key::of(&newcomer()).unwrap());
        scene.source_before =
            scene.source_before.iter().map(|(_, object)| object.clone()).chain([newcomer()]).collect();
        scene.judge(&ran, &what);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_rests_is_left_alone() {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    scene.source.on_reply(|source, call| {
        if call.verb == Verb::Watch && call.kind == "Machine" {
            source.edit(&machine(), |machine| {
                let times = machine["metadata"]["labels"]["times"].as_str().unwrap_or_default().len();
                machine["metadata"]["labels"]["times"] = "x".repeat(times + 1).into();
            });
        }
    });
    let ran = scene.run(survey).await;
    let End::RolledBack { cause, .. } = &ran.end else { panic!("{:?}", ran.end) };
    assert!(cause.contains("keeps changing") && cause.contains("tiny-0"), "{cause}");
    let (_, target) = scene.dumps();
    assert!(scene.target_before.diff(&target).is_empty());
    scene.assert_source_whole_but(&machine());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_somebody_takes_away_each_time_ends_the_pivot() {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    scene.source.on_reply(|server, call| {
        if call.verb == Verb::Patch && call.name == "host-0" {
            server.edit(&host(), |host| host["metadata"]["annotations"] = json!({}));
        }
    });
    let ran = scene.run(survey).await;
    let End::RolledBack { cause, .. } = &ran.end else { panic!("{:?}", ran.end) };
    assert!(cause.contains("host-0"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_loses_its_way_back_leaves_nothing_in_the_target() {
    // The change leads back to SNAPSHOT, where the source can no longer be moved: what is staged goes.
    for n in writes_of_stage().await {
        let unready = |source: &FakeServer| {
            source.edit(&machine(), |machine| machine["status"] = json!({}));
        };
        let (scene, ran) = with_at(n, unready).await;
        let what = format!("a change at write {n}");
        let End::RolledBack { phase, cause, .. } = &ran.end else { panic!("{what}: {:?}", ran.end) };
        assert_eq!(*phase, Phase::Snapshot, "{what}");
        assert!(cause.contains("tiny-0"), "{cause}");
        let (_, target) = scene.dumps();
        let left: Vec<_> = scene.target_before.diff(&target).iter().map(ToString::to_string).collect();
        assert!(left.is_empty(), "{what}: {left:?}");
        scene.assert_source_whole_but(&machine());
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_after_the_decision_is_kept() {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    scene.source.before_nth(Target::new(Verb::Delete, "*"), 1, |server, _| relabel(server));
    let ran = scene.run(survey).await;
    let End::CleanupPending { cause } = &ran.end else { panic!("{:?}", ran.end) };
    assert!(cause.contains("tiny-0"), "{cause}");
    scene.judge(&ran, "a late change");
    let kept = scene.source.get(&machine()).unwrap();
    assert_eq!(kept["metadata"]["labels"]["changed"], "yes");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_in_the_target_is_not_overwritten() {
    for kind in ["BareMetalHost", "Secret", "Machine"] {
        let scene = Scene::tiny();
        let survey = scene.survey().await;
        let create = Target::new(Verb::Create, kind).namespace(NAMESPACE);
        scene.target.before_nth(create, 1, |server, call| {
            let mut theirs = json!({"apiVersion": call.body.as_ref().unwrap()["apiVersion"], "kind": call.kind,
                "metadata": {"name": call.name, "namespace": call.namespace}});
            theirs["metadata"]["labels"]["theirs"] = "yes".into();
            server.load([theirs]);
        });
        let ran = scene.run(survey).await;
        let End::RolledBack { cause, .. } = &ran.end else { panic!("{:?}", ran.end) };
        assert!(cause.contains("not of this pivot"), "{cause}");
        let (_, target) = scene.dumps();
        let left =
            target.iter().filter(|(_, object)| object["metadata"]["labels"]["theirs"] == "yes").count();
        assert_eq!(left, 1, "{kind}");
        let marked = |object: &Value| object["metadata"]["annotations"]["pivot.metal3.io/id"].is_string();
        let ours: Vec<_> = target
            .iter()
            .filter(|(key, object)| marked(object) && key.kind != "Namespace")
            .map(|(key, _)| key.to_string())
            .collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
}
