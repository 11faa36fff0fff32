//! The API server in memory: what it stores, tells, breaks and collects. What it answers is held against the real one in
//! `fake_parity.rs`.

mod controllers;
mod faults;
mod objects;
mod watches;

use http::{Method, Request, header};
use kube::Client;
use pivot_testbed::{
    dump::Key,
    fake::{CrdSpec, FakeServer},
};
use serde_json::{Value, json};

const WIDGETS: &str = "/apis/example.io/v1/namespaces/ns/widgets";

/// A server with the namespace `ns` and the namespaced kind `Widget` of `example.io/v1`.
fn server() -> FakeServer {
    let server = FakeServer::new("test");
    server.register(&CrdSpec::new("example.io", "Widget", "v1"));
    server.load([json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})]);
    server
}

fn widget(name: &str) -> Value {
    json!({"apiVersion": "example.io/v1", "kind": "Widget",
        "metadata": {"name": name, "namespace": "ns"}, "spec": {"size": 1}})
}

fn key(kind: &str, name: &str) -> Key {
    let group = if kind == "Widget" { "example.io" } else { "" };
    let namespace = if kind == "Namespace" { "" } else { "ns" };
    Key { group: group.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() }
}

/// One request; an answer that is no success is an error.
async fn send(client: &Client, method: Method, path: &str, body: Option<&Value>) -> kube::Result<Value> {
    let media = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, media);
    client.request(request.body(body).expect("a path makes a request")).await
}

async fn get(client: &Client, path: &str) -> kube::Result<Value> {
    send(client, Method::GET, path, None).await
}

async fn create(client: &Client, name: &str) -> kube::Result<Value> {
    send(client, Method::POST, WIDGETS, Some(&widget(name))).await
}

async fn patch(client: &Client, name: &str, body: &Value) -> kube::Result<Value> {
    send(client, Method::PATCH, &format!("{WIDGETS}/{name}"), Some(body)).await
}

async fn delete(client: &Client, name: &str, options: &Value) -> kube::Result<Value> {
    send(client, Method::DELETE, &format!("{WIDGETS}/{name}"), Some(options)).await
}

/// The code and reason of a refusal.
fn refusal<T: std::fmt::Debug>(answer: kube::Result<T>) -> (u16, String) {
    match answer {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone()),
        other => panic!("not refused: {other:?}"),
    }
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().expect("a list has items");
    items.iter().filter_map(|item| item["metadata"]["name"].as_str()).collect()
}
