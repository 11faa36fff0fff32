//! Reading objects: one, or all of a kind.

use std::collections::BTreeMap;
use std::time::Duration;

use pivot_core::kind::KindInfo;
use pivot_core::object::{Manifest, OwnerReference, Uid};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tokio::time::sleep;

use super::request::{JSON, METADATA_LIST};
use super::{Cluster, Failure, RawRequest, add_query, resource_path};

/// Objects a page. Larger ones gain nothing and hold more memory at once.
const PAGE: &str = "500";

/// How often a list begins anew because the cluster forgot the state that its pages came from.
const LIST_RESTARTS: u32 = 3;

/// Attempts for a read. Reading twice is harmless, and an API server that restarts refuses for a moment.
const READ_ATTEMPTS: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// What a list held at one moment.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// All items, of one state of the cluster.
    pub items: Vec<T>,
    /// That state: where a watch goes on.
    pub resource_version: String,
}

/// Metadata of an object, as far as strays need it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMetadata {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `metadata.ownerReferences`; malformed entries are left out.
    #[serde(default, deserialize_with = "owner_references")]
    pub owner_references: Vec<OwnerReference>,
    /// `metadata.annotations`.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// `metadata.deletionTimestamp`.
    pub deletion_timestamp: Option<String>,
}

pub(super) fn owner_references<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<OwnerReference>, D::Error> {
    let entries = Option::<Vec<Value>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(entries.iter().filter_map(OwnerReference::read).collect())
}

#[derive(Deserialize)]
struct MetadataOnly {
    metadata: ObjectMetadata,
}

