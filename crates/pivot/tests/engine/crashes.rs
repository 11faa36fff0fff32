//! The process dies at every write, before it is done and after: another one takes the pivot up, in either direction.

use pivot_core::record::Verb as Wish;
use pivot_testbed::fake::{Action, Fault, Target};

use crate::scene::{Scene, writes_of_a_good_run};

async fn at_every_write(action: Action, wish: Wish) {
    for (side, count) in writes_of_a_good_run().await {
        for n in 1..=count {
            let what = format!("dies at write {n} to the {} ({action:?})", side.name());
            let scene = Scene::tiny();
            let survey = scene.survey().await;
            scene.server(side).inject(Fault::new(Target::writes(), action.clone()).nth(n));
            let crash = scene.crash.clone();
            let hook = move |_: &_, _: &_| crash.cancel();
            if action == Action::Hang {
                scene.server(side).before_nth(Target::writes(), n, hook);
            } else {
                scene.server(side).after_nth(Target::writes(), n, hook);
            }
            assert!(scene.run_until_crash(survey).await.is_none(), "{what}: it lives");
            scene.settle(wish, &what).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn before_it_is_done_and_it_is_resumed() {
    at_every_write(Action::Hang, Wish::Resume).await;
}

#[tokio::test(start_paused = true)]
async fn before_it_is_done_and_it_is_rolled_back() {
    at_every_write(Action::Hang, Wish::Rollback).await;
}

#[tokio::test(start_paused = true)]
async fn after_it_was_done_and_it_is_resumed() {
    at_every_write(Action::HangAfter, Wish::Resume).await;
}

#[tokio::test(start_paused = true)]
async fn after_it_was_done_and_it_is_rolled_back() {
    at_every_write(Action::HangAfter, Wish::Rollback).await;
}
