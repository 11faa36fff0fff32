//! Two servers, one of them full, and a pivot between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pivot::cluster::Cluster;
use pivot::coordinator::{Identity, LeaseTimes};
use pivot::event::Event;
use pivot::recover::{Dead, Ended, RecoverError, RecoverOptions, recover};
use pivot::run::{Driver, OnFailure, Retire, RunOptions, run};
use pivot::survey::{Options, Survey, survey};
use pivot_core::link::LinkRules;
use pivot_core::machine::{End, Notice, Phase};
use pivot_core::record::{FenceMode, Verb as Wish};
use pivot_core::select::Request;
use pivot_testbed::dump::{Dump, Key};
use pivot_testbed::fake::{CrdSpec, Entry, FakeServer, Verb};
use pivot_testbed::fixture::Fixture;
use pivot_testbed::kind::Gvk;
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::objects::{neighbours, tiny};
use crate::records::is_of_records;

pub(crate) const PIVOT: &str = "p1";
/// In virtual time: far beyond every limit that a pivot sets itself.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

static RULES: LazyLock<LinkRules> = LazyLock::new(LinkRules::builtin);

/// Kinds without a status subresource.
const PLAIN: [&str; 3] = ["Metal3MachineTemplate", "HardwareData", "IPAddress"];

pub(crate) struct Scene {
    pub(crate) source: FakeServer,
    pub(crate) target: FakeServer,
    /// What both held before, and which of the source's objects move.
    pub(crate) source_before: Dump,
    pub(crate) target_before: Dump,
    pub(crate) moving: BTreeSet<Key>,
    pub(crate) patience: Duration,
    pub(crate) wait: Duration,
    pub(crate) concurrency: usize,
    pub(crate) fence: FenceMode,
    pub(crate) retire: Retire,
    pub(crate) on_failure: OnFailure,
    pub(crate) interrupt: CancellationToken,
    /// Cancelled when the process that drives the pivot is to die.
    pub(crate) crash: CancellationToken,
    drivers: AtomicUsize,
}

/// What came of taking a pivot up again.
pub(crate) enum Recovered {
    /// It was carried on.
    Now(Ran),
    /// It had ended before.
    Before { finished: bool },
}

/// How a pivot went.
pub(crate) struct Ran {
    pub(crate) end: End,
    pub(crate) events: Vec<Event>,
}

impl Ran {
    fn without_bugs(self) -> Self {
        let warnings = self.warnings();
        let bugs: Vec<_> = warnings.iter().filter(|message| message.contains("BUG")).collect();
        assert!(bugs.is_empty(), "{bugs:?}");
        assert!(!format!("{:?}", self.end).contains("BUG"), "{:?}", self.end);
        self
    }

    pub(crate) fn warnings(&self) -> Vec<&str> {
        let warning = |event: &'_ Event| matches!(event.notice, Notice::Warning { .. });
        let warnings = self.events.iter().filter(|event| warning(event));
        warnings
            .filter_map(|event| match &event.notice {
                Notice::Warning { message, .. } => Some(message.as_str()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn started(&self, wanted: Phase) -> usize {
        let started =
            |event: &&Event| matches!(event.notice, Notice::PhaseStarted { phase } if phase == wanted);
        self.events.iter().filter(started).count()
    }
}

impl Scene {
    /// The tiny cluster.
    pub(crate) fn tiny() -> Self {
        Self::of(&tiny(), &neighbours())
    }

    /// The tiny cluster and more that moves.
    pub(crate) fn tiny_and(more: Vec<Value>) -> Self {
        let mut moving = tiny();
        moving.extend(more);
        Self::of(&moving, &neighbours())
    }

    pub(crate) fn of_fixture(moving: &Fixture, staying: &Fixture) -> Self {
        Self::of(&moving.complete("source"), &staying.complete("stays"))
    }

    fn of(moving: &[Value], staying: &[Value]) -> Self {
        let kinds: BTreeSet<_> = moving.iter().map(|object| Gvk::of(object).unwrap()).collect();
        let crds = kinds.iter().filter(|gvk| gvk.group.contains('.')).map(|gvk| {
            let spec =
                CrdSpec::new(&gvk.group, &gvk.kind, &gvk.version).label("clusterctl.cluster.x-k8s.io", "");
            if PLAIN.contains(&gvk.kind.as_ref()) { spec.without_status_subresource() } else { spec }
        });
        let crds: Vec<_> = crds.collect();
        let (source, target) = (FakeServer::new("source"), FakeServer::new("target"));
        for server in [&source, &target] {
            for crd in &crds {
                server.register(crd);
            }
        }
        source.load(moving.iter().chain(staying).cloned());
        target.load([serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "resident", "namespace": "default"}, "data": {"a": "b"}})]);
        Self {
            source_before: source.dump().into_values().collect(),
            target_before: target.dump().into_values().collect(),
            moving: moving.iter().filter_map(Key::of).collect(),
            source,
            target,
            patience: Duration::from_secs(60),
            wait: Duration::from_secs(20),
            concurrency: 8,
            fence: FenceMode::Pause,
            retire: Retire::Delete,
            on_failure: OnFailure::Rollback,
            interrupt: CancellationToken::new(),
            crash: CancellationToken::new(),
            drivers: AtomicUsize::new(0),
        }
    }

    /// A process that has never driven a pivot. Every other one is known to be gone.
    fn driver(&self) -> Driver {
        let number = self.drivers.fetch_add(1, Ordering::Relaxed);
        let (host, boot) = ("test".to_owned(), "boot".to_owned());
        Driver {
            me: Identity { host, pid: 7, nonce: format!("nonce-{number}"), boot },
            times: LeaseTimes::default(),
            is_dead: Arc::new(|_| true),
            journals: None,
            clock: Arc::new(String::new),
        }
    }

    fn options(&self) -> Options {
        Options {
            request: Request::default(),
            rules: RULES.clone(),
            wait: self.wait,
            concurrency: self.concurrency,
            fence: self.fence,
            pivot: None,
            ironic: pivot::survey::IronicWish::default(),
        }
    }

    fn clusters(&self) -> (Cluster, Cluster) {
        let cluster = |server: &FakeServer| Cluster::from_client(server.client(), server.name());
        (cluster(&self.source), cluster(&self.target))
    }

    /// PLAN; the histories begin anew after it.
    pub(crate) async fn survey(&self) -> Survey {
        let (source, target) = self.clusters();
        let survey = survey(&source, Some(&target), &self.options()).await.unwrap();
        let errors: Vec<_> = survey.report().errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:?}");
        self.source.clear_history();
        self.target.clear_history();
        survey
    }

