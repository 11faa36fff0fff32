//! A small client for tests: raw JSON in, raw JSON out.
//!
//! It is deliberately not the client of the tool under test: a test that reads through the code it checks proves little.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use http::{Method, Request, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    Error, Result,
    kind::{Catalogue, Gvk, Served},
};

/// Requests in flight at the same time when many objects are written.
pub const CONCURRENCY: usize = 64;

const PAGE: usize = 500;
pub(crate) const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The kind of a PATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    /// RFC 7386.
    Merge,
    /// RFC 6902.
    Json,
    /// Server-side apply, taking over fields that others own.
    Apply,
}

impl Patch {
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::Json => "application/json-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// A client of one plane. Cheap to clone; bound to the async runtime it was made on.
#[derive(Clone)]
pub struct PlaneClient {
    kube: kube::Client,
    catalogue: Arc<RwLock<Option<Arc<Catalogue>>>>,
}

impl std::fmt::Debug for PlaneClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaneClient").finish_non_exhaustive()
    }
}

impl PlaneClient {
    /// Wraps a client.
    pub fn new(kube: kube::Client) -> Self {
        Self { kube, catalogue: Arc::default() }
    }

    /// The client inside.
    pub fn kube(&self) -> &kube::Client {
        &self.kube
    }

    /// GET of any path, as text.
    pub async fn get_text(&self, path: &str) -> Result<String> {
        let request = Request::get(path).body(Vec::new()).expect("BUG: a path makes a request");
        self.kube
            .request_text(request)
            .await
            .map_err(|source| Error::Api { what: format!("GET {path}"), source: Box::new(source) })
    }

