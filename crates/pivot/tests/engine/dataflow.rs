//! STAGE is a dataflow: many at a time, and nothing before what it depends on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pivot_core::machine::End;
use pivot_testbed::fake::{Action, FakeServer, Fault, Target, Verb};
use pivot_testbed::fixture::{Fixture, FixtureOptions, bystanders};

use crate::scene::Scene;

/// What the hooks of a server saw.
#[derive(Default)]
struct Seen {
    /// Uids of objects whose completion was answered.
    ready: BTreeSet<String>,
    too_early: Vec<String>,
    writing: usize,
    most: usize,
}

/// Looks on: which objects are complete when another that they own is created, and how many writes are in flight.
fn look_on(server: &FakeServer) -> Arc<Mutex<Seen>> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let before = Arc::clone(&seen);
    server.on_request(move |_, call| {
        if !call.verb.is_write() {
            return;
        }
        let mut seen = before.lock().unwrap();
        seen.writing += 1;
        seen.most = seen.most.max(seen.writing);
        let body = call.body.clone().unwrap_or_default();
        if call.verb == Verb::Create {
            for owner in body["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
                if !seen.ready.contains(owner["uid"].as_str().unwrap()) {
                    let text = format!("{} {} before its owner {}", call.kind, call.name, owner["name"]);
                    seen.too_early.push(text);
                }
            }
        }
    });
    let after = Arc::clone(&seen);
    server.on_reply(move |server, call| {
        if !call.verb.is_write() {
            return;
        }
        let mut seen = after.lock().unwrap();
        seen.writing -= 1;
        let body = call.body.clone().unwrap_or_default();
        if body["metadata"]["annotations"]["pivot.metal3.io/pivoted-ready"].is_string() {
            let stored = server.dump().into_iter().find(|(key, _)| {
                key.kind == call.kind && key.namespace == call.namespace && key.name == call.name
            });
            let uid = stored.unwrap().1["metadata"]["uid"].as_str().unwrap().to_owned();
            seen.ready.insert(uid);
        }
    });
    seen
}

async fn stage(concurrency: usize, latencies: &[(&str, u64)]) -> Arc<Mutex<Seen>> {
    let mut scene = Scene::of_fixture(&Fixture::new(FixtureOptions::small()), &bystanders("metal3"));
    scene.concurrency = concurrency;
    let survey = scene.survey().await;
    for (kind, milliseconds) in latencies {
        let latency = Action::Latency(Duration::from_millis(*milliseconds));
        scene.target.inject(Fault::new(Target::writes().kind(kind), latency));
    }
    let seen = look_on(&scene.target);
    let ran = scene.run(survey).await;
    assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
    scene.judge(&ran, "with latency");
    seen
}

#[tokio::test(start_paused = true)]
async fn nothing_is_created_before_its_owners_are_complete() {
    for latencies in [
        &[("*", 10)][..],
        &[("Cluster*", 900), ("Machine*", 400), ("*", 1)],
        &[("BareMetalHost*", 700), ("Metal3Machine*", 300)],
        &[("*/status", 500), ("Secret", 50)],
    ] {
        let seen = stage(64, latencies).await;
        let seen = seen.lock().unwrap();
        assert!(seen.too_early.is_empty(), "{:?}", seen.too_early);
        assert!(seen.ready.len() > 30, "{}", seen.ready.len());
        assert!(seen.most > 3, "only {} writes at the same time", seen.most);
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_writes_are_in_flight_than_asked_for() {
    for concurrency in [1, 3, 6] {
        let seen = stage(concurrency, &[("*", 10)]).await;
        assert_eq!(seen.lock().unwrap().most, concurrency);
    }
}
