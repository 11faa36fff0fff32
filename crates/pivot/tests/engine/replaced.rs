//! A process that loses its seat while it waits for a write.

use std::time::Duration;

use pivot::coordinator::LEASE;
use pivot_core::machine::End;
use pivot_core::record::NAMESPACE;
use pivot_testbed::dump::Key;
use pivot_testbed::fake::{Action, Fault, Target};
use pivot_testbed::kind::Gvk;
use pivot_testbed::traffic::Verb;
use tokio::time::sleep;

use crate::scene::Scene;

/// What a process that stood still finds when it goes on: its write was done, a renewal may be under way, and its Lease is gone.
#[tokio::test(start_paused = true)]
async fn it_writes_no_more_whether_or_not_a_renewal_is_under_way() {
    // Longer than a seat holds without a renewal, and shorter than a request may take.
    for away in [80, 85, 90, 95, 100].map(|quarters| Duration::from_millis(250) * quarters) {
        for number in 1..=6 {
            loses_its_seat_behind_a_write(number, away).await;
        }
    }
}

/// Behind a write of the source's records.
async fn loses_its_seat_behind_a_write(number: usize, away: Duration) {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    let source = scene.source.clone();
    let silence = source.inject(Fault::new(Target::new(Verb::Patch, "Lease"), Action::Latency(away * 10)));
    let write = Target::writes().kind("ConfigMap");
    source.inject(Fault::new(write, Action::Latency(away)).nth(number));
    let meanwhile = tokio::spawn(async move {
        sleep(away.saturating_sub(Duration::from_millis(100))).await;
        source.lift(silence);
        assert!(source.remove(&Key::new(Gvk::LEASE, NAMESPACE, LEASE)));
        source.clear_history();
    });
    let ran = scene.run(survey).await;
    meanwhile.await.unwrap();
    let what = format!("write {number}, away for {away:?}: {:?}", ran.end);
    let others: Vec<_> =
        scene.source.writes().into_iter().filter(|entry| entry.call.kind != "Lease").collect();
    assert!(others.len() <= 1, "{what}: only the one that was on its way: {others:#?}");
    assert!(matches!(ran.end, End::Suspended { .. }) && what.contains("Lease was removed"), "{what}");
}
