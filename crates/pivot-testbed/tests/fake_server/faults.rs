//! What breaks, and what is seen of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{AsyncReadExt, future::join_all};
use http::Request;
use kube::Error;
use pivot_testbed::fake::{Action, FakeServer, Fault, Outcome, Target, Verb};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::{WIDGETS, create, delete, get, key, names, patch, refusal, server};

fn creates() -> Target {
    Target::new(Verb::Create, "Widget")
}

fn exists(server: &FakeServer, name: &str) -> bool {
    server.get(&key("Widget", name)).is_some()
}

fn last(server: &FakeServer) -> Outcome {
    server.history().last().expect("something was asked").outcome
}

#[tokio::test(start_paused = true)]
async fn only_the_nth_request_meets_the_fault() {
    let server = server();
    let client = server.client();
    server.inject(Fault::new(creates(), Action::status(503, "ServiceUnavailable")).nth(2).times(2));
    let mut codes = Vec::new();
    for name in ["a", "b", "c", "d"] {
        get(&client, WIDGETS).await.unwrap();
        codes.push(create(&client, name).await.map_or_else(|error| refusal::<()>(Err(error)).0, |_| 201));
    }
    assert_eq!(codes, [201, 503, 503, 201]);
    assert_eq!(names(&get(&client, WIDGETS).await.unwrap()), ["a", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_tells_when_to_come_back() {
    let server = server();
    let action = Action::Status { code: 429, reason: "TooManyRequests".into(), retry_after: Some(7) };
    let id = server.inject(Fault::new(Target::any(), action));
    let answer = get(&server.client(), WIDGETS).await;
    let Err(Error::Api(status)) = answer else { panic!("not refused: {answer:?}") };
    assert_eq!(status.details.unwrap().retry_after_seconds, 7);
    server.lift(id);
    get(&server.client(), WIDGETS).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_tells_nothing_of_what_was_done() {
    let server = server();
    let client = server.client();
    for (name, action, applied) in [("a", Action::DropBefore, false), ("b", Action::DropAfter, true)] {
        server.inject(Fault::new(creates(), action).nth(1));
        assert!(matches!(create(&client, name).await, Err(Error::Service(_))));
        assert_eq!(exists(&server, name), applied);
        assert_eq!(last(&server), Outcome::Lost { applied });
        server.clear_faults();
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_reply_is_an_error_though_the_write_was_done() {
    let server = server();
    let client = server.client();
    server.inject(Fault::new(creates(), Action::Truncate).nth(1));
    server.inject(Fault::new(creates(), Action::TruncateSilently).nth(2));
    assert!(matches!(create(&client, "a").await, Err(Error::Service(_))));
    assert!(matches!(create(&client, "b").await, Err(Error::SerdeError(_))));
    assert!(exists(&server, "a") && exists(&server, "b"));
    assert_eq!(last(&server), Outcome::Truncated(201));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_request_waits_for_its_client_to_give_up() {
    let server = server();
    let client = server.client();
    for (name, action, outcome) in [
        ("a", Action::Hang, Outcome::Abandoned),
        ("b", Action::HangAfter, Outcome::AbandonedAfter { applied: true }),
    ] {
        server.inject(Fault::new(creates().name(name), action));
        let begun = Instant::now();
        assert!(timeout(Duration::from_secs(30), create(&client, name)).await.is_err());
        assert_eq!(begun.elapsed().as_secs(), 30);
        // The client's worker drops the request when it next runs.
        tokio::task::yield_now().await;
        assert_eq!(exists(&server, name), outcome.applied());
        assert_eq!(last(&server), outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn latencies_add_up_in_virtual_time() {
    let server = server();
    server.inject(Fault::new(Target::any(), Action::Latency(Duration::from_millis(50))));
    server.inject(Fault::new(creates(), Action::Latency(Duration::from_millis(25))));
    let begun = Instant::now();
    for number in 0..1000 {
        create(&server.client(), &format!("w-{number}")).await.unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(75));
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_are_counted() {
    let server = server();
    server.inject(Fault::new(Target::any(), Action::Latency(Duration::from_millis(10))));
    let client = server.client();
    let all = (0..8).map(|number| {
        let client = client.clone();
        async move { create(&client, &format!("w-{number}")).await }
    });
    assert!(join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(server.peak_in_flight(), 8);
    assert_eq!(server.count(&creates()), 8);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_refuses_connections() {
    let server = server();
    let client = server.client();
    server.before_nth(creates(), 2, |server, _| server.set_down(true));
    create(&client, "a").await.unwrap();
    assert!(matches!(create(&client, "b").await, Err(Error::Service(_))));
    assert!(matches!(get(&client, WIDGETS).await, Err(Error::Service(_))));
    server.set_down(false);
    assert_eq!(names(&get(&client, WIDGETS).await.unwrap()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn hooks_change_the_world_before_and_after_a_request() {
    let server = server();
    let client = server.client();
    create(&client, "a").await.unwrap();
    let patches = Target::new(Verb::Patch, "Widget");
    server.before_nth(patches.clone(), 1, |server, call| {
        assert_eq!(call.name, "a");
        assert!(server.edit(&key("Widget", "a"), |object| object["spec"]["size"] = 9.into()));
    });
    server.after_nth(patches, 2, |server, _| assert!(server.remove(&key("Widget", "a"))));
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    server.on_reply(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let first = patch(&client, "a", &json!({"metadata": {"labels": {"x": "1"}}})).await.unwrap();
    assert_eq!(first["spec"]["size"], 9);
    patch(&client, "a", &json!({"metadata": {"labels": {"x": "2"}}})).await.unwrap();
    assert_eq!(refusal(get(&client, &format!("{WIDGETS}/a")).await).0, 404);
    assert_eq!(seen.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn watches_can_be_mute_or_break() {
    let server = server();
    let client = server.client();
    let open = async || {
        let path = format!("{WIDGETS}?watch=true&resourceVersion={}", server.revision());
        client.request_stream(Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
    };
    let watches = Target::new(Verb::Watch, "Widget");
    server.inject(Fault::new(watches.clone(), Action::Mute).nth(1));
    server.inject(Fault::new(watches, Action::Truncate).nth(2));
    let (mut mute, mut breaking) = (Box::pin(open().await), Box::pin(open().await));
    create(&client, "a").await.unwrap();
    let mut read = String::new();
    assert!(timeout(Duration::from_secs(3600), mute.read_to_string(&mut read)).await.is_err());
    let mut read = Vec::new();
    assert!(breaking.read_to_end(&mut read).await.is_err());
    assert!(!read.is_empty() && !read.ends_with(b"\n"), "it breaks in the middle of a line");
}

#[tokio::test(start_paused = true)]
async fn a_watch_can_end_at_once() {
    let server = server();
    let client = server.client();
    server.inject(Fault::new(Target::new(Verb::Watch, "Widget"), Action::EndWatch));
    create(&client, "a").await.unwrap();
    let path = format!("{WIDGETS}?watch=true&resourceVersion=1");
    let mut watch =
        Box::pin(client.request_stream(Request::get(path).body(Vec::new()).unwrap()).await.unwrap());
    let mut read = String::new();
    assert_eq!(watch.read_to_string(&mut read).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_web_page_instead_of_a_reply_says_nothing_of_what_was_done() {
    let server = server();
    let client = server.client();
    server.inject(Fault::new(creates(), Action::WebPage));
    assert!(matches!(create(&client, "a").await, Err(Error::SerdeError(_))));
    assert!(exists(&server, "a"));
    assert_eq!(last(&server), Outcome::Truncated(201));
}

#[tokio::test(start_paused = true)]
async fn a_stale_list_is_the_first_one_again() {
    let server = server();
    let client = server.client();
    let lists = Target::new(Verb::List, "Widget");
    let stale = server.inject(Fault::new(lists, Action::Stale));
    create(&client, "a").await.unwrap();
    assert_eq!(names(&get(&client, WIDGETS).await.unwrap()), ["a"]);
    create(&client, "b").await.unwrap();
    let again = get(&client, WIDGETS).await.unwrap();
    assert_eq!(names(&again), ["a"]);
    let other = get(&client, &format!("{WIDGETS}?limit=5")).await.unwrap();
    assert_eq!(names(&other), ["a", "b"], "another list has another past");
    server.lift(stale);
    assert_eq!(names(&get(&client, WIDGETS).await.unwrap()), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn history_tells_what_was_asked_and_answered() {
    let server = server();
    let client = server.client();
    get(&client, WIDGETS).await.unwrap();
    create(&client, "a").await.unwrap();
    assert!(create(&client, "a").await.is_err());
    delete(&client, "a", &json!({})).await.unwrap();
    let told: Vec<_> = server
        .writes()
        .into_iter()
        .map(|entry| (entry.call.verb, entry.call.kind.clone(), entry.call.name.clone(), entry.outcome))
        .collect();
    let a = |verb, code| (verb, "Widget".to_owned(), "a".to_owned(), Outcome::Answered(code));
    assert_eq!(told, [a(Verb::Create, 201), a(Verb::Create, 409), a(Verb::Delete, 200)]);
    server.clear_history();
    get(&client, WIDGETS).await.unwrap();
    let [entry] = server.history().try_into().unwrap();
    assert_eq!((entry.call.number, entry.outcome), (5, Outcome::Answered(200)));
}

#[tokio::test(start_paused = true)]
async fn the_same_test_runs_the_same_way_again() {
    async fn run() -> (Vec<String>, String) {
        let server = server();
        server.inject(Fault::new(Target::any(), Action::Latency(Duration::from_millis(3))));
        let client = server.client();
        let all = (0..20).map(|number| {
            let client = client.clone();
            async move {
                let name = format!("w-{number}");
                let created = create(&client, &name).await;
                patch(&client, &name, &json!({"spec": {"size": number}})).await.and(created)
            }
        });
        assert!(join_all(all).await.iter().all(Result::is_ok));
        let calls = server.history().iter().map(|entry| format!("{:?}", entry.call)).collect();
        (calls, format!("{:?}", server.dump()))
    }
    assert_eq!(run().await, run().await);
}
