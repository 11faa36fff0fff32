//! Two planes that write to the disk as real ones do, and namespaces that are filled, moved and emptied.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use pivot_testbed::{
    assets::Assets,
    audit::{AuditLog, Detail, Watched},
    client::{CONCURRENCY, Patch, PlaneClient, Progress, wait_until},
    fixture::{self, Fixture},
    kind::Gvk,
    plane::{Plane, PlaneOptions},
    providers,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{error::Result, processor::processor_time};

/// The user whose requests are logged: the program that is measured, and nobody else.
pub(crate) const MOVER: &str = "mover";
/// How long a plane is looked at to tell whether it is busy.
const WINDOW: Duration = Duration::from_millis(500);
/// Processor time that an idle plane may use in a [`WINDOW`]: controllers renew and resync.
const IDLE: Duration = Duration::from_millis(75);
const SETTLE_LIMIT: Duration = Duration::from_secs(300);

/// A plane, what it logs of the mover's requests, and the mover's kubeconfig.
pub(crate) struct Side {
    plane: Plane,
    pub(crate) client: PlaneClient,
    /// The kubeconfig of the only user whose requests are logged.
    pub(crate) kubeconfig: PathBuf,
    pub(crate) audit: AuditLog,
}

impl Side {
    async fn start(assets: &Assets, name: &str, detail: Detail, folder: &Path) -> Result<Self> {
        let audit = AuditLog::new(folder, name, Watched::User(MOVER), detail)?;
        let options =
            PlaneOptions { fsync: true, api_server_args: audit.api_server_args(), ..PlaneOptions::default() };
        let plane = providers::start_management_plane(assets, name, &options).await?;
        let kubeconfig = plane.user_kubeconfig(MOVER, Some("system:masters"))?;
        Ok(Self { client: plane.client().await?, kubeconfig, audit, plane })
    }

    /// Everything of a namespace that somebody put there.
    pub(crate) async fn objects(&self, namespace: &str) -> Result<Vec<Value>> {
        let kinds = self.client.kinds().await?;
        let kinds =
            kinds.iter().filter(|kind| kind.listable && kind.namespaced && !kind.gvk.kind.ends_with("Event"));
        let lists: Vec<Vec<Value>> = stream::iter(kinds)
            .map(|kind| self.client.list(&kind.gvk, Some(namespace)))
            .buffer_unordered(8)
            .try_collect()
            .await?;
        let made_by_controllers = |object: &Value| {
            let name = &object["metadata"]["name"];
            name == "kube-root-ca.crt" || (name == "default" && object["kind"] == "ServiceAccount")
        };
        Ok(lists.into_iter().flatten().filter(|object| !made_by_controllers(object)).collect())
    }

    /// Ends a namespace and all that is in it.
    async fn clear(&self, namespace: &str) -> Result<()> {
        let objects = self.objects(namespace).await?;
        stream::iter(&objects)
            .map(Ok)
            .try_for_each_concurrent(CONCURRENCY, async |object| {
                self.past_the_fence(async || self.remove(namespace, object).await).await
            })
            .await?;
        self.past_the_fence(async || self.client.delete(Gvk::NAMESPACE, None, namespace).await).await?;
        wait_until("a namespace to go", SETTLE_LIMIT, async || {
            let namespace = self.client.get(Gvk::NAMESPACE, None, namespace).await?;
            Ok(namespace.map_or(Progress::Done(()), |n| Progress::Pending(n["status"].to_string())))
        })
        .await?;
        Ok(())
    }

    /// Until the API server has heard that a fence is gone.
    async fn past_the_fence(&self, attempt: impl AsyncFn() -> pivot_testbed::Result<()>) -> Result<()> {
        wait_until("the fence to go", SETTLE_LIMIT, async || match attempt().await {
            Err(error) if error.code() == Some(403) => Ok(Progress::Pending(error.to_string())),
            other => other.map(Progress::Done),
        })
        .await?;
        Ok(())
    }

    async fn remove(&self, namespace: &str, object: &Value) -> pivot_testbed::Result<()> {
        let (Some(gvk), Some(name)) = (Gvk::of(object), object["metadata"]["name"].as_str()) else {
            return Ok(());
        };
        if object["metadata"]["finalizers"].is_array() {
            let strip = json!({"metadata": {"finalizers": null}});
            let stripped =
                self.client.patch(&gvk, Some(namespace), name, Patch::Merge, &strip, "bench").await;
            // The garbage collector may have been faster.
            if let Err(error) = stripped
                && error.code() != Some(404)
            {
                return Err(error);
            }
        }
        self.client.delete(&gvk, Some(namespace), name).await
    }

    /// Processor time of its programs since they started.
    fn busy(&self) -> Duration {
        self.plane.pids().into_iter().map(processor_time).sum()
    }
}

/// Both sides.
pub(crate) struct Scene {
    pub(crate) source: Side,
    pub(crate) target: Side,
    /// Holds the logs; removed last.
    _folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn start(assets: &Assets, detail: Detail) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(crate::error::Error::file(std::env::temp_dir()))?;
        let (source, target) = tokio::try_join!(
            Side::start(assets, "source", detail, folder.path()),
            Side::start(assets, "target", detail, folder.path()),
        )?;
        Ok(Self { source, target, _folder: folder })
    }

    /// Loads the fixture into the source and waits until both planes are at rest.
    pub(crate) async fn load(&self, fixture: &Fixture) -> Result<()> {
        fixture::load(&self.source.client, fixture).await?;
        self.settle().await
    }

    /// Ends the namespace on both sides.
    pub(crate) async fn clear(&self, namespace: &str) -> Result<()> {
        tokio::try_join!(self.source.clear(namespace), self.target.clear(namespace))?;
        self.settle().await
    }

    /// Processor time of all programs of both planes since they started.
    pub(crate) fn busy(&self) -> Duration {
        self.source.busy() + self.target.busy()
    }

    /// Waits until the controllers have dealt with what happened.
    pub(crate) async fn settle(&self) -> Result<()> {
        let sides = [&self.source, &self.target];
        wait_until("the planes to come to rest", SETTLE_LIMIT, async || {
            let before = sides.map(Side::busy);
            sleep(WINDOW).await;
            let used = sides.into_iter().zip(before).map(|(side, before)| side.busy().saturating_sub(before));
            let used: Vec<_> = used.collect();
            let at_rest = used.iter().all(|used| *used <= IDLE);
            Ok(if at_rest {
                Progress::Done(())
            } else {
                Progress::Pending(format!("{used:?} in {WINDOW:?}"))
            })
        })
        .await?;
        Ok(())
    }
}
