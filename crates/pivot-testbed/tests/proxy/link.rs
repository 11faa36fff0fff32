//! The line between client and proxy.

use pivot_testbed::{
    assets_or_skip,
    proxy::{Link, Stage},
};

use crate::{Scene, creates, hangs, is_broken, next_line, read, until, within};

#[tokio::test]
async fn a_stalled_line_breaks_nothing_and_lets_nothing_pass() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    // One connection from before, and one that does not exist yet.
    scene.list().await.unwrap();
    let late = scene.another(scene.proxy.kubeconfig()).await;
    let mut watch = scene.watch().await;
    scene.proxy.set_link(Link::Stalled);

    let mut create = Box::pin(scene.create("a"));
    let path = scene.collection();
    let mut list = Box::pin(read(&late, &path));
    assert!(hangs(&mut create).await);
    assert!(hangs(&mut list).await);
    assert!(!scene.exists("a").await);
    let elsewhere = scene.object("elsewhere");
    scene.direct.create(&elsewhere, "me").await.unwrap();
    assert!(hangs(next_line(&mut watch)).await);

    scene.proxy.set_link(Link::Up);
    create.await.unwrap();
    list.await.unwrap();
    assert!(next_line(&mut watch).await.unwrap().contains("elsewhere"));
    assert!(next_line(&mut watch).await.unwrap().contains("\"a\""));
}

#[tokio::test]
async fn what_the_proxy_has_read_is_done_behind_a_stalled_line() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let gate = scene.proxy.halt(Stage::Before, creates(), 1);
    let mut create = Box::pin(scene.create("a"));
    let halt = tokio::select! {
        halt = within(gate.reached()) => halt.unwrap(),
        done = &mut create => panic!("{done:?}"),
    };
    scene.proxy.set_link(Link::Stalled);
    halt.go_on();
    until("the request to be done", async || scene.exists("a").await).await;
    assert!(hangs(&mut create).await, "its reply does not come");
    scene.proxy.set_link(Link::Up);
    create.await.unwrap();
}

#[tokio::test]
async fn a_line_that_is_down_breaks_old_connections_and_new_ones() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let mut watch = scene.watch().await;
    scene.proxy.set_link(Link::Down);
    assert!(next_line(&mut watch).await.is_err());
    for _ in 0..3 {
        assert!(is_broken(&scene.create("a").await.unwrap_err()));
    }
    scene.proxy.set_link(Link::Up);
    assert!(!scene.exists("a").await);
    scene.create("a").await.unwrap();
}

#[tokio::test]
async fn connections_can_break_once() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let mut watch = scene.watch().await;
    scene.proxy.drop_connections();
    assert!(next_line(&mut watch).await.is_err());
    let fresh = scene.another(scene.proxy.kubeconfig()).await;
    read(&fresh, &scene.collection()).await.unwrap();
}
