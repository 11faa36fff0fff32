//! What breaks, what the client sees of it, and what was done all the same.

use std::time::Duration;

use pivot_testbed::{
    assets_or_skip,
    traffic::{Action, Fault, Outcome, Target, Verb},
};
use tokio::time::Instant;

use crate::{DEADLINE, Scene, creates, hangs, is_broken, is_reset, lists, next_line, until, within};

fn watches() -> Target {
    Target::new(Verb::Watch, "ConfigMap")
}

#[tokio::test]
async fn refusals_reach_the_client_and_nothing_is_done() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    for (code, reason) in [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
        (504, "Timeout"),
    ] {
        let id = scene.proxy.inject(Fault::new(creates(), Action::status(code, reason)));
        assert_eq!(scene.create("a").await.unwrap_err().code(), Some(code));
        assert_eq!(scene.last(), Outcome::Answered(code));
        scene.proxy.lift(id);
    }
    assert!(!scene.exists("a").await);
    scene.create("a").await.unwrap();
}

#[tokio::test]
async fn a_throttled_request_is_told_when_to_come_back() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let action = Action::Status { code: 429, reason: "TooManyRequests".into(), retry_after: Some(7) };
    scene.proxy.inject(Fault::new(creates(), action).nth(2));
    scene.create("a").await.unwrap();
    let error = scene.create("b").await.unwrap_err();
    let pivot_testbed::Error::Api { source, .. } = &error else { panic!("{error}") };
    let kube::Error::Api(status) = &**source else { panic!("{error}") };
    assert_eq!((status.code, status.details.as_ref().unwrap().retry_after_seconds), (429, 7));
    scene.create("b").await.unwrap();
}

#[tokio::test]
async fn a_reset_before_or_after_tells_nothing_of_what_was_done() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    for (name, action, applied) in [("a", Action::DropBefore, false), ("b", Action::DropAfter, true)] {
        scene.proxy.inject(Fault::new(creates(), action).nth(1));
        let error = scene.create(name).await.unwrap_err();
        assert!(is_broken(&error) && is_reset(&error), "{error:?}");
        assert_eq!(scene.exists(name).await, applied);
        assert_eq!(scene.last(), Outcome::Lost { applied });
    }
    scene.create("a").await.unwrap();
}

#[tokio::test]
async fn a_truncated_reply_is_an_error_though_the_write_was_done() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    scene.proxy.inject(Fault::new(creates(), Action::Truncate).nth(1));
    scene.proxy.inject(Fault::new(creates(), Action::TruncateSilently).nth(2));
    let error = scene.create("a").await.unwrap_err();
    assert!(is_broken(&error) && !is_reset(&error), "{error:?}");
    let error = scene.create("b").await.unwrap_err();
    assert!(is_not_json(&error), "{error:?}");
    assert!(scene.exists("a").await && scene.exists("b").await);
    assert_eq!(scene.last(), Outcome::Truncated(201));
}

#[tokio::test]
async fn a_truncated_list_has_a_beginning() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    scene.create("a").await.unwrap();
    scene.proxy.inject(Fault::new(lists(), Action::Truncate));
    let request = http::Request::get(scene.collection()).body(Vec::new()).unwrap();
    let mut body = Box::pin(within(scene.client.kube().request_stream(request)).await.unwrap());
    let mut read = Vec::new();
    let ended = within(futures::AsyncReadExt::read_to_end(&mut body, &mut read)).await;
    assert!(ended.is_err());
    assert!(read.starts_with(b"{\"kind\":\"ConfigMapList\""), "{}", String::from_utf8_lossy(&read));
}

#[tokio::test]
async fn a_web_page_is_no_reply() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    scene.proxy.inject(Fault::new(creates(), Action::WebPage).nth(1));
    let error = scene.create("a").await.unwrap_err();
    assert!(is_not_json(&error), "{error:?}");
    assert!(scene.exists("a").await);
    assert_eq!(scene.last(), Outcome::Truncated(201));
}

