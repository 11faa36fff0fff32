//! What the controllers of every cluster do: garbage, namespaces, quotas; and who may stop them.

use std::time::Duration;

use http::Method;
use pivot_testbed::fake::{CrdSpec, FakeServer, Verb};
use serde_json::{Value, json};

use crate::{WIDGETS, create, delete, get, key, names, patch, refusal, send, server, widget};

const SECRETS: &str = "/api/v1/namespaces/ns/secrets";

fn uid(server: &FakeServer, name: &str) -> Value {
    server.get(&key("Widget", name)).expect("it exists")["metadata"]["uid"].clone()
}

fn owned_by(name: &str, owners: &[(&str, Value)]) -> Value {
    let mut object = widget(name);
    object["metadata"]["ownerReferences"] = owners
        .iter()
        .map(|(name, uid)| {
            json!({"apiVersion": "example.io/v1", "kind": "Widget", "name": name, "uid": uid,
                "blockOwnerDeletion": true})
        })
        .collect();
    object
}

fn left(server: &FakeServer) -> Vec<String> {
    server.dump().into_keys().filter(|key| key.kind == "Widget").map(|key| key.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_owner_has_another_uid_goes() {
    let server = server();
    server.load([widget("owner"), owned_by("child", &[("owner", "of-the-source".into())])]);
    let solid = uid(&server, "owner");
    server.load([owned_by("kept", &[("owner", solid)])]);
    assert_eq!(server.gc(), [key("Widget", "child")]);
    assert_eq!(left(&server), ["kept", "owner"]);
}

#[tokio::test(start_paused = true)]
async fn a_chain_goes_when_its_head_goes() {
    let server = server();
    server.load([widget("a")]);
    server.load([owned_by("b", &[("a", uid(&server, "a"))])]);
    server.load([owned_by("c", &[("b", uid(&server, "b"))])]);
    assert!(server.gc().is_empty());
    delete(&server.client(), "a", &json!({})).await.unwrap();
    server.gc();
    assert!(left(&server).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_solid_owner_keeps_the_child_and_the_dangling_reference_goes() {
    let server = server();
    server.load([widget("owner")]);
    let solid = uid(&server, "owner");
    server.load([owned_by("child", &[("owner", solid.clone()), ("absent", "x".into())])]);
    assert!(server.gc().is_empty());
    let child = server.get(&key("Widget", "child")).unwrap();
    let owners = child["metadata"]["ownerReferences"].as_array().unwrap();
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0]["uid"], solid);
}

#[tokio::test(start_paused = true)]
async fn an_owner_in_another_namespace_is_absent_and_one_of_unknown_kind_is_left_alone() {
    let server = server();
    let mut far = widget("far");
    far["metadata"]["namespace"] = "other".into();
    far["metadata"]["uid"] = "far-uid".into();
    let mut unknown = widget("unknown");
    unknown["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "nobody.io/v1", "kind": "Unserved", "name": "x", "uid": "x"}]);
    server.load([far, owned_by("child", &[("far", "far-uid".into())]), unknown]);
    assert_eq!(server.gc(), [key("Widget", "child")]);
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_holds_what_the_collector_deletes() {
    let server = server();
    let mut child = owned_by("child", &[("absent", "x".into())]);
    child["metadata"]["finalizers"] = json!(["x.io/hold"]);
    server.load([child]);
    assert!(server.gc().is_empty());
    let held = server.get(&key("Widget", "child")).unwrap();
    assert!(held["metadata"]["deletionTimestamp"].is_string());
}

#[tokio::test(start_paused = true)]
async fn orphans_stay_and_foreground_waits() {
    for (policy, expected) in [("Orphan", &["child"][..]), ("Foreground", &[])] {
        let server = server();
        server.load([widget("owner")]);
        server.load([owned_by("child", &[("owner", uid(&server, "owner"))])]);
        delete(&server.client(), "owner", &json!({"propagationPolicy": policy})).await.unwrap();
        assert_eq!(left(&server).len(), 2, "the owner waits for the collector");
        server.gc();
        assert_eq!(left(&server), expected, "{policy}");
        if policy == "Orphan" {
            let child = server.get(&key("Widget", "child")).unwrap();
            assert!(child["metadata"].get("ownerReferences").is_none());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_collector_can_run_by_itself() {
    let server = server();
    let collector = server.spawn_gc(Duration::from_millis(60));
    tokio::task::yield_now().await;
    let orphan = owned_by("child", &[("absent", "x".into())]);
    send(&server.client(), Method::POST, WIDGETS, Some(&orphan)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(59)).await;
    assert_eq!(left(&server), ["child"]);
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(left(&server).is_empty());
    drop(collector);
    send(&server.client(), Method::POST, WIDGETS, Some(&orphan)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(left(&server), ["child"]);
}

#[tokio::test(start_paused = true)]
async fn admission_stops_people_and_the_collector_but_not_the_tool() {
    let server = server();
    server.load([owned_by("child", &[("absent", "x".into())])]);
    server.admit(|review| {
        let ours = review.extra.get("pivot.metal3.io/id").is_some_and(|id| id == "7");
        if ours || review.kind != "Widget" { Ok(()) } else { Err("fenced".to_owned()) }
    });
    let client = server.client();
    assert!(server.gc().is_empty());
    for refused in [
        create(&client, "a").await,
        patch(&client, "child", &json!({"spec": {"size": 2}})).await,
        delete(&client, "child", &json!({})).await,
    ] {
        assert_eq!(refusal(refused), (422, "Invalid".to_owned()));
    }
    let request = http::Request::post(WIDGETS)
        .header("content-type", "application/json")
        .header("impersonate-user", "pivot")
        .header("impersonate-extra-pivot.metal3.io%2fid", "7")
        .body(widget("ours").to_string().into_bytes())
        .unwrap();
    client.request::<Value>(request).await.unwrap();
    let write = server.writes().pop().unwrap();
    assert_eq!((write.call.verb, write.call.user.as_str()), (Verb::Create, "pivot"));
    server.clear_admission();
    assert_eq!(server.gc(), [key("Widget", "child")]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_ends_when_nothing_is_left_in_it() {
    let server = server();
    let client = server.client();
    let mut held = widget("held");
    held["metadata"]["finalizers"] = json!(["x.io/hold"]);
    server.load([widget("free"), held]);
    let answer = send(&client, Method::DELETE, "/api/v1/namespaces/ns", None).await.unwrap();
    assert_eq!(answer["status"]["phase"], "Terminating");
    let refused = create(&client, "late").await;
    assert_eq!(refusal(refused), (403, "Forbidden".to_owned()));
    assert_eq!(server.gc(), [key("Widget", "free")]);
    assert!(server.get(&key("Namespace", "ns")).is_some());
    patch(&client, "held", &json!({"metadata": {"finalizers": null}})).await.unwrap();
    assert_eq!(server.gc(), [key("Namespace", "ns")]);
    assert_eq!(refusal(create(&client, "late").await), (404, "NotFound".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_quota_refuses_one_too_many() {
    let server = server();
    let client = server.client();
    server.load([json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": "ns"},
        "spec": {"hard": {"count/widgets.example.io": "1", "secrets": "0"}}})]);
    create(&client, "a").await.unwrap();
    assert_eq!(refusal(create(&client, "b").await), (403, "Forbidden".to_owned()));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
    assert_eq!(refusal(send(&client, Method::POST, SECRETS, Some(&secret)).await).0, 403);
    server.gc();
    let quota = server.get(&key("ResourceQuota", "q")).unwrap();
    assert_eq!(quota["status"]["used"], json!({"count/widgets.example.io": "1", "secrets": "0"}));
}

#[tokio::test(start_paused = true)]
async fn strict_validation_names_fields_and_the_default_drops_them() {
    let server = server();
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object",
        "properties": {"size": {"type": "integer"}}}}});
    server.register(&CrdSpec::new("example.io", "Strict", "v1").plural("stricts").schema(schema));
    let client = server.client();
    let path = "/apis/example.io/v1/namespaces/ns/stricts";
    let body = json!({"apiVersion": "example.io/v1", "kind": "Strict", "metadata": {"name": "a"},
        "spec": {"size": 1, "bogus": 2}});
    let refused = send(&client, Method::POST, &format!("{path}?fieldValidation=Strict"), Some(&body)).await;
    let Err(kube::Error::Api(status)) = refused else { panic!("not refused: {refused:?}") };
    assert_eq!(status.code, 400);
    assert!(status.message.contains("unknown field \"spec.bogus\""), "{}", status.message);
    let created = send(&client, Method::POST, path, Some(&body)).await.unwrap();
    assert_eq!(created["spec"], json!({"size": 1}));
    assert_eq!(names(&get(&client, path).await.unwrap()), ["a"]);
}