#[derive(Deserialize)]
struct Page<T> {
    metadata: PageMetadata,
    items: Option<Vec<T>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageMetadata {
    resource_version: String,
    r#continue: String,
}

impl Cluster {
    /// One object; `None` where there is none, or no such kind.
    pub async fn get(
        &self,
        kind: &KindInfo,
        version: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Manifest>, Failure> {
        let path = resource_path(kind, version, namespace, Some(name), None);
        match self.read(RawRequest::get(path)).await {
            Ok(value) => Ok(Some(self::manifest(kind, version, value))),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// All objects of a kind, in one namespace or all, as they stood at one moment. Items carry `apiVersion` and `kind`, which
    /// API servers leave out in lists of built-in kinds.
    pub async fn list(
        &self,
        kind: &KindInfo,
        version: &str,
        namespace: Option<&str>,
    ) -> Result<Listed<Manifest>, Failure> {
        let path = resource_path(kind, version, namespace, None, None);
        let Listed { items, resource_version } = self.list_at(&path, JSON).await?;
        let items = items.into_iter().map(|item| manifest(kind, version, item)).collect();
        Ok(Listed { items, resource_version })
    }

    /// The metadata of all objects of a kind, in one namespace or all, as it stood at one moment.
    pub async fn list_metadata(
        &self,
        kind: &KindInfo,
        version: &str,
        namespace: Option<&str>,
    ) -> Result<Listed<ObjectMetadata>, Failure> {
        let path = resource_path(kind, version, namespace, None, None);
        let Listed { items, resource_version } = self.list_at::<MetadataOnly>(&path, METADATA_LIST).await?;
        Ok(Listed { items: items.into_iter().map(|item| item.metadata).collect(), resource_version })
    }

    /// All pages of a list. Pages after the first come from the state of the first; where the cluster has compacted that state
    /// away, pages of another would not fit, so the list begins anew.
    pub(super) async fn list_at<T: DeserializeOwned>(
        &self,
        path: &str,
        accept: &'static str,
    ) -> Result<Listed<T>, Failure> {
        let mut restarts = 0;
        'anew: loop {
            let mut items = Vec::new();
            let mut token = String::new();
            loop {
                let mut page_path = path.to_owned();
                add_query(&mut page_path, "limit", PAGE);
                if !token.is_empty() {
                    add_query(&mut page_path, "continue", &token);
                }
                let page: Page<T> = match self.read(RawRequest::get(page_path).accept(accept)).await {
                    Err(failure) if failure.is_expired() && restarts < LIST_RESTARTS => {
                        restarts += 1;
                        continue 'anew;
                    }
                    outcome => outcome?,
                };
                let new = page.items.unwrap_or_default();
                if items.is_empty() {
                    items = new;
                } else {
                    items.extend(new);
                }
                token = page.metadata.r#continue;
                if token.is_empty() {
                    return Ok(Listed { items, resource_version: page.metadata.resource_version });
                }
            }
        }
    }

    /// Sends a request that changes nothing, again where the server is busy or the answer was lost.
    pub(super) async fn read<T: DeserializeOwned>(&self, request: RawRequest) -> Result<T, Failure> {
        let mut backoff = FIRST_BACKOFF;
        for _ in 1..READ_ATTEMPTS {
            let failure = match self.request(request.clone()).await.and_then(|reply| reply.json()) {
                Err(failure) if is_transient(&failure) => failure,
                outcome => return outcome,
            };
            let asked = failure.refusal().and_then(|refusal| refusal.retry_after);
            sleep(asked.unwrap_or(backoff).min(LONGEST_BACKOFF)).await;
            backoff *= 2;
        }
        self.request(request).await?.json()
    }
}

fn is_transient(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(refusal) => matches!(refusal.status, 429 | 503 | 504),
        Failure::Unknown { .. } => true,
        Failure::NotSent { .. } => false,
    }
}

/// Fills in what the path of the request says.
pub(super) fn manifest(kind: &KindInfo, version: &str, mut item: Value) -> Manifest {
    if let Some(fields) = item.as_object_mut() {
        fill(fields, "kind", || kind.kind.kind.clone());
        fill(fields, "apiVersion", || match kind.kind.group.as_str() {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        });
    }
    Manifest::new(item)
}

fn fill(fields: &mut Map<String, Value>, field: &str, value: impl FnOnce() -> String) {
    if !fields.contains_key(field) {
        fields.insert(field.to_owned(), Value::String(value()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::json;

    use super::super::discovery::core_kind;
    use super::super::fake;
    use super::*;

    fn secrets() -> KindInfo {
        core_kind("Secret", "secrets")
    }

    fn page(names: &[&str], next: &str) -> Value {
        let items: Vec<_> =
            names.iter().map(|name| json!({"metadata": {"name": name, "namespace": "a"}})).collect();
        json!({"metadata": {"resourceVersion": "7", "continue": next}, "items": items})
    }

    fn names(listed: &Listed<Manifest>) -> Vec<&str> {
        listed.items.iter().map(Manifest::name).collect()
    }

    #[tokio::test]
    async fn pages_are_put_together_and_items_named() {
        let (cluster, seen) = fake::cluster(|request| match request.split_once("continue=") {
            None => fake::json(200, &page(&["x", "y"], "t/1")),
            Some(_) => fake::json(200, &page(&["z"], "")),
        });
        let listed = cluster.list(&secrets(), "v1", Some("a")).await.unwrap();
        assert_eq!((names(&listed), listed.resource_version.as_str()), (vec!["x", "y", "z"], "7"));
        assert_eq!((listed.items[0].api_version(), listed.items[0].kind()), ("v1", "Secret"));
        let path = "GET /api/v1/namespaces/a/secrets?limit=500";
        assert_eq!(*seen.lock().unwrap(), [path.to_owned(), format!("{path}&continue=t%2F1")]);
        assert_eq!(cluster.counters().sent(&http::Method::GET), 2);
        assert_eq!(cluster.counters().total(), 2);
    }

    #[tokio::test]
    async fn a_list_without_items_is_empty() {
        let (cluster, _) =
            fake::cluster(|_| fake::json(200, &json!({"metadata": {"resourceVersion": "7"}, "items": null})));
        assert!(cluster.list(&secrets(), "v1", None).await.unwrap().items.is_empty());
    }

    #[tokio::test]
    async fn a_list_begins_anew_when_its_state_is_gone() {
        let rounds = AtomicU32::new(0);
        let (cluster, _) = fake::cluster(move |request| {
            if !request.contains("continue=") {
                return fake::json(200, &page(&["x"], "token"));
            }
            match rounds.fetch_add(1, Ordering::Relaxed) {
                0 => fake::refusal(410, "Expired"),
                _ => fake::json(200, &page(&["y"], "")),
            }
        });
        let listed = cluster.list(&secrets(), "v1", None).await.unwrap();
        assert_eq!(names(&listed), ["x", "y"], "nothing of the first round is left");
    }

    #[tokio::test]
    async fn a_list_does_not_begin_anew_for_ever() {
        let (cluster, seen) = fake::cluster(|request| {
            if request.contains("continue=") {
                fake::refusal(410, "Expired")
            } else {
                fake::json(200, &page(&["x"], "token"))
            }
        });
        assert!(cluster.list(&secrets(), "v1", None).await.unwrap_err().is_expired());
        assert_eq!(seen.lock().unwrap().len(), 2 * (1 + LIST_RESTARTS as usize));
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_server_is_asked_again_and_then_given_up() {
        let times = AtomicU32::new(0);
        let (cluster, _) = fake::cluster(move |_| match times.fetch_add(1, Ordering::Relaxed) {
            0 => fake::refusal(429, "TooManyRequests"),
            1 => Err("reset".into()),
            _ => fake::json(200, &page(&[], "")),
        });
        cluster.list(&secrets(), "v1", None).await.unwrap();

        let (cluster, seen) = fake::cluster(|_| fake::refusal(503, "ServiceUnavailable"));
        assert_eq!(cluster.list(&secrets(), "v1", None).await.unwrap_err().status(), Some(503));
        assert_eq!(seen.lock().unwrap().len(), READ_ATTEMPTS as usize);
    }

    #[tokio::test]
    async fn what_is_not_there_is_none() {
        let (cluster, _) = fake::cluster(|request| match request {
            "GET /api/v1/namespaces/a/secrets/x" => fake::json(200, &json!({"metadata": {"name": "x"}})),
            "GET /api/v1/namespaces/a/secrets/y" => fake::refusal(404, "NotFound"),
            _ => fake::refusal(403, "Forbidden"),
        });
        let get = |name| {
            let cluster = cluster.clone();
            async move { cluster.get(&secrets(), "v1", Some("a"), name).await }
        };
        assert_eq!(get("x").await.unwrap().unwrap().kind(), "Secret");
        assert!(get("y").await.unwrap().is_none());
        assert!(get("z").await.unwrap_err().is_forbidden());
    }

    #[tokio::test]
    async fn metadata_is_read_from_partial_objects() {
        let item = json!({"metadata": {"name": "x", "namespace": "a", "uid": "u", "resourceVersion": "5",
            "annotations": {"k": "v"}, "deletionTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}],
            "ownerReferences": [{"apiVersion": "metal3.io/v1", "kind": "Host", "name": "h", "uid": "o"}, {"kind": "odd"}]}});
        let (cluster, _) = fake::cluster(move |_| {
            fake::json(200, &json!({"metadata": {"resourceVersion": "7"}, "items": [item]}))
        });
        let listed = cluster.list_metadata(&secrets(), "v1", None).await.unwrap();
        let x = &listed.items[0];
        assert_eq!((x.name.as_str(), x.uid.0.as_str(), x.resource_version.as_str()), ("x", "u", "5"));
        assert_eq!((x.owner_references.len(), x.owner_references[0].uid.0.as_str()), (1, "o"));
        assert!(x.deletion_timestamp.is_some() && x.annotations["k"] == "v");
    }
}