    /// One request; `body` goes out as JSON.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::CONTENT_TYPE, content_type)
            .body(bytes)
            .expect("BUG: a path makes a request");
        self.kube
            .request(request)
            .await
            .map_err(|source| Error::Api { what: format!("{method} {path}"), source: Box::new(source) })
    }

    /// The kind as the cluster serves it. The cluster is asked once, and again for a kind unknown so far.
    pub async fn served(&self, gvk: &Gvk) -> Result<Served> {
        let known = self.catalogue.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(served) = known.and_then(|catalogue| catalogue.get(gvk).cloned()) {
            return Ok(served);
        }
        let catalogue = self.discover().await?;
        catalogue.get(gvk).cloned().ok_or_else(|| Error::UnknownKind(gvk.clone()))
    }

    /// Every kind the cluster serves now, each in its preferred version.
    pub async fn kinds(&self) -> Result<Vec<Served>> {
        Ok(self.discover().await?.preferred().cloned().collect())
    }

    async fn discover(&self) -> Result<Arc<Catalogue>> {
        let (core, groups) =
            tokio::try_join!(self.discovery_document("/api"), self.discovery_document("/apis"))?;
        let catalogue = Arc::new(Catalogue::read(&[core, groups]));
        *self.catalogue.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&catalogue));
        Ok(catalogue)
    }

    async fn discovery_document(&self, path: &str) -> Result<Value> {
        let request = Request::get(path)
            .header(header::ACCEPT, AGGREGATED)
            .body(Vec::new())
            .expect("BUG: a path makes a request");
        self.kube
            .request(request)
            .await
            .map_err(|source| Error::Api { what: format!("GET {path}"), source: Box::new(source) })
    }

    /// One object, or `None` if it does not exist.
    pub async fn get(&self, gvk: &Gvk, namespace: Option<&str>, name: &str) -> Result<Option<Value>> {
        let path = self.served(gvk).await?.path(namespace, Some(name));
        match self.send(Method::GET, &path, "application/json", None).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.code() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every object of a kind, in one namespace or in all. Items carry `apiVersion` and `kind`, which lists leave out.
    pub async fn list(&self, gvk: &Gvk, namespace: Option<&str>) -> Result<Vec<Value>> {
        let served = self.served(gvk).await?;
        self.list_served(&served, namespace).await
    }

    pub(crate) async fn list_served(&self, served: &Served, namespace: Option<&str>) -> Result<Vec<Value>> {
        let path = served.path(namespace, None);
        let mut objects = Vec::new();
        let mut token = String::new();
        loop {
            let page = format!("{path}?limit={PAGE}{token}");
            let mut list = self.send(Method::GET, &page, "application/json", None).await?;
            if let Value::Array(items) = list["items"].take() {
                objects.extend(items.into_iter().map(|mut item| {
                    item["apiVersion"] = served.gvk.api_version().into();
                    item["kind"] = served.gvk.kind.clone().into();
                    item
                }));
            }
            match list["metadata"]["continue"].as_str() {
                Some(next) if !next.is_empty() => token = format!("&continue={next}"),
                _ => return Ok(objects),
            }
        }
    }

    /// Creates an object as `manager`.
    pub async fn create(&self, object: &Value, manager: &str) -> Result<Value> {
        let path = self.collection_of(object).await?;
        let path = format!("{path}?fieldManager={manager}");
        self.send(Method::POST, &path, "application/json", Some(object)).await
    }

    /// Replaces the status of an object that was read or created just before. `status` becomes its whole status.
    pub async fn put_status(&self, object: &Value, status: Value, manager: &str) -> Result<Value> {
        let mut object = object.clone();
        object["status"] = status;
        let path = format!("{}/status?fieldManager={manager}", self.path_of(&object).await?);
        self.send(Method::PUT, &path, "application/json", Some(&object)).await
    }

    /// Creates an object, then writes the status it carries.
    pub async fn create_with_status(&self, object: &Value, manager: &str) -> Result<Value> {
        let created = self.create(object, manager).await?;
        match object.get("status") {
            Some(status) => self.put_status(&created, status.clone(), manager).await,
            None => Ok(created),
        }
    }

    /// Changes an object as `manager`. For [`Patch::Apply`] the object need not exist.
    pub async fn patch(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        name: &str,
        patch: Patch,
        body: &Value,
        manager: &str,
    ) -> Result<Value> {
        let path = self.served(gvk).await?.path(namespace, Some(name));
        let force = if patch == Patch::Apply { "&force=true" } else { "" };
        let path = format!("{path}?fieldManager={manager}{force}");
        self.send(Method::PATCH, &path, patch.content_type(), Some(body)).await
    }

    /// Server-side apply of a manifest as `manager`.
    pub async fn apply(&self, object: &Value, manager: &str) -> Result<Value> {
        let path = format!("{}?fieldManager={manager}&force=true", self.path_of(object).await?);
        self.send(Method::PATCH, &path, Patch::Apply.content_type(), Some(object)).await
    }

    /// Deletes an object in the background; an object that does not exist is no error.
    pub async fn delete(&self, gvk: &Gvk, namespace: Option<&str>, name: &str) -> Result<()> {
        let path = self.served(gvk).await?.path(namespace, Some(name));
        let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        match self.send(Method::DELETE, &path, "application/json", Some(&options)).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(404) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Creates a namespace; one that exists is no error.
    pub async fn ensure_namespace(&self, name: &str) -> Result<()> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        match self.create(&namespace, "kubectl-create").await {
            Ok(_) => Ok(()),
            Err(error) if error.is_already_exists() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Applies objects that do not depend on each other, many at a time.
    pub async fn apply_all(&self, objects: &[Value], manager: &str) -> Result<Vec<Value>> {
        stream::iter(objects.iter().map(|object| self.apply(object, manager)))
            .buffered(CONCURRENCY)
            .try_collect()
            .await
    }

    async fn collection_of(&self, object: &Value) -> Result<String> {
        let gvk = Gvk::of(object).ok_or(Error::Malformed("apiVersion and kind"))?;
        Ok(self.served(&gvk).await?.path(object["metadata"]["namespace"].as_str(), None))
    }

    async fn path_of(&self, object: &Value) -> Result<String> {
        let name = object["metadata"]["name"].as_str().ok_or(Error::Malformed("metadata.name"))?;
        Ok(format!("{}/{name}", self.collection_of(object).await?))
    }
}

/// What a condition that is waited for says.
#[derive(Debug, Clone)]
pub enum Progress<T> {
    /// It holds.
    Done(T),
    /// Not yet; this was seen.
    Pending(String),
}

/// Asks again and again until the answer is [`Progress::Done`], or fails after `deadline` with what was seen last.
///
/// ```no_run
/// # use std::time::Duration;
/// # use pivot_testbed::{client::{PlaneClient, Progress, wait_until}, kind::Gvk, Result};
/// # async fn example(client: PlaneClient) -> Result<()> {
/// wait_until("the namespace to go", Duration::from_secs(300), async || {
///     Ok(match client.get(Gvk::NAMESPACE, None, "old").await? {
///         None => Progress::Done(()),
///         Some(namespace) => Progress::Pending(namespace["status"]["phase"].to_string()),
///     })
/// })
/// .await
/// # }
/// ```
pub async fn wait_until<T, F>(what: &str, deadline: Duration, mut condition: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Progress<T>>,
{
    let end = Instant::now() + deadline;
    loop {
        let seen = match condition().await? {
            Progress::Done(value) => return Ok(value),
            Progress::Pending(seen) => seen,
        };
        if Instant::now() >= end {
            return Err(Error::Timeout {
                what: what.to_owned(),
                seconds: deadline.as_secs(),
                last: Some(seen).filter(|seen| !seen.is_empty()),
            });
        }
        sleep(Duration::from_millis(50)).await;
    }
}
