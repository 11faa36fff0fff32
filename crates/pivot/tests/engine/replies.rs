//! Every write of a pivot goes wrong once, in every way that passes: it ends well, and nothing is done twice.

use pivot_core::machine::End;
use pivot_testbed::fake::{Action, Fault, Target, Verb};
use serde_json::json;

use crate::scene::{Scene, Where, writes_of_a_good_run};
use crate::whole::cycle;

async fn each_write_meets(action: &Action) {
    for (side, count) in writes_of_a_good_run().await {
        for n in 1..=count {
            let what = format!("write {n} to the {} meets {action:?}", side.name());
            let scene = Scene::tiny();
            let survey = scene.survey().await;
            scene.server(side).inject(Fault::new(Target::writes(), action.clone()).nth(n));
            let ran = scene.run(survey).await;
            assert!(matches!(ran.end, End::Done { .. }), "{what}: {:?}", ran.end);
            scene.judge(&ran, &what);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_breaks_before_the_request() {
    each_write_meets(&Action::DropBefore).await;
}

#[tokio::test(start_paused = true)]
async fn the_reply_is_lost() {
    each_write_meets(&Action::DropAfter).await;
}

#[tokio::test(start_paused = true)]
async fn the_reply_is_cut_off() {
    each_write_meets(&Action::Truncate).await;
    each_write_meets(&Action::TruncateSilently).await;
}

#[tokio::test(start_paused = true)]
async fn the_reply_never_comes() {
    each_write_meets(&Action::HangAfter).await;
}

#[tokio::test(start_paused = true)]
async fn the_server_fails() {
    each_write_meets(&Action::status(500, "InternalError")).await;
    each_write_meets(&Action::status(503, "ServiceUnavailable")).await;
}

#[tokio::test(start_paused = true)]
async fn the_server_is_too_busy() {
    let reason = "TooManyRequests".to_owned();
    each_write_meets(&Action::Status { code: 429, reason, retry_after: Some(1) }).await;
}

#[tokio::test(start_paused = true)]
async fn two_thirds_of_all_replies_are_lost() {
    for side in Where::BOTH {
        let scene = Scene::tiny();
        let survey = scene.survey().await;
        for verb in Verb::WRITES {
            for nth in (0..120).filter(|n| n % 3 != 0) {
                scene.server(side).inject(Fault::new(Target::new(verb, "*"), Action::DropAfter).nth(nth + 1));
            }
        }
        let ran = scene.run(survey).await;
        assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
        scene.judge(&ran, side.name());
    }
}

#[tokio::test(start_paused = true)]
async fn replies_are_lost_inside_a_cycle_of_owners() {
    for n in 1..=3 {
        let scene = Scene::tiny_and(cycle());
        let survey = scene.survey().await;
        let target = Target::new(Verb::Create, "ConfigMap");
        scene.target.inject(Fault::new(target, Action::DropAfter).nth(n));
        let ran = scene.run(survey).await;
        assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
        scene.judge(&ran, "a cycle");
    }
}

#[tokio::test(start_paused = true)]
async fn conflicts_come_in_storms() {
    let storms = [
        (Where::Target, Target::new(Verb::Update, "*/status")),
        (Where::Target, Target::new(Verb::Patch, "*")),
        (Where::Source, Target::new(Verb::Patch, "*")),
        (Where::Source, Target::new(Verb::Delete, "*")),
    ];
    for (side, target) in storms {
        let scene = Scene::tiny();
        let survey = scene.survey().await;
        scene.server(side).inject(Fault::new(target, Action::status(409, "Conflict")).times(10));
        let ran = scene.run(survey).await;
        assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
        scene.judge(&ran, "a storm");
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_else_writes_first_each_time() {
    // A label that the target's own controllers add; it is reported, and no reason to give up.
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    scene.target.on_request(|server, call| {
        if call.verb == Verb::Update && call.kind == "BareMetalHost" {
            let key = pivot_testbed::dump::Key {
                group: call.group.clone(),
                kind: call.kind.clone(),
                namespace: call.namespace.clone(),
                name: call.name.clone(),
            };
            let touched =
                server.get(&key).is_some_and(|host| host["metadata"]["labels"]["touched"].is_string());
            if !touched {
                server.edit(&key, |host| host["metadata"]["labels"]["touched"] = json!("by-somebody"));
            }
        }
    });
    let ran = scene.run(survey).await;
    assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
    let told = ran.warnings().into_iter().filter(|warning| warning.contains("touched")).count();
    assert_eq!(told, 1, "{:?}", ran.warnings());
}
