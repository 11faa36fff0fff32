//! Who may sit down, and who must wait.

use std::time::Duration;

use pivot::coordinator::SeatError;
use pivot_core::machine::Side;
use pivot_testbed::fake::{Action, Fault, Target, Verb};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::scene::{PIVOT, Scene, TIMES, both, identity, lease_key, leases, namespace_key};

const SIDES: [Side; 2] = [Side::Source, Side::Target];

#[tokio::test(start_paused = true)]
async fn the_first_one_makes_what_it_needs() {
    let scene = Scene::new();
    let attempt = scene.take("a").await;
    assert!(attempt.told.is_empty());
    let seat = attempt.seat();
    assert!(seat.is_held() && seat.unclaimed().is_empty());
    for side in SIDES {
        let namespace = scene.server(side).get(&namespace_key()).unwrap();
        assert_eq!(namespace["metadata"]["annotations"]["pivot.metal3.io/id"], PIVOT);
        let lease = scene.lease(side).unwrap();
        assert_eq!(lease["metadata"]["annotations"]["pivot.metal3.io/id"], PIVOT);
        assert_eq!(lease["spec"]["holderIdentity"], identity("a").holder());
        assert_eq!(
            (&lease["spec"]["leaseDurationSeconds"], &lease["spec"]["leaseTransitions"]),
            (&json!(20), &json!(0))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_there_stays_as_it_is() {
    let scene = Scene::new();
    scene
        .source
        .load([json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "pivotctl-system"}})]);
    let before = scene.source.get(&namespace_key());
    assert!(scene.take("a").await.seat().is_held());
    assert_eq!(scene.source.get(&namespace_key()), before);
}

