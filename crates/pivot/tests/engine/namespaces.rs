//! A rollback takes the namespaces away that the pivot created, unless somebody else has moved in.

use std::time::Duration;

use pivot_core::machine::End;
use pivot_testbed::fake::{Action, Fault, Target, Verb};
use serde_json::{Value, json};

use crate::objects::NAMESPACE;
use crate::scene::{Ran, Scene};

fn in_namespace(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}})
}

/// A pivot that fails when the target has most of the objects, and what stands beside them by then.
async fn fails_beside(occupants: Vec<Value>) -> (Scene, Ran) {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    let machine = Target::new(Verb::Create, "Metal3Machine");
    scene.target.before_nth(machine.clone(), 1, move |server, _| server.load(occupants));
    scene.target.inject(Fault::new(machine, Action::status(403, "Forbidden")));
    let ran = scene.run(survey).await;
    assert!(matches!(ran.end, End::RolledBack { .. }), "{:?}", ran.end);
    (scene, ran)
}

#[tokio::test(start_paused = true)]
async fn what_every_namespace_has_keeps_none() {
    let (scene, ran) = fails_beside(vec![
        in_namespace("ConfigMap", "kube-root-ca.crt"),
        in_namespace("ServiceAccount", "default"),
    ])
    .await;
    scene.judge(&ran, "an empty namespace");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_put_there_stays() {
    for occupant in [
        in_namespace("ConfigMap", "mine"),
        in_namespace("ServiceAccount", "mine"),
        in_namespace("Pod", "mine"),
    ] {
        let (scene, ran) = fails_beside(vec![occupant.clone()]).await;
        let (_, target) = scene.dumps();
        let left: Vec<_> = scene.target_before.diff(&target).iter().map(ToString::to_string).collect();
        let kind = occupant["kind"].as_str().unwrap();
        for expected in [format!("added {kind} {NAMESPACE}/mine"), format!("added Namespace {NAMESPACE}")] {
            assert!(left.contains(&expected), "{left:?}");
        }
        assert_eq!(left.len(), 2, "{left:?}");
        let told = ran.warnings().into_iter().filter(|warning| warning.contains("mine")).count();
        assert_eq!(told, 1, "{:?}", ran.warnings());
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_looked_into_stays() {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    scene.target.deny_access(Target::new(Verb::List, "pods").namespace(NAMESPACE));
    scene.target.inject(Fault::new(Target::new(Verb::Create, "Machine"), Action::status(403, "Forbidden")));
    let ran = scene.run(survey).await;
    assert!(matches!(ran.end, End::RolledBack { .. }), "{:?}", ran.end);
    let (_, target) = scene.dumps();
    let left: Vec<_> = scene.target_before.diff(&target).iter().map(ToString::to_string).collect();
    assert_eq!(left, [format!("added Namespace {NAMESPACE}")]);
    assert!(ran.warnings().iter().any(|warning| warning.contains("cannot be seen")), "{:?}", ran.warnings());
}

#[tokio::test(start_paused = true)]
async fn one_whose_creation_was_under_way_goes_too() {
    for action in [Action::Latency(Duration::from_secs(2)), Action::DropAfter, Action::HangAfter] {
        let scene = Scene::tiny();
        let survey = scene.survey().await;
        let create = Target::new(Verb::Create, "Namespace");
        scene.target.inject(Fault::new(create.clone().name("spare"), action.clone()).nth(1));
        scene.target.inject(Fault::new(create.name(NAMESPACE), Action::status(403, "Forbidden")));
        let ran = scene.run(survey).await;
        assert!(matches!(ran.end, End::RolledBack { .. }), "{:?}", ran.end);
        scene.judge(&ran, &format!("{action:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_somebody_else_created_meanwhile_is_theirs() {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    scene.target.before_nth(Target::new(Verb::Create, "Namespace").name(NAMESPACE), 1, move |server, _| {
        server.load([namespace]);
    });
    scene.target.inject(Fault::new(Target::new(Verb::Create, "Machine"), Action::status(403, "Forbidden")));
    let ran = scene.run(survey).await;
    assert!(matches!(ran.end, End::RolledBack { .. }), "{:?}", ran.end);
    let (_, target) = scene.dumps();
    let left: Vec<_> = scene.target_before.diff(&target).iter().map(ToString::to_string).collect();
    assert_eq!(left, [format!("added Namespace {NAMESPACE}")]);
}
