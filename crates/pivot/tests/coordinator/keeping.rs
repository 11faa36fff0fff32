//! A seat is kept, put in doubt, and lost.

use std::time::Duration;

use pivot::coordinator::Lost;
use pivot_core::machine::Side;
use pivot_testbed::fake::{Action, Fault, Target, Verb};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::scene::{Scene, TIMES, both, identity, lease_key, leases};

const LONG: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn it_is_renewed_for_as_long_as_it_is_kept() {
    let scene = Scene::new();
    let seat = scene.take("a").await.seat();
    scene.source.clear_history();
    assert!(timeout(LONG, seat.keep()).await.is_err());
    assert!(seat.is_held() && seat.trouble().is_none());
    let renewals = scene.source.count(&Target::new(Verb::Patch, "Lease"));
    assert!((700..=720).contains(&renewals), "{renewals}");
    assert_eq!(renewals, scene.source.history().len(), "one request a renewal");
    assert_eq!(scene.lease(Side::Source).unwrap()["spec"]["leaseTransitions"], 0);
}

#[tokio::test(start_paused = true)]
async fn without_renewal_it_is_in_doubt_before_others_may_take_it() {
    let scene = Scene::new();
    let seat = scene.take("a").await.seat();
    sleep(TIMES.duration * 3 / 4).await;
    assert!(seat.is_held());
    sleep(TIMES.duration / 10).await;
    assert!(!seat.is_held());
    // Nobody came meanwhile.
    assert_eq!(seat.reclaim().await, Ok(true));
    assert!(seat.is_held());
}

