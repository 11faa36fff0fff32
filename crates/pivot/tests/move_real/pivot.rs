//! Pivots from one plane to another, run, left, and taken up again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use pivot::cluster::{Cluster, ClusterConfig};
use pivot::coordinator::{Identity, LeaseTimes};
use pivot::event::Event;
use pivot::recover::{Dead, Ended, RecoverError, RecoverOptions, recover};
use pivot::run::{Driver, OnFailure, PATIENCE, Retire, RunOptions, run};
use pivot::survey::{Options, Survey, survey};
use pivot_core::machine::{End, Notice, Phase};
use pivot_core::plan::PlanReport;
use pivot_core::record::{FenceMode, Verb};
use pivot_core::select::Action;
use pivot_testbed::dump::Key;
use pivot_testbed::plane::Plane;
use pivot_testbed::unique_name;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::kept::{BothKept, Kept, assert_history_of_done, assert_history_of_undone};

/// One pivot to be.
#[derive(Clone)]
pub(crate) struct Pivot<'a> {
    from: &'a Plane,
    to: &'a Plane,
    pub(crate) options: Options,
    pub(crate) id: String,
    pub(crate) retire: Retire,
    pub(crate) pre_copy: bool,
    pub(crate) on_failure: OnFailure,
    /// How long whoever drives it keeps the seat without a sign of life.
    pub(crate) times: LeaseTimes,
    /// Kubeconfigs of other users than the administrators, or that lead through a proxy.
    pub(crate) source_user: Option<PathBuf>,
    pub(crate) target_user: Option<PathBuf>,
    pub(crate) interrupt: CancellationToken,
}

/// The right to two planes, of which each takes part in one pivot at a time.
pub(crate) struct Turn {
    before: BothKept,
    _turn: OwnedMutexGuard<()>,
}

/// What came of a pivot.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) report: Option<PlanReport>,
    pub(crate) end: End,
    pub(crate) events: Vec<Event>,
    /// What both planes kept before and after.
    kept: Option<(BothKept, BothKept)>,
}

/// What came of taking a pivot up again.
#[derive(Debug)]
pub(crate) enum Recovered {
    /// It was carried on.
    Now(Box<Run>),
    /// It had ended before.
    Before { finished: bool },
}

impl Recovered {
    pub(crate) fn run(self) -> Run {
        match self {
            Self::Now(run) => *run,
            Self::Before { finished } => panic!("it had ended before: finished {finished}"),
        }
    }
}

