//! What passes untouched, and what is seen of it.

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::join_all;
use http::{Method, Request, header};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use pivot_testbed::{
    assets_or_skip,
    client::{Patch, PlaneClient},
    kind::Gvk,
    proxy::Proxy,
    traffic::{Outcome, Target, Verb},
};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{Scene, creates, next_line, send, until, within};

const REVIEW: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// Who the API server takes the client for.
async fn user(client: &PlaneClient) -> Value {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    send(client, REVIEW, &review).await.unwrap()["status"]["userInfo"].take()
}

/// A client with these credentials instead of those of the proxy's kubeconfig.
async fn client_of(proxy: &Proxy, credentials: AuthInfo) -> PlaneClient {
    let kubeconfig = Kubeconfig::read_from(proxy.kubeconfig()).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.auth_info = credentials;
    config.default_retry = false;
    PlaneClient::new(kube::Client::try_from(config).unwrap())
}

#[tokio::test]
async fn requests_pass_and_are_recorded() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let patch = json!({"data": {"a": "1"}});
    scene.create("one").await.unwrap();
    let patched = scene
        .client
        .patch(Gvk::CONFIG_MAP, Some(&scene.namespace), "one", Patch::Merge, &patch, "me")
        .await
        .unwrap();
    assert_eq!(patched["data"]["a"], "1");
    assert_eq!(scene.create("one").await.unwrap_err().code(), Some(409));
    let uid = patched["metadata"]["uid"].clone();
    let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}});
    let path = format!("{}/one", scene.collection());
    scene.client.send(Method::DELETE, &path, "application/json", Some(&options)).await.unwrap();
    assert!(!scene.exists("one").await);

    let writes = scene.proxy.writes();
    let told: Vec<_> = writes
        .iter()
        .map(|entry| {
            let call = &entry.call;
            assert_eq!(
                [&call.namespace, &call.name, &call.user],
                [&scene.namespace, "one", "kubernetes-admin"]
            );
            (call.verb, call.kind.as_str(), entry.outcome)
        })
        .collect();
    let configmap = |verb, code| (verb, "ConfigMap", Outcome::Answered(code));
    assert_eq!(
        told,
        [
            configmap(Verb::Create, 201),
            configmap(Verb::Patch, 200),
            configmap(Verb::Create, 409),
            configmap(Verb::Delete, 200)
        ]
    );
    assert_eq!(writes[3].call.body.as_ref().unwrap()["preconditions"]["uid"], uid);
    assert!(writes.is_sorted_by_key(|entry| entry.call.number));
    assert_eq!(scene.proxy.count(&creates()), 2);
    scene.proxy.clear_history();
    assert!(scene.proxy.history().is_empty());
}

#[tokio::test]
async fn a_kind_that_is_new_is_known_at_once() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    // The proxy has asked for the kinds by now.
    scene.create("any").await.unwrap();
    let group = format!("{}.example.io", scene.namespace);
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    scene.direct.create(&crd, "me").await.unwrap();
    let api_version = format!("{group}/v1");
    let gvk = Gvk::from_api_version(&api_version, "Widget");
    until("the new kind to be served", async || scene.direct.served(&gvk).await.is_ok()).await;
    let widget = json!({"apiVersion": api_version, "kind": "Widget",
        "metadata": {"name": "w", "namespace": scene.namespace}, "status": {"ready": true}});
    scene.client.create_with_status(&widget, "me").await.unwrap();
    assert_eq!(scene.proxy.count(&Target::new(Verb::Create, "Widget")), 1);
    assert_eq!(scene.proxy.count(&Target::new(Verb::Update, "Widget/status")), 1);
    assert_eq!(scene.proxy.count(&Target::new(Verb::Update, "Widget")), 0);
}