#[tokio::test]
async fn a_hanging_request_waits_for_its_client_to_give_up() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    for (name, action, outcome) in [
        ("a", Action::Hang, Outcome::Abandoned),
        ("b", Action::HangAfter, Outcome::AbandonedAfter { applied: true }),
    ] {
        scene.proxy.inject(Fault::new(creates().name(name), action));
        let mut create = Box::pin(scene.create(name));
        assert!(hangs(&mut create).await);
        // It is done, or it has arrived and is not.
        until("the request to stand still", async || {
            scene.proxy.count(&creates().name(name)) == 1 && scene.exists(name).await == outcome.applied()
        })
        .await;
        drop(create);
        until("the proxy to notice that the client is gone", async || scene.last() == outcome).await;
        assert_eq!(scene.exists(name).await, outcome.applied());
    }
}

#[tokio::test]
async fn latencies_add_up() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    scene.proxy.inject(Fault::new(Target::any(), Action::Latency(Duration::from_millis(150))));
    scene.proxy.inject(Fault::new(creates(), Action::Latency(Duration::from_millis(250))));
    let begun = Instant::now();
    scene.create("a").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(400));
    scene.proxy.inject(Fault::new(creates(), Action::Latency(DEADLINE * 2)));
    assert!(hangs(scene.create("b")).await);
    assert!(!scene.exists("b").await);
}

#[tokio::test]
async fn a_stale_list_is_the_first_one_again() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let stale = scene.proxy.inject(Fault::new(lists(), Action::Stale));
    scene.create("a").await.unwrap();
    assert_eq!(scene.list().await.unwrap(), ["a"]);
    scene.create("b").await.unwrap();
    assert_eq!(scene.list().await.unwrap(), ["a"]);
    scene.proxy.lift(stale);
    assert_eq!(scene.list().await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn a_stale_list_can_come_later() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    scene.proxy.inject(Fault::new(lists(), Action::Stale).nth(3));
    let mut seen = Vec::new();
    for name in ["a", "b", "c", "d"] {
        scene.create(name).await.unwrap();
        seen.push(scene.list().await.unwrap().len());
    }
    assert_eq!(seen, [1, 2, 1, 4]);
}

#[tokio::test]
async fn a_mute_watch_tells_nothing() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    scene.proxy.inject(Fault::new(watches(), Action::Mute).nth(1));
    let mut mute = scene.watch().await;
    let mut sound = scene.watch().await;
    scene.create("a").await.unwrap();
    assert!(next_line(&mut sound).await.unwrap().contains("ADDED"));
    assert!(hangs(next_line(&mut mute)).await);
}

#[tokio::test]
async fn a_watch_ends_at_once_and_without_a_word() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    scene.proxy.inject(Fault::new(watches(), Action::EndWatch));
    let mut watch = scene.watch().await;
    assert_eq!(next_line(&mut watch).await.unwrap(), "");
}

#[tokio::test]
async fn a_watch_breaks_in_the_middle_of_its_first_event() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    scene.proxy.inject(Fault::new(watches(), Action::Truncate));
    let mut watch = scene.watch().await;
    scene.create("a").await.unwrap();
    let mut read = Vec::new();
    let ended = within(futures::AsyncReadExt::read_to_end(&mut watch, &mut read)).await;
    assert!(ended.is_err());
    assert!(read.starts_with(b"{\"type\":\"ADDED\"") && !read.ends_with(b"\n"));
}

#[tokio::test]
async fn faults_know_verb_kind_and_name() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    for target in [
        Target::new(Verb::Create, "Secret"),
        Target::new(Verb::Update, "ConfigMap"),
        Target::new(Verb::Create, "ConfigMap").name("b*"),
        Target::new(Verb::Create, "ConfigMap").namespace("elsewhere"),
        Target::new(Verb::Create, "ConfigMap/status"),
    ] {
        scene.proxy.inject(Fault::new(target, Action::status(500, "InternalError")));
    }
    scene.create("a").await.unwrap();
    assert_eq!(scene.create("b-1").await.unwrap_err().code(), Some(500));
    scene.proxy.clear_faults();
    scene.create("b-1").await.unwrap();
    for pattern in ["configmaps", "ConfigMap"] {
        let target = Target::new(Verb::Create, pattern);
        assert_eq!(scene.proxy.count(&target), 3, "{pattern}");
    }
}

/// True if there was an answer and it was no JSON.
fn is_not_json(error: &pivot_testbed::Error) -> bool {
    let pivot_testbed::Error::Api { source, .. } = error else { return false };
    matches!(**source, kube::Error::SerdeError(_))
}