impl<'a> Pivot<'a> {
    pub(crate) fn new(from: &'a Plane, to: &'a Plane, options: Options) -> Self {
        Self {
            from,
            to,
            options,
            id: unique_name("pivot"),
            retire: Retire::Delete,
            pre_copy: true,
            on_failure: OnFailure::Rollback,
            times: LeaseTimes::default(),
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

    /// With the pause as the only fence: whoever writes is seen, and not refused.
    pub(crate) fn unfenced(mut self) -> Self {
        self.options.fence = FenceMode::Pause;
        self
    }

    async fn connect(&self) -> (Cluster, Cluster) {
        let source = self.source_user.as_deref().unwrap_or_else(|| self.from.kubeconfig());
        let target = self.target_user.as_deref().unwrap_or_else(|| self.to.kubeconfig());
        let connect = |path: &Path| Cluster::connect(ClusterConfig::new(path));
        tokio::try_join!(connect(source), connect(target)).unwrap()
    }

    /// A process that has driven no pivot so far; it knows of these holders that they are gone.
    fn driver(&self, is_dead: impl Fn(&str) -> bool + Send + Sync + 'static) -> Driver {
        let (host, boot) = ("test".to_owned(), "boot".to_owned());
        Driver {
            me: Identity { host, pid: std::process::id(), nonce: unique_name("nonce"), boot },
            times: self.times,
            is_dead: Arc::new(is_dead),
            journals: None,
            clock: Arc::new(String::new),
        }
    }

    /// Waits for the planes.
    pub(crate) async fn turn(&self) -> Turn {
        static TURNS: LazyLock<std::sync::Mutex<HashMap<PathBuf, Arc<Mutex<()>>>>> =
            LazyLock::new(std::sync::Mutex::default);
        // One name for a pair, whichever way the pivot goes.
        let pair = self.from.kubeconfig().min(self.to.kubeconfig()).to_owned();
        let turn = Arc::clone(TURNS.lock().unwrap().entry(pair).or_default());
        let turn = turn.lock_owned().await;
        let before = self.kept().await;
        let open = before.iter().any(|kept| kept.open);
        assert!(!open, "an earlier test left a pivot that is not finished: {before:?}");
        Turn { before, _turn: turn }
    }

    /// What both planes keep of it.
    pub(crate) async fn kept(&self) -> BothKept {
        let (source, target) =
            tokio::try_join!(Box::pin(self.from.client()), Box::pin(self.to.client())).unwrap();
        let of = |client| Box::pin(Kept::of(client, &self.id));
        let kept = tokio::try_join!(of(&source), of(&target));
        kept.unwrap().into()
    }

    pub(crate) async fn survey(&self) -> Survey {
        let _turn = Box::pin(self.turn()).await;
        let (source, target) = self.connect().await;
        Box::pin(survey(&source, Some(&target), &self.options)).await.unwrap()
    }

    pub(crate) async fn run(&self) -> Run {
        let turn = Box::pin(self.turn()).await;
        Box::pin(self.run_in(&turn, &mut |_| {})).await
    }

    /// Runs with a hand in the middle: `at` sees every notice, and the pivot stands still until it is done. Needs a runtime with
    /// several threads.
    pub(crate) async fn run_with(&self, at: impl AsyncFnMut(&Notice) + Send) -> Run {
        let turn = Box::pin(self.turn()).await;
        Box::pin(self.run_with_in(&turn, at)).await
    }

    /// The same where the planes are ours already.
    pub(crate) async fn run_with_in(&self, turn: &Turn, mut at: impl AsyncFnMut(&Notice) + Send) -> Run {
        let runtime = Handle::current();
        self.run_in(turn, &mut |notice| block_in_place(|| runtime.block_on(at(notice)))).await
    }

    /// Runs it to its end; what both planes keep is looked at.
    pub(crate) async fn run_in(&self, turn: &Turn, at: &mut (dyn FnMut(&Notice) + Send)) -> Run {
        let run = self.run_unseen(at).await;
        let after = self.kept().await;
        if matches!(run.end, End::Failed { .. }) {
            assert_eq!(turn.before, after, "{:?}", run.end);
        }
        Run { kept: Some((turn.before.clone(), after)), ..run }
    }

    /// The same where a plane may not answer afterwards.
    pub(crate) async fn run_unseen(&self, at: &mut (dyn FnMut(&Notice) + Send)) -> Run {
        let (source, target) = self.connect().await;
        let plan = Box::pin(survey(&source, Some(&target), &self.options)).await.unwrap();
        let report = plan.report().clone();
        let options = RunOptions {
            pivot_id: self.id.clone(),
            retire: self.retire,
            pre_copy: self.pre_copy,
            on_failure: self.on_failure,
            patience: PATIENCE,
            survey: self.options.clone(),
            links: Vec::new(),
            hand_over: None,
            driver: self.driver(|_| false),
        };
        let mut events = Vec::new();
        let mut listener = |event: Event| {
            at(&event.notice);
            events.push(event);
        };
        let end = Box::pin(run(plan, source, target, options, self.interrupt.clone(), &mut listener)).await;
        Run { id: self.id.clone(), report: Some(report), end, events, kept: None }
    }

    /// Begins it, and ends the process that drives it as soon as it says this: what is under way is given up.
    #[expect(dead_code, reason = "x")]
    pub(crate) async fn die(&self, mut at: impl FnMut(&Notice) -> bool + Send) {
        let dead = CancellationToken::new();
        let token = dead.clone();
        let mut listener = move |notice: &Notice| {
            if at(notice) {
                token.cancel();
            }
        };
        tokio::select! {
            biased;
            () = dead.cancelled() => {}
            run = self.run_unseen(&mut listener) => panic!("{:?}\n{}", run.end, run.story()),
        }
    }

    /// How another process takes it up; of every other one it knows that it is gone.
    pub(crate) fn recovery(&self, verb: Verb) -> RecoverOptions {
        RecoverOptions {
            verb,
            close: false,
            id: Some(self.id.clone()),
            dead: Dead::default(),
            silence: std::time::Duration::from_secs(5),
            on_failure: self.on_failure,
            patience: PATIENCE,
            wait: self.options.wait,
            concurrency: self.options.concurrency,
            driver: self.driver(|_| true),
        }
    }

    pub(crate) async fn recover(&self, options: RecoverOptions) -> Result<Recovered, RecoverError> {
        let (source, target) = self.connect().await;
        self.recover_by(Some(source), Some(target), options, &mut |_| {}).await
    }

    pub(crate) async fn recover_by(
        &self,
        source: Option<Cluster>,
        target: Option<Cluster>,
        options: RecoverOptions,
        at: &mut (dyn FnMut(&Notice) + Send),
    ) -> Result<Recovered, RecoverError> {
        let mut events = Vec::new();
        let mut listener = |event: Event| {
            at(&event.notice);
            events.push(event);
        };
        let recovered =
            Box::pin(recover(source, target, options, CancellationToken::new(), &mut listener)).await?;
        Ok(match recovered.end {
            Ended::Before { finished } => Recovered::Before { finished },
            Ended::Now(end) => {
                Recovered::Now(Box::new(Run { id: self.id.clone(), report: None, end, events, kept: None }))
            }
        })
    }

    /// Gives up what was kept in the source.
    pub(crate) async fn finalize(&self, turn: &Turn) -> Run {
        let closing = RecoverOptions { close: true, ..self.recovery(Verb::Resume) };
        let run = self.recover(closing).await.unwrap().run();
        Run { kept: Some((turn.before.clone(), self.kept().await)), ..run }
    }

    /// Takes it up again in either direction, to its end; what both planes keep is looked at.
    pub(crate) async fn take_up(&self, turn: &Turn, verb: Verb) -> Run {
        let run = self.recover(self.recovery(verb)).await.unwrap().run();
        Run { kept: Some((turn.before.clone(), self.kept().await)), ..run }
    }
}

impl Run {
    /// Asserts that the target is active and complete.
    pub(crate) fn done(&self) -> &Self {
        assert!(matches!(self.end, End::Done { .. }), "{:?}\n{}", self.end, self.story());
        if let Some((before, after)) = &self.kept {
            assert_history_of_done(before, after);
        }
        self
    }

    /// Asserts that everything was undone, and returns phase and cause.
    pub(crate) fn rolled_back(&self) -> (Phase, &str) {
        let End::RolledBack { phase, cause } = &self.end else { panic!("{:?}\n{}", self.end, self.story()) };
        if let Some((before, after)) = &self.kept {
            assert_history_of_undone(before, after);
        }
        (*phase, cause)
    }

    /// Asserts that the user stopped it, and returns the phase.
    pub(crate) fn interrupted(&self) -> Phase {
        match &self.end {
            End::Suspended { phase, interrupted: true, .. } => {
                assert_eq!(self.end.exit_code(), 130);
                *phase
            }
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

    /// The plan.
    pub(crate) fn report(&self) -> &PlanReport {
        self.report.as_ref().expect("it was planned")
    }

    /// What the plan says of an object.
    pub(crate) fn action(&self, key: &Key) -> Option<Action> {
        let wanted = self.report().items.iter().find(|item| {
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
