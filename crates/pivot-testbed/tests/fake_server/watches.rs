//! What a watch tells.

use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt, pin_mut, stream::BoxStream};
use http::{Request, header};
use kube::{
    Api, Client,
    api::{DynamicObject, WatchEvent, WatchParams},
    core::{ApiResource, GroupVersionKind},
};
use pivot_testbed::fake::FakeServer;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::{WIDGETS, create, delete, key, patch, server};

/// The lines of a watch as type and object.
async fn watch(client: &Client, query: &str, accept: &str) -> BoxStream<'static, (String, Value)> {
    let request = Request::get(format!("{WIDGETS}?watch=true&{query}")).header(header::ACCEPT, accept);
    let request = request.body(Vec::new()).expect("a path makes a request");
    let lines = client.request_stream(request).await.expect("the watch opens").lines();
    lines
        .map(|line| {
            let line = line.expect("the stream does not break");
            let event: Value = serde_json::from_str(&line).expect("a line is JSON");
            (event["type"].as_str().unwrap_or_default().to_owned(), event["object"].clone())
        })
        .boxed()
}

async fn told(events: &mut BoxStream<'static, (String, Value)>, count: usize) -> Vec<String> {
    let next = events
        .take(count)
        .map(|(kind, object)| format!("{kind} {}", object["metadata"]["name"].as_str().unwrap_or_default()));
    timeout(Duration::from_secs(1), next.collect()).await.expect("the events come")
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_changes_since_its_version_in_order() {
    let server = server();
    let client = server.client();
    create(&client, "before").await.unwrap();
    let from = server.revision();
    create(&client, "a").await.unwrap();
    let mut events = watch(&client, &format!("resourceVersion={from}"), "application/json").await;
    assert_eq!(told(&mut events, 1).await, ["ADDED a"]);
    patch(&client, "a", &json!({"spec": {"size": 2}})).await.unwrap();
    patch(&client, "a", &json!({"spec": {"size": 2}})).await.unwrap();
    delete(&client, "a", &json!({})).await.unwrap();
    create(&client, "a").await.unwrap();
    assert_eq!(told(&mut events, 3).await, ["MODIFIED a", "DELETED a", "ADDED a"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_version_begins_with_what_there_is() {
    let server = server();
    let client = server.client();
    create(&client, "a").await.unwrap();
    let mut events = watch(&client, "", "application/json").await;
    assert_eq!(told(&mut events, 1).await, ["ADDED a"]);
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut events = watch(&client, query, "application/json").await;
    assert_eq!(told(&mut events, 1).await, ["ADDED a"]);
    let (kind, bookmark) = events.next().await.unwrap();
    assert_eq!(kind, "BOOKMARK");
    assert_eq!(bookmark["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test(start_paused = true)]
async fn bookmarks_tell_the_version_every_minute() {
    let server = server();
    let client = server.client();
    let query = format!("resourceVersion={}&allowWatchBookmarks=true", server.revision());
    let mut events = watch(&client, &query, "application/json").await;
    // Another kind's change moves the bookmark and nothing else.
    let begun = Instant::now();
    server
        .load([json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}})]);
    let (kind, bookmark) = events.next().await.unwrap();
    assert_eq!((kind.as_str(), begun.elapsed().as_secs()), ("BOOKMARK", 60));
    assert_eq!(bookmark["metadata"]["resourceVersion"], server.revision().to_string());
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_metadata_tells_no_content() {
    let server = server();
    let client = server.client();
    let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let mut events = watch(&client, &format!("resourceVersion={}", server.revision()), accept).await;
    create(&client, "a").await.unwrap();
    let (_, object) = events.next().await.unwrap();
    assert_eq!(object["kind"], "PartialObjectMetadata");
    assert_eq!(object["metadata"]["name"], "a");
    assert!(object.get("spec").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_object_appears_and_disappears_with_its_label() {
    let server = server();
    let client = server.client();
    let query = format!("labelSelector=x%3D1&resourceVersion={}", server.revision());
    let mut events = watch(&client, &query, "application/json").await;
    create(&client, "a").await.unwrap();
    patch(&client, "a", &json!({"metadata": {"labels": {"x": "1"}}})).await.unwrap();
    patch(&client, "a", &json!({"spec": {"size": 2}})).await.unwrap();
    patch(&client, "a", &json!({"metadata": {"labels": {"x": "2"}}})).await.unwrap();
    assert_eq!(told(&mut events, 3).await, ["ADDED a", "MODIFIED a", "DELETED a"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_forgotten_ends_the_watch_with_410() {
    let server = server();
    let client = server.client();
    let from = server.revision();
    create(&client, "a").await.unwrap();
    server.compact();
    let mut events = watch(&client, &format!("resourceVersion={from}"), "application/json").await;
    let (kind, status) = events.next().await.unwrap();
    assert_eq!((kind.as_str(), &status["code"]), ("ERROR", &json!(410)));
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_at_its_timeout_and_when_the_server_drops_it() {
    let server = server();
    let client = server.client();
    let begun = Instant::now();
    let query = format!("resourceVersion={}&timeoutSeconds=7", server.revision());
    let mut events = watch(&client, &query, "application/json").await;
    assert!(events.next().await.is_none());
    assert_eq!(begun.elapsed().as_secs(), 7);
    let mut events =
        watch(&client, &format!("resourceVersion={}", server.revision()), "application/json").await;
    let dropper = {
        let server = server.clone();
        tokio::spawn(async move { server.drop_watches() })
    };
    let end = timeout(Duration::from_secs(1), events.next()).await.expect("the watch ends");
    assert!(end.is_none());
    dropper.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn kubes_own_watch_reads_it() {
    async fn next_names(server: &FakeServer) -> Vec<String> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("example.io", "v1", "Widget"));
        let api = Api::<DynamicObject>::namespaced_with(server.client(), "ns", &resource);
        let from = server.revision().to_string();
        let stream = api.watch(&WatchParams::default(), &from).await.expect("the watch opens");
        pin_mut!(stream);
        create(&server.client(), "a").await.expect("created");
        server.remove(&key("Widget", "a"));
        let mut names = Vec::new();
        while let (true, Some(event)) = (names.len() < 2, stream.try_next().await.expect("an event")) {
            names.push(match event {
                WatchEvent::Added(object) => format!("added {:?}", object.metadata.name),
                WatchEvent::Deleted(object) => format!("deleted {:?}", object.metadata.name),
                other => panic!("unexpected {other:?}"),
            });
        }
        names
    }
    assert_eq!(next_names(&server()).await, ["added Some(\"a\")", "deleted Some(\"a\")"]);
}
