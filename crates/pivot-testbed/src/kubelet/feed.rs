//! The pods of a node, as they come, change and go.

use std::{pin::Pin, time::Duration};

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{ListParams, WatchEvent, WatchParams},
};
use tokio::time::sleep;

use super::source::bounded;

/// How long until a list that failed is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// What happened.
pub(super) enum Event {
    /// These are all there are.
    All(Vec<Pod>),
    /// This one is new or has changed.
    Changed(Box<Pod>),
    /// This one is gone.
    Gone(Box<Pod>),
}

type Changes = Pin<Box<dyn Stream<Item = kube::Result<WatchEvent<Pod>>> + Send>>;

/// A list of the pods, then what changes, and a list again where the changes were lost.
pub(super) struct Feed {
    api: Api<Pod>,
    fields: String,
    changes: Option<Changes>,
}

impl Feed {
    pub(super) fn new(client: kube::Client, node: &str) -> Self {
        Self { api: Api::all(client), fields: format!("spec.nodeName={node}"), changes: None }
    }

    /// What happened next. Nothing is lost if it is dropped while it waits.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            let Some(changes) = &mut self.changes else {
                match self.list().await {
                    Some(pods) => return Event::All(pods),
                    None => sleep(RETRY).await,
                }
                continue;
            };
            match changes.next().await {
                Some(Ok(WatchEvent::Added(pod) | WatchEvent::Modified(pod))) => {
                    return Event::Changed(Box::new(pod));
                }
                Some(Ok(WatchEvent::Deleted(pod))) => return Event::Gone(Box::new(pod)),
                Some(Ok(WatchEvent::Bookmark(_))) => {}
                Some(Ok(WatchEvent::Error(_)) | Err(_)) | None => self.changes = None,
            }
        }
    }

    async fn list(&mut self) -> Option<Vec<Pod>> {
        let pods = bounded(self.api.list(&ListParams::default().fields(&self.fields))).await.ok()?;
        let version = pods.metadata.resource_version.unwrap_or_default();
        let parameters = WatchParams::default().fields(&self.fields);
        let changes = bounded(self.api.watch(&parameters, &version)).await.ok()?;
        self.changes = Some(changes.into_stream().boxed());
        Some(pods.items)
    }
}