    /// From LOCK to the end.
    pub(crate) async fn run(&self, survey: Survey) -> Ran {
        self.run_until_crash(survey).await.expect("nothing crashes it")
    }

    /// The same; nothing where the process died on its way.
    pub(crate) async fn run_until_crash(&self, survey: Survey) -> Option<Ran> {
        let (source, target) = self.clusters();
        let options = RunOptions {
            pivot_id: PIVOT.to_owned(),
            retire: self.retire,
            pre_copy: true,
            on_failure: self.on_failure,
            patience: self.patience,
            survey: self.options(),
            links: Vec::new(),
            hand_over: None,
            driver: self.driver(),
        };
        let mut events = Vec::new();
        let mut listener = |event| events.push(event);
        let pivot = Box::pin(run(survey, source, target, options, self.interrupt.clone(), &mut listener));
        let end = tokio::select! {
            biased;
            () = self.crash.cancelled() => None,
            end = timeout(FOREVER, pivot) => Some(end.expect("a pivot never hangs")),
        }?;
        Some(Ran { end, events }.without_bugs())
    }

    /// `resume` or `rollback`, by another process.
    pub(crate) async fn recover(&self, wish: Wish) -> Result<Recovered, RecoverError> {
        self.recover_with(self.recovery(wish)).await
    }

    pub(crate) fn recovery(&self, verb: Wish) -> RecoverOptions {
        RecoverOptions {
            verb,
            close: false,
            id: None,
            dead: Dead::default(),
            silence: Duration::from_secs(5),
            on_failure: self.on_failure,
            patience: self.patience,
            wait: self.wait,
            concurrency: self.concurrency,
            driver: self.driver(),
        }
    }

    pub(crate) async fn recover_with(&self, options: RecoverOptions) -> Result<Recovered, RecoverError> {
        let (source, target) = self.clusters();
        let mut events = Vec::new();
        let mut listener = |event| events.push(event);
        let recovered = recover(Some(source), Some(target), options, CancellationToken::new(), &mut listener);
        let recovered = timeout(FOREVER, recovered).await.expect("a recovery never hangs")?;
        Ok(match recovered.end {
            Ended::Now(end) => Recovered::Now(Ran { end, events }.without_bugs()),
            Ended::Before { finished } => Recovered::Before { finished },
        })
    }

    /// PLAN, and the pivot.
    pub(crate) async fn pivot(&self) -> Ran {
        let survey = self.survey().await;
        self.run(survey).await
    }

    /// What both hold after the controllers of every cluster had their turn, but for the records.
    pub(crate) fn dumps(&self) -> (Dump, Dump) {
        self.source.gc();
        self.target.gc();
        let dump = |server: &FakeServer| server.dump().into_values().collect::<Dump>();
        (
            dump(&self.source).filter(|key| !is_of_records(key)),
            dump(&self.target).filter(|key| !is_of_records(key)),
        )
    }

    pub(crate) fn server(&self, side: Where) -> &FakeServer {
        match side {
            Where::Source => &self.source,
            Where::Target => &self.target,
        }
    }

    /// Objects that were created in the target, each as often as it was.
    pub(crate) fn created(&self) -> BTreeMap<Key, usize> {
        let mut created = BTreeMap::new();
        for entry in self.target.writes() {
            let key = key_of(&entry);
            if entry.call.verb == Verb::Create && entry.outcome.applied() && self.moving.contains(&key) {
                *created.entry(key).or_default() += 1;
            }
        }
        created
    }
}

/// One of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    Source,
    Target,
}

impl Where {
    pub(crate) const BOTH: [Self; 2] = [Self::Source, Self::Target];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

pub(crate) fn key_of(entry: &Entry) -> Key {
    let call = &entry.call;
    let namespace = if call.kind == "Namespace" { String::new() } else { call.namespace.clone() };
    Key { group: call.group.clone(), kind: call.kind.clone(), namespace, name: call.name.clone() }
}

/// How many writes each side sees in a pivot where nothing goes wrong.
pub(crate) async fn writes_of_a_good_run() -> [(Where, usize); 2] {
    let scene = Scene::tiny();
    let ran = scene.pivot().await;
    assert!(matches!(ran.end, End::Done { .. }), "{:?}", ran.end);
    Where::BOTH.map(|side| (side, scene.server(side).writes().len()))
}
