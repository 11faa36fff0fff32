//! Two planes and a namespace of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use pivot::survey::Options;
use pivot_core::check::{CheckId, Finding};
use pivot_core::link::LinkRules;
use pivot_core::machine::End;
use pivot_core::record::FenceMode;
use pivot_core::select::Request;
use pivot_testbed::assets::Assets;
use pivot_testbed::client::{Patch, PlaneClient};
use pivot_testbed::dump::{Dump, Key};
use pivot_testbed::fixture::{self, Fixture};
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::Pair;
use pivot_testbed::{Result, providers, unique_name};
use serde_json::Value;

use crate::pivot::Pivot;

/// Kinds that change by themselves.
const VOLATILE: [&str; 4] = ["Event", "Lease", "Endpoints", "EndpointSlice"];

/// What a test has.
pub(crate) struct Scene<'a> {
    pub(crate) pair: &'a Pair,
    pub(crate) namespace: String,
    pub(crate) source: PlaneClient,
    pub(crate) target: PlaneClient,
}

impl Scene<'static> {
    /// On the planes that tests share: each sees only its own namespaces.
    pub(crate) async fn new(assets: &Assets, name: &str) -> Self {
        Self::on(Pair::shared(assets).await.unwrap(), name).await
    }
}

impl<'a> Scene<'a> {
    pub(crate) async fn on(pair: &'a Pair, name: &str) -> Self {
        let namespace = unique_name(name);
        let (source, target) = (pair.source.client().await.unwrap(), pair.target.client().await.unwrap());
        source.ensure_namespace(&namespace).await.unwrap();
        Self { pair, namespace, source, target }
    }

    /// Loads a fixture into the source; the objects as they stand there.
    pub(crate) async fn load(&self, fixture: &Fixture) -> BTreeMap<Key, Value> {
        fixture::load(&self.source, fixture).await.unwrap()
    }

    pub(crate) fn key(&self, gvk: &Gvk, name: &str) -> Key {
        Key::new(gvk, &self.namespace, name)
    }

    pub(crate) async fn in_source(&self, gvk: &Gvk, name: &str) -> Option<Value> {
        self.source.get(gvk, Some(&self.namespace), name).await.unwrap()
    }

    pub(crate) async fn in_target(&self, gvk: &Gvk, name: &str) -> Option<Value> {
        self.target.get(gvk, Some(&self.namespace), name).await.unwrap()
    }

    /// Merge-patches an object of the source as some user.
    pub(crate) async fn patch(&self, gvk: &Gvk, name: &str, patch: &Value) -> Value {
        self.source
            .patch(gvk, Some(&self.namespace), name, Patch::Merge, patch, "kubectl-edit")
            .await
            .unwrap()
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            request: Request {
                namespaces: Some(BTreeSet::from([self.namespace.clone()])),
                clusters: BTreeSet::new(),
            },
            rules: LinkRules::builtin(),
            wait: Duration::from_secs(60),
            concurrency: 64,
            fence: FenceMode::Full,
            pivot: None,
            ironic: pivot::survey::IronicWish::default(),
        }
    }

    /// What both sides hold in the namespaces of this test, whose names all begin alike; the namespaces too.
    pub(crate) async fn dumps(&self) -> (Dump, Dump) {
        tokio::try_join!(self.dump(&self.source), self.dump(&self.target)).unwrap()
    }

    async fn dump(&self, client: &PlaneClient) -> Result<Dump> {
        // The controllers fill a new namespace a moment after it was made.
        providers::settle(client).await?;
        let mut objects = client.list(Gvk::NAMESPACE, None).await?;
        objects.retain(|ns| ns["metadata"]["name"].as_str().is_some_and(|n| n.starts_with(&self.namespace)));
        let kinds = client.kinds().await?;
        let kinds = kinds.iter().filter(|served| {
            served.namespaced && served.listable && !VOLATILE.contains(&served.gvk.kind.as_ref())
        });
        let names: Vec<String> =
            objects.iter().filter_map(|ns| Some(ns["metadata"]["name"].as_str()?.to_owned())).collect();
        let lists = kinds.flat_map(|served| names.iter().map(move |name| (&served.gvk, name)));
        let found: Vec<_> = stream::iter(lists)
            .map(|(gvk, namespace)| client.list(gvk, Some(namespace)))
            .buffer_unordered(16)
            .try_collect()
            .await?;
        Ok(objects.into_iter().chain(found.into_iter().flatten()).collect())
    }

    pub(crate) fn there(&self) -> Pivot<'a> {
        Pivot::new(&self.pair.source, &self.pair.target, self.options())
    }

    pub(crate) fn back(&self) -> Pivot<'a> {
        Pivot::new(&self.pair.target, &self.pair.source, self.options())
    }

    /// Surveys, runs, and asserts that the pivot is refused with this finding and that nothing was written to either side.
    pub(crate) async fn refused(&self, id: CheckId) -> Vec<Finding> {
        self.refused_as(self.there(), id).await
    }

    pub(crate) async fn refused_as(&self, pivot: Pivot<'_>, id: CheckId) -> Vec<Finding> {
        let (source, target) = self.dumps().await;
        let run = pivot.run().await;
        let findings: Vec<_> = run.report().errors().filter(|finding| finding.id == id).cloned().collect();
        assert!(!findings.is_empty(), "no {id} among {:#?}", run.report().findings);
        for finding in &findings {
            assert!(!finding.message.is_empty() && !finding.hint.is_empty(), "{finding:?}");
        }
        let End::Failed { cause } = &run.end else { panic!("{id}: {:?}", run.end) };
        assert!(cause.starts_with('['), "{cause}");
        assert_eq!(run.end.exit_code(), 1);
        assert!(run.events.is_empty(), "{:?}", run.events);
        let (source_after, target_after) = self.dumps().await;
        assert_eq!(source.uids_and_resource_versions(), source_after.uids_and_resource_versions());
        assert_eq!(target.uids_and_resource_versions(), target_after.uids_and_resource_versions());
        findings
    }
}
