//! The user interrupts at every request: back before the decision, forward after it.

use pivot_core::machine::{Active, End};
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
                match &ran.end {
                    End::RolledBack { interrupted: true, .. } => ends[0] += 1,
                    End::Done { .. } => ends[1] += 1,
                    end => panic!("{what}: {end:?}"),
                }
                assert_ne!(ran.end.active(), Active::Neither);
                scene.judge(&ran, &what);
            }
        }
        assert!(ends[0] > 0 && ends[1] > 0, "{side:?}: {ends:?}");
    }
}
