//! Two planes, a namespace of its own, and a pivot from one to the other.

use std::collections::BTreeSet;
use std::time::Duration;

use pivot::cluster::{Cluster, ClusterConfig};
use pivot::event::Event;
use pivot::run::{PATIENCE, Retire, RunOptions, run};
use pivot::survey::{Options, Survey, survey};
use pivot_core::link::LinkRules;
use pivot_core::machine::End;
use pivot_core::select::Request;
use pivot_testbed::assets::Assets;
use pivot_testbed::client::PlaneClient;
use pivot_testbed::dump::{Dump, dump};
use pivot_testbed::fixture::{self, Fixture};
use pivot_testbed::plane::{Pair, Plane};
use pivot_testbed::unique_name;
use tokio_util::sync::CancellationToken;

/// What a test has.
pub(crate) struct Scene {
    pub(crate) pair: &'static Pair,
    pub(crate) namespace: String,
    pub(crate) source: PlaneClient,
    pub(crate) target: PlaneClient,
}

impl Scene {
    pub(crate) async fn new(assets: &Assets, name: &str) -> Self {
        let pair = Pair::shared(assets).await.unwrap();
        let namespace = unique_name(name);
        let (source, target) = (pair.source.client().await.unwrap(), pair.target.client().await.unwrap());
        source.ensure_namespace(&namespace).await.unwrap();
        Self { pair, namespace, source, target }
    }

    pub(crate) async fn load(&self, fixture: &Fixture) {
        fixture::load(&self.source, fixture).await.unwrap();
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            request: Request {
                namespaces: Some(BTreeSet::from([self.namespace.clone()])),
                clusters: BTreeSet::new(),
            },
            rules: LinkRules::builtin(),
            wait: Duration::from_secs(30),
            concurrency: 64,
        }
    }

    pub(crate) async fn dumps(&self) -> (Dump, Dump) {
        (dump(&self.source).await.unwrap(), dump(&self.target).await.unwrap())
    }

    pub(crate) async fn survey(&self) -> Survey {
        let (source, target) = (connect(&self.pair.source).await, connect(&self.pair.target).await);
        survey(&source, Some(&target), &self.options()).await.unwrap()
    }

    /// Pivots from source to target.
    pub(crate) async fn pivot(&self) -> (End, Vec<Event>) {
        pivot(&self.pair.source, &self.pair.target, self.options(), &unique_name("p")).await
    }

    /// Pivots from target to source.
    pub(crate) async fn pivot_back(&self) -> (End, Vec<Event>) {
        pivot(&self.pair.target, &self.pair.source, self.options(), &unique_name("p")).await
    }
}

pub(crate) async fn connect(plane: &Plane) -> Cluster {
    Cluster::connect(ClusterConfig::new(plane.kubeconfig())).await.unwrap()
}

pub(crate) async fn pivot(source: &Plane, target: &Plane, options: Options, id: &str) -> (End, Vec<Event>) {
    let (source, target) = (connect(source).await, connect(target).await);
    let plan = survey(&source, Some(&target), &options).await.unwrap();
    let mut events = Vec::new();
    let run_options =
        RunOptions { pivot_id: id.to_owned(), retire: Retire::Delete, patience: PATIENCE, survey: options };
    let end =
        run(plan, source, target, run_options, CancellationToken::new(), &mut |event| events.push(event))
            .await;
    (end, events)
}
