//! An API server that is not there.

use pivot_testbed::{
    assets_or_skip,
    plane::{Component, Plane, PlaneOptions},
    traffic::Outcome,
};

use crate::{Scene, creates, hangs, is_broken, until};

#[tokio::test]
async fn an_outage_behind_the_proxy_is_one_before_it() {
    let assets = assets_or_skip!();
    let plane = Plane::start(&assets, "outage", &PlaneOptions::bare()).await.unwrap();
    let scene = Scene::on(&plane).await;
    scene.create("a").await.unwrap();

    plane.kill(Component::ApiServer).unwrap();
    assert!(is_broken(&scene.create("b").await.unwrap_err()));
    assert_eq!(scene.last(), Outcome::Unanswered);
    plane.restart(Component::ApiServer).await.unwrap();
    scene.create("b").await.unwrap();

    plane.freeze(Component::ApiServer).unwrap();
    let mut create = Box::pin(scene.create("c"));
    assert!(hangs(&mut create).await);
    until("the request to arrive", async || scene.proxy.count(&creates().name("c")) == 1).await;
    drop(create);
    plane.thaw(Component::ApiServer).unwrap();
    // It was on its way when its client gave up. The server may answer before the proxy hears of that.
    until("the request to be done", async || scene.last().applied()).await;
    assert!(scene.exists("c").await);
}
