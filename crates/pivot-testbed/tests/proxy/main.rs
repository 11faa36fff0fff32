//! The proxy in front of a real plane: what passes, what breaks, and what stops until it is told to go on.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

mod faults;
mod gates;
mod link;
mod outage;
mod passing;

use std::{io, path::Path, time::Duration};

use futures::{AsyncBufRead, AsyncBufReadExt};
use http::Request;
use pivot_testbed::{
    Error, Result,
    assets::Assets,
    client::{PlaneClient, Progress, wait_until},
    kind::Gvk,
    plane::{Plane, PlaneOptions},
    proxy::Proxy,
    traffic::{Outcome, Target, Verb},
    unique_name,
};
use serde_json::{Value, json};
use tokio::{sync::OnceCell, time::timeout};

/// How long anything may take that is to happen.
const DEADLINE: Duration = Duration::from_secs(120);

/// A proxy of its own in front of a plane that all tests share, and a namespace there.
struct Scene<'a> {
    plane: &'a Plane,
    proxy: Proxy,
    namespace: String,
    /// Through the proxy.
    client: PlaneClient,
    /// Past it.
    direct: PlaneClient,
}

impl Scene<'static> {
    async fn new(assets: &Assets) -> Self {
        static PLANE: OnceCell<Plane> = OnceCell::const_new();
        let start = || async { Plane::start(assets, "proxied", &PlaneOptions::bare()).await.unwrap() };
        Self::on(PLANE.get_or_init(start).await).await
    }
}

impl<'a> Scene<'a> {
    async fn on(plane: &'a Plane) -> Self {
        let proxy = Proxy::start(plane).await.unwrap();
        let namespace = unique_name("proxy");
        let direct = plane.client().await.unwrap();
        direct.ensure_namespace(&namespace).await.unwrap();
        let client = plane.client_with(proxy.kubeconfig()).await.unwrap();
        Self { plane, proxy, namespace, client, direct }
    }

    /// A client with connections of its own.
    async fn another(&self, kubeconfig: &Path) -> PlaneClient {
        self.plane.client_with(kubeconfig).await.unwrap()
    }

    fn collection(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.namespace)
    }

    fn object(&self, name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace}})
    }

    /// Creates a ConfigMap through the proxy.
    async fn create(&self, name: &str) -> Result<Value> {
        send(&self.client, &self.collection(), &self.object(name)).await
    }

    /// Lists the ConfigMaps through the proxy.
    async fn list(&self) -> Result<Vec<String>> {
        Ok(names(&read(&self.client, &self.collection()).await?))
    }

    /// True if the plane has this ConfigMap.
    async fn exists(&self, name: &str) -> bool {
        self.direct.get(Gvk::CONFIG_MAP, Some(&self.namespace), name).await.unwrap().is_some()
    }

    /// The lines of a watch through the proxy, from now on.
    async fn watch(&self) -> impl AsyncBufRead + Unpin + use<> {
        let now = read(&self.direct, &self.collection()).await.unwrap();
        let version = now["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let path = format!("{}?watch=true&resourceVersion={version}", self.collection());
        let request = Request::get(path).body(Vec::new()).unwrap();
        Box::pin(within(self.client.kube().request_stream(request)).await.unwrap())
    }

    /// What became of the last request for a ConfigMap.
    fn last(&self) -> Outcome {
        let all = self.proxy.history();
        all.iter().rfind(|entry| entry.call.kind == "ConfigMap").unwrap().outcome
    }
}

/// Waits for a condition.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    wait_until(what, DEADLINE, async || {
        Ok(if condition().await { Progress::Done(()) } else { Progress::Pending(String::new()) })
    })
    .await
    .unwrap();
}

async fn send(client: &PlaneClient, path: &str, body: &Value) -> Result<Value> {
    within(client.send(http::Method::POST, path, "application/json", Some(body))).await
}

async fn read(client: &PlaneClient, path: &str) -> Result<Value> {
    within(client.send(http::Method::GET, path, "application/json", None)).await
}

async fn next_line(watch: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    within(watch.read_line(&mut line)).await?;
    Ok(line)
}

/// What must come to an end.
async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("it comes to an end")
}

/// True if it has no end: a moment is given to prove the contrary.
async fn hangs<T>(what: impl Future<Output = T>) -> bool {
    timeout(Duration::from_millis(300), what).await.is_err()
}

fn creates() -> Target {
    Target::new(Verb::Create, "ConfigMap")
}

fn lists() -> Target {
    Target::new(Verb::List, "ConfigMap")
}

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// True if the connection broke: there is no answer and no text that could not be read.
fn is_broken(error: &Error) -> bool {
    let Error::Api { source, .. } = error else { return false };
    matches!(**source, kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_))
}

/// True if the peer reset the connection instead of closing it.
fn is_reset(error: &Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if error.downcast_ref().is_some_and(|io: &io::Error| io.kind() == io::ErrorKind::ConnectionReset) {
            return true;
        }
        source = error.source();
    }
    false
}