#[tokio::test(start_paused = true)]
async fn a_second_one_is_sent_away_while_the_first_lives() {
    let scene = Scene::new();
    let first = scene.take("a").await.seat();
    let begun = Instant::now();
    let attempt = tokio::select! {
        lost = first.keep() => panic!("{lost}"),
        attempt = scene.take("b") => attempt,
    };
    let error = attempt.seat.unwrap_err();
    assert!(matches!(&error, SeatError::Held { pivot: Some(pivot), .. } if pivot == PIVOT), "{error:?}");
    let words = error.to_string();
    assert!(
        words.contains("process 7 on a (pivot p1)") && words.contains("run the same command again"),
        "{words}"
    );
    assert!(begun.elapsed() <= TIMES.renew_every + Duration::from_secs(2));
    let told: Vec<_> = attempt.told.iter().map(|waiting| (waiting.side, waiting.at_most)).collect();
    assert_eq!(told, [(Side::Source, TIMES.duration), (Side::Target, TIMES.duration)]);
    let told = attempt.told[0].to_string();
    assert!(told.contains("process 7 on a (pivot p1)") && told.contains("at most 20 s"), "{told}");
    assert_eq!(scene.holders(), both("a"));
    assert!(first.is_held());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_is_replaced_after_its_own_time() {
    let scene = Scene::new();
    scene.load_lease(Side::Source, &identity("gone").holder(), 90);
    scene.load_lease(Side::Target, "a text of another form", 3);
    let begun = Instant::now();
    let attempt = scene.take("a").await;
    assert!(begun.elapsed() >= Duration::from_secs(90) && begun.elapsed() < Duration::from_secs(95));
    let told: Vec<_> = attempt.told.iter().map(|waiting| (waiting.side, waiting.at_most.as_secs())).collect();
    assert_eq!(told, [(Side::Source, 90), (Side::Target, 3)], "each is told once");
    assert!(attempt.seat().is_held());
    assert_eq!(scene.holders(), both("a"));
    let lease = scene.lease(Side::Source).unwrap();
    assert_eq!(
        (&lease["spec"]["leaseTransitions"], &lease["spec"]["leaseDurationSeconds"]),
        (&json!(5), &json!(20))
    );
    assert_eq!(lease["metadata"]["annotations"]["pivot.metal3.io/id"], PIVOT);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_known_to_be_dead_or_left_is_replaced_at_once() {
    let scene = Scene::new();
    scene.load_lease(Side::Source, &identity("gone").holder(), 3_600);
    scene.load_lease(Side::Target, "", 3_600);
    let begun = Instant::now();
    let attempt = scene.take_knowing("a", &|holder| holder == identity("gone").holder()).await;
    assert!(attempt.told.is_empty() && begun.elapsed() < Duration::from_secs(1));
    assert!(attempt.seat().is_held());
    assert_eq!(scene.holders(), both("a"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_while_one_side_is_waited_for() {
    let scene = Scene::new();
    scene.load_lease(Side::Target, "somebody", 20);
    scene.target.after_nth(leases(), 3, |server, _| {
        server.edit(&lease_key(), |lease| lease["spec"]["renewTime"] = json!("2001-01-01T00:00:01.000000Z"));
    });
    let error = scene.take("a").await.seat.unwrap_err();
    assert!(matches!(error, SeatError::Held { side: Side::Target, .. }), "{error:?}");
    assert!(scene.source.writes().is_empty() && scene.target.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_who_gives_back_meanwhile_is_followed_at_once() {
    for gone in [true, false] {
        let scene = Scene::new();
        scene.load_lease(Side::Source, "somebody", 600);
        scene.source.after_nth(leases(), 4, move |server, _| {
            if gone {
                server.remove(&lease_key());
            } else {
                server.edit(&lease_key(), |lease| lease["spec"]["holderIdentity"] = json!(""));
            }
        });
        let begun = Instant::now();
        assert!(scene.take("a").await.seat().is_held());
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_who_wait_one_gets_it() {
    let scene = Scene::new();
    scene.load_lease(Side::Source, "gone", 20);
    scene.load_lease(Side::Target, "gone", 20);
    let (a, b) = tokio::join!(scene.take("a"), async {
        sleep(Duration::from_millis(300)).await;
        scene.take("b").await
    });
    assert!(a.seat().is_held());
    assert!(matches!(b.seat, Err(SeatError::Held { .. })));
    assert_eq!(scene.holders(), both("a"));
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_is_given_back_when_the_other_side_refuses() {
    let scene = Scene::new();
    scene.target.deny_access(Target::new(Verb::Create, "Lease"));
    let error = scene.take("a").await.seat.unwrap_err();
    assert!(matches!(error, SeatError::Refused { side: Side::Target, .. }), "{error:?}");
    assert!(error.to_string().contains("cannot create resource"), "{error}");
    assert_eq!(scene.holders(), [None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_an_error_at_once() {
    for denied in [
        Target::new(Verb::Get, "Lease"),
        Target::new(Verb::Create, "Namespace"),
        Target::new(Verb::Get, "Namespace"),
    ] {
        let scene = Scene::new();
        scene.source.deny_access(denied);
        let begun = Instant::now();
        let error = scene.take("a").await.seat.unwrap_err();
        assert!(matches!(error, SeatError::Refused { side: Side::Source, .. }), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_may_go_wrong_once() {
    let good = Scene::new();
    let _seat = good.take("a").await.seat();
    let requests = good.source.history().len();
    for action in [
        Action::DropBefore,
        Action::DropAfter,
        Action::Truncate,
        Action::TruncateSilently,
        Action::Hang,
        Action::HangAfter,
        Action::status(500, "InternalError"),
        Action::status(429, "TooManyRequests"),
        Action::status(401, "Unauthorized"),
    ] {
        for side in SIDES {
            for n in 1..=requests {
                let what = format!("request {n} to the {side} meets {action:?}");
                let scene = Scene::new();
                scene.server(side).inject(Fault::new(Target::any(), action.clone()).nth(n));
                let attempt = scene.take("a").await;
                assert!(attempt.told.is_empty(), "{what}: {:?}", attempt.told);
                let seat = attempt.seat.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(seat.unclaimed().is_empty() && seat.is_held(), "{what}");
                assert_eq!(scene.holders(), both("a"), "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_of_a_takeover_may_go_wrong_once() {
    let good = Scene::new();
    good.load_lease(Side::Source, "gone", 3);
    let _seat = good.take("a").await.seat();
    let requests = good.source.history().len();
    for action in
        [Action::DropBefore, Action::DropAfter, Action::HangAfter, Action::status(500, "InternalError")]
    {
        for n in 1..=requests {
            let what = format!("request {n} meets {action:?}");
            let scene = Scene::new();
            scene.load_lease(Side::Source, "gone", 3);
            scene.source.inject(Fault::new(Target::any(), action.clone()).nth(n));
            let attempt = scene.take("a").await;
            let seat = attempt.seat.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(seat.is_held(), "{what}");
            let lease = scene.lease(Side::Source).unwrap();
            assert_eq!(lease["spec"]["leaseTransitions"], 5, "{what}: it was taken over once");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_that_does_not_answer_stays_unclaimed() {
    let scene = Scene::new();
    scene.target.set_down(true);
    let seat = scene.take("a").await.seat();
    let unclaimed = seat.unclaimed();
    assert_eq!(
        (unclaimed.len(), unclaimed[0].side, unclaimed[0].cluster.as_str()),
        (1, Side::Target, "target")
    );
    assert!(!unclaimed[0].reason.is_empty());
    assert_eq!(scene.holders(), [Some("a".to_owned()), None]);
}

#[tokio::test(start_paused = true)]
async fn no_answer_from_anywhere_is_an_error() {
    let scene = Scene::new();
    scene.source.set_down(true);
    scene.target.inject(Fault::new(Target::any(), Action::Hang));
    let error = scene.take("a").await.seat.unwrap_err();
    assert!(matches!(error, SeatError::Unreachable { side: Side::Source, .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_on_its_way_out_is_waited_for() {
    let scene = Scene::new();
    scene.source.load([json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "pivotctl-system", "deletionTimestamp": "2001-01-01T00:00:00Z"},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Terminating"}})]);
    let (attempt, ()) = tokio::join!(scene.take("a"), async {
        sleep(Duration::from_secs(18)).await;
        assert_eq!(scene.holder(Side::Source), None);
        assert!(scene.source.remove(&namespace_key()));
    });
    assert!(attempt.seat().is_held());
    assert_eq!(scene.holders(), both("a"));
}