#[tokio::test]
async fn clients_are_to_the_api_server_who_they_are_to_the_proxy() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    assert_eq!(user(&scene.client).await["username"], "kubernetes-admin");

    let jane = scene.proxy.user_kubeconfig(scene.plane, "jane", Some("people")).await.unwrap();
    let jane = scene.another(&jane).await;
    let told = user(&jane).await;
    assert_eq!(told["username"], "jane");
    assert!(told["groups"].as_array().unwrap().contains(&json!("people")));
    let denied = send(&jane, &scene.collection(), &scene.object("hers")).await.unwrap_err();
    assert_eq!(denied.code(), Some(403), "she may not do what the administrator may");
    assert_eq!(scene.proxy.writes().last().unwrap().call.user, "jane");
}

#[tokio::test]
async fn impersonation_and_tokens_pass() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let request = Request::post(REVIEW)
        .header(header::CONTENT_TYPE, "application/json")
        .header("Impersonate-User", "pivot")
        .header("Impersonate-Extra-example.io%2fid", "p-1")
        .body(review.to_string().into_bytes())
        .unwrap();
    let told: Value = scene.client.kube().request(request).await.unwrap();
    let told = &told["status"]["userInfo"];
    assert_eq!((&told["username"], &told["extra"]["example.io/id"]), (&json!("pivot"), &json!(["p-1"])));
    let seen = scene.proxy.writes().pop().unwrap().call;
    assert_eq!((seen.user.as_str(), seen.extra["example.io/id"].as_str()), ("pivot", "p-1"));

    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "robot", "namespace": scene.namespace}});
    scene.direct.create(&account, "me").await.unwrap();
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/robot/token", scene.namespace);
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let token = send(&scene.direct, &path, &request).await.unwrap()["status"]["token"].take();
    let credentials: AuthInfo = serde_json::from_value(json!({"token": token})).unwrap();
    let robot = client_of(&scene.proxy, credentials).await;
    let name = format!("system:serviceaccount:{}:robot", scene.namespace);
    assert_eq!(user(&robot).await["username"], name.as_str());
}

#[tokio::test]
async fn strangers_are_refused() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let nobody = client_of(&scene.proxy, AuthInfo::default()).await;
    assert_eq!(nobody.get_text("/version").await.unwrap_err().code(), Some(401));
    // Signed by the same authority, but the proxy has not the key.
    let identity = scene.plane.authority().client("kubernetes-admin", Some("system:masters")).unwrap();
    let credentials: AuthInfo = serde_json::from_value(json!({
        "client-certificate-data": BASE64_STANDARD.encode(identity.certificate),
        "client-key-data": BASE64_STANDARD.encode(identity.key),
    }))
    .unwrap();
    let stranger = client_of(&scene.proxy, credentials).await;
    assert_eq!(stranger.get_text("/version").await.unwrap_err().code(), Some(401));
}

#[tokio::test]
async fn events_of_a_watch_pass_as_they_come() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let mut watch = scene.watch().await;
    for name in ["a", "b"] {
        // The next is created only when the last was told.
        scene.create(name).await.unwrap();
        let event: Value = serde_json::from_str(&next_line(&mut watch).await.unwrap()).unwrap();
        assert_eq!((&event["type"], &event["object"]["metadata"]["name"]), (&json!("ADDED"), &json!(name)));
    }
}

#[tokio::test]
async fn many_requests_pass_at_the_same_time() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let all = (0..100).map(|number| {
        let (scene, name) = (&scene, format!("n-{number}"));
        async move { scene.create(&name).await }
    });
    assert!(join_all(all).await.iter().all(Result::is_ok));
    // Enough for the API server to compress it.
    let big = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"},
        "data": {"text": "x".repeat(500_000)}});
    send(&scene.client, &scene.collection(), &big).await.unwrap();
    assert_eq!(scene.list().await.unwrap().len(), 101);
    let applied = scene.proxy.writes().iter().filter(|entry| entry.outcome.applied()).count();
    assert_eq!(applied, 101);
}

#[tokio::test]
async fn a_dropped_proxy_is_gone() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let mut watch = scene.watch().await;
    let address = scene.proxy.address().trim_start_matches("https://").to_owned();
    TcpStream::connect(&address).await.unwrap();
    drop(scene.proxy);
    assert!(next_line(&mut watch).await.is_err(), "its connections break");
    assert!(within(TcpStream::connect(&address)).await.is_err());
}
