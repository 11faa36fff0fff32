//! Two planes, a namespace of its own, and pivots from one to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use pivot::cluster::{Cluster, ClusterConfig};
use pivot::event::Event;
use pivot::run::{PATIENCE, Retire, RunOptions, run};
use pivot::survey::{Options, Survey, survey};
use pivot_core::check::{CheckId, Finding};
use pivot_core::link::LinkRules;
use pivot_core::machine::{End, Notice, Phase};
use pivot_core::plan::PlanReport;
use pivot_core::record::FenceMode;
use pivot_core::select::{Action, Request};
use pivot_testbed::assets::Assets;
use pivot_testbed::client::{Patch, PlaneClient};
use pivot_testbed::dump::{Dump, Key};
use pivot_testbed::fixture::{self, Fixture};
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::{Pair, Plane};
use pivot_testbed::{Result, providers, unique_name};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

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
            fence: FenceMode::Pause,
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
        let findings: Vec<_> = run.report.errors().filter(|finding| finding.id == id).cloned().collect();
        assert!(!findings.is_empty(), "no {id} among {:#?}", run.report.findings);
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

/// One pivot to be.
pub(crate) struct Pivot<'a> {
    from: &'a Plane,
    to: &'a Plane,
    pub(crate) options: Options,
    pub(crate) id: String,
    pub(crate) retire: Retire,
    /// Kubeconfigs of other users than the administrators.
    pub(crate) source_user: Option<std::path::PathBuf>,
    pub(crate) target_user: Option<std::path::PathBuf>,
    pub(crate) interrupt: CancellationToken,
}

/// What came of a pivot.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) report: PlanReport,
    pub(crate) end: End,
    pub(crate) events: Vec<Event>,
}

impl<'a> Pivot<'a> {
    pub(crate) fn new(from: &'a Plane, to: &'a Plane, options: Options) -> Self {
        Self {
            from,
            to,
            options,
            id: unique_name("pivot"),
            retire: Retire::Delete,
            source_user: None,
            target_user: None,
            interrupt: CancellationToken::new(),
        }
    }

    /// Of these Clusters only.
    pub(crate) fn filtered(mut self, clusters: &[&str]) -> Self {
        self.options.request.clusters = clusters.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// In these namespaces; `None` for all.
    pub(crate) fn in_namespaces(mut self, namespaces: Option<&[&str]>) -> Self {
        self.options.request.namespaces =
            namespaces.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        self
    }

    async fn connect(&self) -> (Cluster, Cluster) {
        let source = self.source_user.as_deref().unwrap_or_else(|| self.from.kubeconfig());
        let target = self.target_user.as_deref().unwrap_or_else(|| self.to.kubeconfig());
        let connect = |path: &std::path::Path| Cluster::connect(ClusterConfig::new(path));
        tokio::try_join!(connect(source), connect(target)).unwrap()
    }

    pub(crate) async fn survey(&self) -> Survey {
        let (source, target) = self.connect().await;
        survey(&source, Some(&target), &self.options).await.unwrap()
    }

    pub(crate) async fn run(self) -> Run {
        self.run_on(&mut |_| {}).await
    }

    /// Runs with a hand in the middle: `at` sees every notice, and the pivot stands still until it is done. Needs a runtime with
    /// several threads.
    pub(crate) async fn run_with(self, mut at: impl AsyncFnMut(&Notice) + Send) -> Run {
        let runtime = Handle::current();
        self.run_on(&mut |notice| block_in_place(|| runtime.block_on(at(notice)))).await
    }

    async fn run_on(self, at: &mut (dyn FnMut(&Notice) + Send)) -> Run {
        let (source, target) = self.connect().await;
        let plan = survey(&source, Some(&target), &self.options).await.unwrap();
        let report = plan.report().clone();
        let run_options = RunOptions {
            pivot_id: self.id.clone(),
            retire: self.retire,
            patience: PATIENCE,
            survey: self.options,
        };
        let mut events = Vec::new();
        let mut listener = |event: Event| {
            at(&event.notice);
            events.push(event);
        };
        let end = run(plan, source, target, run_options, self.interrupt, &mut listener).await;
        Run { id: self.id, report, end, events }
    }
}

impl Run {
    /// Asserts that the target is active and complete.
    pub(crate) fn done(&self) -> &Self {
        assert!(matches!(self.end, End::Done { .. }), "{:?}\n{}", self.end, self.story());
        self
    }

    /// Asserts that everything was undone, and returns phase and cause.
    pub(crate) fn rolled_back(&self) -> (Phase, &str) {
        match &self.end {
            End::RolledBack { phase, cause, .. } => (*phase, cause),
            end => panic!("{end:?}\n{}", self.story()),
        }
    }

    /// What was told, without the counters.
    pub(crate) fn story(&self) -> String {
        let told = self.events.iter().filter(|event| !matches!(event.notice, Notice::Progress { .. }));
        told.map(|event| format!("{:?}", event.notice)).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn warns(&self, text: &str) -> bool {
        self.events
            .iter()
            .any(|event| matches!(&event.notice, Notice::Warning { message, .. } if message.contains(text)))
    }

    pub(crate) fn resnapshots(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.notice, Notice::Resnapshot { .. })).count()
    }

    /// What the plan says of an object.
    pub(crate) fn action(&self, key: &Key) -> Option<Action> {
        let wanted = self.report.items.iter().find(|item| {
            item.key.kind.kind == key.kind
                && item.key.kind.group == key.group
                && item.key.namespace.as_deref().unwrap_or_default() == key.namespace
                && item.key.name == key.name
        });
        wanted.map(|item| item.action)
    }
}

/// True where a notice says that this phase begins.
pub(crate) fn begins(notice: &Notice, wanted: Phase) -> bool {
    matches!(notice, Notice::PhaseStarted { phase } if *phase == wanted)
}
