//! A side goes away for good: the pivot waits as long as it was told, stops, and says which side it was.

use pivot_core::machine::End;
use pivot_core::record::Verb as Wish;
use pivot_testbed::fake::{Action, Fault, Target};

use crate::scene::{Ran, Scene, Where};

/// How a server is gone.
#[derive(Clone, Copy, Debug)]
enum Gone {
    /// Connections are refused.
    Down,
    /// Requests are taken and never answered.
    Silent,
}

async fn pivot_with(side: Where, gone: Gone, n: usize) -> (Scene, Ran) {
    let scene = Scene::tiny();
    let survey = scene.survey().await;
    match gone {
        Gone::Down => {
            scene.server(side).before_nth(Target::any(), n, |server, _| server.set_down(true));
        }
        Gone::Silent => {
            let silence = Fault::new(Target::any(), Action::Hang).nth(n).times(usize::MAX);
            scene.server(side).inject(silence);
        }
    }
    let ran = scene.run(survey).await;
    (scene, ran)
}

async fn each_request_is_the_last(gone: Gone) {
    let good = Scene::tiny();
    good.pivot().await;
    for side in Where::BOTH {
        let count = good.server(side).history().len();
        let mut ends = [0; 4];
        for n in 1..=count {
            let what = format!("the {} is {gone:?} from request {n} on", side.name());
            let (scene, ran) = pivot_with(side, gone, n).await;
            let cause = match &ran.end {
                End::RolledBack { cause, .. } => {
                    ends[0] += 1;
                    cause
                }
                End::Suspended { cause, .. } => {
                    ends[1] += 1;
                    cause
                }
                End::CleanupPending { cause } => {
                    ends[2] += 1;
                    cause
                }
                End::InDoubt { cause } => {
                    ends[3] += 1;
                    cause
                }
                End::Failed { cause } => cause,
                // Only the Lease was still to be given back.
                End::Done { .. } => side.name(),
            };
            assert!(cause.contains(side.name()), "{what}: {cause}");
            match &ran.end {
                End::CleanupPending { .. } => scene.assert_target_whole(&what),
                _ => scene.judge(&ran, &what),
            }
            if matches!(ran.end, End::Suspended { .. } | End::CleanupPending { .. } | End::InDoubt { .. }) {
                scene.server(side).set_down(false);
                scene.server(side).clear_faults();
                let wish = if n.is_multiple_of(2) { Wish::Resume } else { Wish::Rollback };
                scene.settle(wish, &what).await;
            }
        }
        // A source that is gone cannot be given back, a target that is gone cannot be cleaned.
        assert!(ends[1..].iter().all(|count| *count > 0), "{side:?}: {ends:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_goes_down_for_good() {
    each_request_is_the_last(Gone::Down).await;
}

#[tokio::test(start_paused = true)]
async fn a_side_falls_silent_for_good() {
    each_request_is_the_last(Gone::Silent).await;
}

#[tokio::test(start_paused = true)]
async fn a_side_that_comes_back_in_time_is_waited_for() {
    for side in Where::BOTH {
        let good = Scene::tiny();
        good.pivot().await;
        for n in (1..=good.server(side).history().len()).step_by(7) {
            let scene = Scene::tiny();
            let survey = scene.survey().await;
            let down = Fault::new(Target::any(), Action::DropBefore).nth(n).times(10);
            scene.server(side).inject(down);
            let ran = scene.run(survey).await;
            let what = format!("the {} is down from request {n} on", side.name());
            assert!(matches!(ran.end, End::Done { .. }), "{what}: {:?}", ran.end);
            scene.judge(&ran, &what);
        }
    }
}
