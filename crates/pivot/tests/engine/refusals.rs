//! Every write of a pivot is refused for good: before the decision everything is undone, after it nothing is lost.

use pivot_core::machine::{End, Phase};
use pivot_core::record::Verb as Wish;
use pivot_testbed::fake::{Action, Entry, Fault, Outcome, Target, Verb};

use crate::records::is_of_records;
use crate::scene::{Scene, Where, key_of, writes_of_a_good_run};

/// What the refused write was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Seat,
    Record,
    Stage,
    Pause,
    Open,
    Retire,
}

fn purpose(side: Where, entry: &Entry) -> Purpose {
    let body = entry.call.body.clone().unwrap_or_default();
    let seals = body["metadata"]["annotations"]["pivot.metal3.io/pivoted-ready"].is_string();
    let strips = body["metadata"].get("finalizers").is_some();
    let key = key_of(entry);
    if matches!(key.kind.as_str(), "Lease" | "Namespace") && is_of_records(&key) {
        return Purpose::Seat;
    }
    if is_of_records(&key) {
        return Purpose::Record;
    }
    match (side, entry.call.verb) {
        (Where::Target, Verb::Patch) if !seals => Purpose::Open,
        (Where::Target, _) => Purpose::Stage,
        (Where::Source, Verb::Patch) if !strips => Purpose::Pause,
        (Where::Source, _) => Purpose::Retire,
    }
}

async fn each_write_is_refused(action: &Action, code: u16) {
    let mut met = std::collections::BTreeMap::new();
    for (side, count) in writes_of_a_good_run().await {
        for n in 1..=count {
            let scene = Scene::tiny();
            let survey = scene.survey().await;
            scene.server(side).inject(Fault::new(Target::writes(), action.clone()).nth(n));
            let ran = scene.run(survey).await;
            let writes = scene.server(side).writes();
            let refused = writes.iter().find(|entry| entry.outcome == Outcome::Answered(code)).unwrap();
            let purpose = purpose(side, refused);
            let what = format!("write {n} to the {} ({:?}) is refused", side.name(), refused.call);
            *met.entry(purpose).or_insert(0) += 1;
            scene.judge(&ran, &what);
            match (purpose, &ran.end) {
                (Purpose::Seat, End::Failed { cause }) => {
                    assert!(cause.contains("cannot be taken"), "{what}: {cause}");
                }
                // Taken at the second attempt, or left behind.
                (Purpose::Seat, End::Done { .. }) => {
                    let left = ran.warnings().iter().any(|warning| warning.contains("left in"));
                    assert_eq!(left, refused.call.verb == Verb::Delete, "{what}: {:?}", ran.warnings());
                }
                (Purpose::Stage | Purpose::Pause | Purpose::Record, End::RolledBack { cause, .. })
                | (Purpose::Record, End::InDoubt { cause }) => {
                    assert!(cause.contains(&refused.call.name), "{what}: {cause}");
                }
                (Purpose::Open | Purpose::Record, End::Suspended { phase: Phase::Activate, .. })
                | (Purpose::Retire | Purpose::Record, End::CleanupPending { .. }) => {}
                (_, end) => panic!("{what}: {end:?}"),
            }
            if matches!(ran.end, End::Suspended { .. } | End::CleanupPending { .. } | End::InDoubt { .. }) {
                let wish = if n.is_multiple_of(2) { Wish::Resume } else { Wish::Rollback };
                scene.settle(wish, &what).await;
            }
        }
    }
    let met: Vec<_> = met.into_keys().collect();
    assert_eq!(
        met,
        [Purpose::Seat, Purpose::Record, Purpose::Stage, Purpose::Pause, Purpose::Open, Purpose::Retire]
    );
}

#[tokio::test(start_paused = true)]
async fn each_write_is_forbidden() {
    each_write_is_refused(&Action::status(403, "Forbidden"), 403).await;
}

#[tokio::test(start_paused = true)]
async fn each_write_is_invalid() {
    each_write_is_refused(&Action::status(422, "Invalid"), 422).await;
}

#[tokio::test(start_paused = true)]
async fn the_target_cannot_be_listed_for_a_while_when_it_is_cleaned() {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    let unavailable = Action::status(503, "ServiceUnavailable");
    scene.target.before_nth(Target::new(Verb::Create, "BareMetalHost"), 1, move |server, _| {
        server.inject(Fault::new(Target::new(Verb::List, "*"), unavailable).times(30));
    });
    scene
        .target
        .inject(Fault::new(Target::new(Verb::Create, "BareMetalHost"), Action::status(403, "Forbidden")));
    let ran = scene.run(survey).await;
    assert!(matches!(ran.end, End::RolledBack { phase: Phase::Stage, .. }), "{:?}", ran.end);
    scene.judge(&ran, "a slow way back");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_be_unpaused_again_is_told() {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    scene.target.inject(Fault::new(Target::new(Verb::Create, "Machine"), Action::status(403, "Forbidden")));
    scene.source.before_nth(Target::new(Verb::Watch, "*"), 1, |server, _| {
        let patch = Target::new(Verb::Patch, "BareMetalHost");
        server.inject(Fault::new(patch, Action::status(403, "Forbidden")));
    });
    let ran = scene.run(survey).await;
    let End::Suspended { cause, .. } = &ran.end else { panic!("{:?}", ran.end) };
    assert!(cause.contains("host-0") && cause.contains("source"), "{cause}");
    scene.judge(&ran, "no way back");
}
