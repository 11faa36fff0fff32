//! The user interrupts at every request: the pivot stands still, and another process takes it up.

use pivot_core::machine::End;
use pivot_core::record::Verb as Wish;
use pivot_testbed::fake::Target;

use crate::scene::{Scene, Where};

#[tokio::test(start_paused = true)]
async fn at_every_request() {
    let good = Scene::tiny();
    good.pivot().await;
    for side in Where::BOTH {
        let mut ends = [0; 2];
        for n in 1..=good.server(side).history().len() {
            for before in [true, false] {
                let scene = Scene::tiny();
                let survey = scene.survey().await;
                let interrupt = scene.interrupt.clone();
                let hook = move |_: &_, _: &_| interrupt.cancel();
                if before {
                    scene.server(side).before_nth(Target::any(), n, hook);
                } else {
                    scene.server(side).after_nth(Target::any(), n, hook);
                }
                let ran = scene.run(survey).await;
                let what = format!("interrupted at request {n} to the {}", side.name());
                scene.judge(&ran, &what);
                match &ran.end {
                    End::Suspended { interrupted: true, .. } => {
                        ends[0] += 1;
                        assert_eq!(ran.end.exit_code(), 130, "{what}");
                        let wish = if before == n.is_multiple_of(2) { Wish::Resume } else { Wish::Rollback };
                        scene.settle(wish, &what).await;
                    }
                    End::Done { .. } => ends[1] += 1,
                    end => panic!("{what}: {end:?}"),
                }
            }
        }
        assert!(ends[0] > 0 && ends[1] > 0, "{side:?}: {ends:?}");
    }
}
