//! The seat is given back.

use pivot::coordinator::Leftover;
use pivot_core::link::LinkRules;
use pivot_core::machine::Side;
use pivot_testbed::fake::{Action, Fault, Target, Verb};
use serde_json::json;

use crate::scene::{Scene, both, identity, lease_key, leases, namespace_key};

const SIDES: [Side; 2] = [Side::Source, Side::Target];

/// Takes the seat and gives it back with the target's namespace.
async fn release(scene: &Scene, meanwhile: impl AsyncFnOnce(&Scene)) -> Vec<Leftover> {
    let discovery = scene.cluster(Side::Target).discover(&LinkRules::builtin()).await.unwrap();
    let seat = scene.take("a").await.seat();
    meanwhile(scene).await;
    seat.release(Some((Side::Target, &discovery))).await
}

#[tokio::test(start_paused = true)]
async fn nothing_of_ours_is_left() {
    let scene = Scene::new();
    let left = release(&scene, async |_| {}).await;
    assert_eq!(left, []);
    assert_eq!(scene.holders(), [None, None]);
    scene.target.gc();
    assert!(scene.target.get(&namespace_key()).is_none());
    assert!(scene.source.get(&namespace_key()).is_some(), "only where it was asked for");
}

#[tokio::test(start_paused = true)]
async fn what_is_in_every_namespace_does_not_count() {
    let scene = Scene::new();
    let left = release(&scene, async |scene| {
        let object = |kind, name| {
            json!({"apiVersion": "v1", "kind": kind,
            "metadata": {"name": name, "namespace": "pivotctl-system"}})
        };
        scene.target.load([object("ServiceAccount", "default"), object("ConfigMap", "kube-root-ca.crt")]);
    })
    .await;
    assert_eq!(left, []);
    scene.target.gc();
    assert!(scene.target.get(&namespace_key()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_namespace_with_anything_in_it_stays() {
    for (api, kind) in [
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("apps/v1", "Deployment"),
        ("coordination.k8s.io/v1", "Lease"),
    ] {
        let scene = Scene::new();
        let left = release(&scene, async |scene| {
            scene.target.load([json!({"apiVersion": api, "kind": kind,
                "metadata": {"name": "guest", "namespace": "pivotctl-system"}})]);
        })
        .await;
        let words: Vec<_> = left.iter().map(ToString::to_string).collect();
        let expected = format!(
            "Namespace pivotctl-system stays in the target target: {kind} pivotctl-system/guest is in it"
        );
        assert_eq!(words, [expected]);
        scene.target.gc();
        assert!(scene.target.get(&namespace_key()).is_some());
        assert_eq!(scene.holders(), [None, None], "the Lease goes all the same");
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_another_made_stays() {
    for annotation in [json!({}), json!({"pivot.metal3.io/id": "p0"})] {
        let scene = Scene::new();
        scene.target.load([json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "pivotctl-system", "annotations": annotation}})]);
        assert_eq!(release(&scene, async |_| {}).await, []);
        scene.target.gc();
        assert!(scene.target.get(&namespace_key()).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_is_not_deleted() {
    let scene = Scene::new();
    let left =
        release(&scene, async |scene| scene.target.deny_access(Target::new(Verb::List, "Secret"))).await;
    assert!(left.len() == 1 && left[0].reason.contains("cannot be seen"), "{left:?}");
    assert_eq!(scene.holders(), [None, None]);
    assert!(scene.target.get(&namespace_key()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_another_stays() {
    let scene = Scene::new();
    let first = scene.take("a").await.seat();
    let second = scene.take("b").await.seat();
    let discovery = scene.cluster(Side::Target).discover(&LinkRules::builtin()).await.unwrap();
    assert_eq!(first.release(Some((Side::Target, &discovery))).await, []);
    assert_eq!(scene.holders(), both("b"));
    assert!(scene.target.get(&namespace_key()).is_some());
    assert_eq!(second.reclaim().await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn a_takeover_between_the_look_and_the_delete_is_respected() {
    let scene = Scene::new();
    let seat = scene.take("a").await.seat();
    scene.source.before_nth(Target::new(Verb::Delete, "Lease"), 1, |server, _| {
        server.edit(&lease_key(), |lease| lease["spec"]["holderIdentity"] = json!(identity("b").holder()));
    });
    assert_eq!(seat.release(None).await, []);
    assert_eq!(scene.holders(), [Some("b".to_owned()), None]);
}

#[tokio::test(start_paused = true)]
async fn a_side_that_does_not_answer_keeps_its_lease() {
    let scene = Scene::new();
    let seat = scene.take("a").await.seat();
    scene.source.set_down(true);
    let left = seat.release(None).await;
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].side, left[0].object.name.as_str()), (Side::Source, "pivotctl"));
    assert_eq!(scene.holders(), [Some("a".to_owned()), None]);
}

#[tokio::test(start_paused = true)]
async fn every_request_may_go_wrong_once() {
    let good = Scene::new();
    release(&good, async |scene| scene.target.clear_history()).await;
    let requests = good.target.history().len();
    assert!(requests > 10);
    for action in [
        Action::DropBefore,
        Action::DropAfter,
        Action::Truncate,
        Action::HangAfter,
        Action::status(500, "InternalError"),
        Action::status(503, "ServiceUnavailable"),
    ] {
        for n in 1..=requests {
            let what = format!("request {n} meets {action:?}");
            let scene = Scene::new();
            let left = release(&scene, async |scene| {
                scene.target.inject(Fault::new(Target::any(), action.clone()).nth(n));
            })
            .await;
            assert_eq!(scene.holders(), [None, None], "{what}: {left:?}");
            scene.target.gc();
            let there = scene.target.get(&namespace_key()).is_some();
            assert_eq!(there, !left.is_empty(), "{what}: what stays is told: {left:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_may_not_be_deleted_is_told() {
    let scene = Scene::new();
    let seat = scene.take("a").await.seat();
    for side in SIDES {
        scene.server(side).deny_access(Target::new(Verb::Delete, "Lease"));
    }
    let left = seat.release(None).await;
    assert_eq!(left.iter().map(|left| left.side).collect::<Vec<_>>(), SIDES);
    assert!(left[0].reason.contains("cannot delete"), "{left:?}");
    assert_eq!(scene.source.count(&leases()), 5, "get, create twice, get, delete");
}