#[tokio::test(start_paused = true)]
async fn one_that_was_stopped_and_replaced_knows_at_once_and_never_comes_back() {
    let scene = Scene::new();
    let stopped = scene.take("a").await.seat();
    let next = scene.take("b").await.seat();
    assert!(!stopped.is_held(), "already before it asks anybody");
    let lost = stopped.reclaim().await.unwrap_err();
    assert_eq!(lost.to, Some(identity("b").holder()));
    assert!(lost.to_string().contains("process 7 on b took it over"), "{lost}");
    assert_eq!(timeout(LONG, stopped.keep()).await, Ok(lost.clone()));
    assert_eq!(stopped.reclaim().await, Err(lost));
    // Not even when the other one is gone.
    assert!(next.release(None).await.is_empty());
    assert!(stopped.reclaim().await.is_err() && !stopped.is_held());
    assert_eq!(scene.holders(), [None, None]);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_stopped_loses_also_when_the_next_came_and_went() {
    let scene = Scene::new();
    let stopped = scene.take("a").await.seat();
    assert!(scene.take("b").await.seat().release(None).await.is_empty());
    let lost = timeout(LONG, stopped.keep()).await.unwrap();
    assert_eq!((lost.side, lost.to.as_deref()), (Side::Source, None));
    assert!(lost.to_string().contains("was removed"), "{lost}");
    assert!(!stopped.is_held());
}

#[tokio::test(start_paused = true)]
async fn losing_one_side_is_losing_all() {
    let scene = Scene::new();
    let seat = scene.take("a").await.seat();
    scene.target.edit(&lease_key(), |lease| lease["spec"]["holderIdentity"] = json!("somebody"));
    let lost = timeout(LONG, seat.keep()).await.unwrap();
    assert_eq!(
        lost,
        Lost { side: Side::Target, cluster: "target".to_owned(), to: Some("somebody".to_owned()) }
    );
    assert!(!seat.is_held());
    assert!(seat.reclaim().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_edit_by_somebody_is_no_loss() {
    let scene = Scene::new();
    let seat = scene.take("a").await.seat();
    scene.source.edit(&lease_key(), |lease| lease["metadata"]["labels"] = json!({"seen": "yes"}));
    assert!(timeout(LONG, seat.keep()).await.is_err());
    assert!(seat.is_held());
    assert_eq!(scene.lease(Side::Source).unwrap()["metadata"]["labels"]["seen"], "yes");
}

#[tokio::test(start_paused = true)]
async fn a_restored_backup_without_the_lease_is_a_loss() {
    let scene = Scene::new();
    let backup = scene.source.dump();
    let seat = scene.take("a").await.seat();
    scene.source.restore(backup);
    assert_eq!(timeout(LONG, seat.keep()).await.unwrap().to, None);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_puts_it_in_doubt_and_takes_nothing_away() {
    for (side, other) in [(Side::Source, Side::Target), (Side::Target, Side::Source)] {
        for action in [
            Action::DropBefore,
            Action::Hang,
            Action::status(503, "ServiceUnavailable"),
            Action::status(403, "Forbidden"),
        ] {
            let scene = Scene::new();
            let seat = scene.take("a").await.seat();
            let fault = scene.server(side).inject(Fault::new(Target::any(), action.clone()));
            assert!(timeout(TIMES.duration / 2, seat.keep()).await.is_err());
            assert!(seat.is_held(), "{action:?}: not yet");
            assert!(timeout(TIMES.duration * 10, seat.keep()).await.is_err());
            assert!(!seat.is_held(), "{action:?}");
            assert_eq!(seat.trouble().unwrap().0, side, "{action:?}");
            assert_eq!(seat.reclaim().await, Ok(false), "{action:?}");
            scene.server(other).clear_history();
            assert!(timeout(TIMES.renew_every * 4, seat.keep()).await.is_err());
            assert!(scene.server(other).writes().len() >= 3, "{action:?}: the other one is renewed as ever");
            scene.server(side).lift(fault);
            assert!(timeout(TIMES.renew_every * 5, seat.keep()).await.is_err());
            assert!(seat.is_held() && seat.trouble().is_none(), "{action:?}");
            assert_eq!(scene.holders(), both("a"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_renewal_may_lose_its_reply() {
    for action in
        [Action::DropAfter, Action::Truncate, Action::HangAfter, Action::status(500, "InternalError")]
    {
        let scene = Scene::new();
        let seat = scene.take("a").await.seat();
        for nth in (1..200).step_by(2) {
            scene.source.inject(Fault::new(Target::new(Verb::Patch, "Lease"), action.clone()).nth(nth));
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            assert!(timeout(Duration::from_secs(1), seat.keep()).await.is_err());
            assert!(seat.is_held(), "{action:?} after {:?}", begun.elapsed());
        }
        assert!(seat.is_held(), "{action:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_given_up_half_way_does_no_harm() {
    let scene = Scene::new();
    let seat = scene.take("a").await.seat();
    scene.source.inject(Fault::new(leases(), Action::Latency(Duration::from_secs(3))));
    for _ in 0..5 {
        // Dropped while the request is under way, or already applied.
        assert!(timeout(Duration::from_secs(7), seat.keep()).await.is_err());
    }
    scene.source.clear_faults();
    assert_eq!(seat.reclaim().await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn a_side_that_comes_back_is_claimed() {
    let scene = Scene::new();
    scene.target.set_down(true);
    let seat = scene.take("a").await.seat();
    assert_eq!(seat.reclaim().await, Ok(true));
    scene.target.set_down(false);
    assert!(timeout(TIMES.renew_every * 2, seat.keep()).await.is_err());
    assert!(seat.unclaimed().is_empty() && seat.is_held());
    assert_eq!(scene.holders(), both("a"));
}

#[tokio::test(start_paused = true)]
async fn another_one_on_the_side_that_comes_back_is_respected() {
    let scene = Scene::new();
    scene.target.set_down(true);
    let seat = scene.take("a").await.seat();
    assert!(seat.is_held());
    scene.target.set_down(false);
    scene.source.set_down(true);
    let other = timeout(TIMES.duration * 4, scene.take("b")).await.unwrap().seat();
    scene.source.set_down(false);
    let (lost, _) = tokio::join!(timeout(TIMES.duration, seat.keep()), timeout(TIMES.duration, other.keep()));
    assert_eq!(lost.unwrap().to, Some(identity("b").holder()));
}

#[tokio::test(start_paused = true)]
async fn a_dead_one_on_the_side_that_comes_back_is_replaced() {
    let scene = Scene::new();
    scene.load_lease(Side::Target, "gone", 20);
    scene.target.set_down(true);
    let seat = scene.take("a").await.seat();
    scene.target.set_down(false);
    assert!(timeout(Duration::from_secs(40), seat.keep()).await.is_err());
    assert!(seat.unclaimed().is_empty() && seat.is_held());
    assert_eq!(scene.holders(), both("a"));
}
