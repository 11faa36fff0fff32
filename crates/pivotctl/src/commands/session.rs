//! What all verbs share: how they were called, the clusters they were given, and what is to move.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pivot::cluster::{Cluster, ClusterConfig, ConnectError, KubeconfigError};
use pivot::host::Host;
use pivot::survey::{IronicWish, Options};
use pivot_core::link::LinkRules;
use pivot_core::machine::{Notice, Phase, Side};
use pivot_core::record::FenceMode;
use pivot_core::select::Request;

use super::next::{NextCommand, Sides};
use crate::args::{GlobalArgs, HostArgs, SelectionArgs};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::program::Program;
use crate::ui::interrupt::Interrupt;
use crate::ui::printer::Printer;
use crate::ui::progress::Progress;

/// Requests to one cluster that are in flight at the same time.
pub(super) const CONCURRENCY: usize = 64;

/// Limit of every wait for controllers where nobody sets one.
pub(super) const DEFAULT_WAIT: Duration = Duration::from_secs(600);

/// One call of the program.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The name it was called by.
    pub(crate) program: Program,
    /// Flags of every verb.
    pub(crate) global: GlobalArgs,
    /// The process environment.
    pub(crate) environment: Environment,
    /// Where output goes.
    pub(crate) printer: Printer,
    /// The user's wish to stop.
    pub(crate) interrupt: Interrupt,
}

/// Verbs that a message may tell to type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Check,
    Plan,
    Move,
    Status,
    Resume,
    Finalize,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Plan => "plan",
            Self::Move => "move",
            Self::Status => "status",
            Self::Resume => "resume",
            Self::Finalize => "finalize",
        }
    }
}

impl Session {
    /// Writes a result to standard output. That nobody reads it any more is no error.
    pub(super) fn print(&self, text: &str) -> Result<(), CommandError> {
        match self.printer.data(text) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(CommandError::unwritable("to", Path::new("standard output"), &error))
            }
            _ => Ok(()),
        }
    }

    /// True where more is to be said than normal.
    pub(super) fn is_verbose(&self) -> bool {
        self.global.verbosity() > 0
    }

    /// The command line for another verb on the same clusters and namespaces.
    pub(super) fn next(&self, verb: Verb) -> NextCommand {
        self.on_clusters(verb).in_namespaces(&self.global)
    }

    /// The command line for a verb that takes what else it needs from the records.
    pub(super) fn on_clusters(&self, verb: Verb) -> NextCommand {
        NextCommand::new(self.program, verb.name(), &Sides::of(&self.global))
    }

    /// The same with source and target exchanged.
    pub(super) fn on_exchanged_clusters(&self, verb: Verb) -> NextCommand {
        let default = self.environment.default_kubeconfig();
        let sides = Sides::of(&self.global).exchanged(default.first().map(PathBuf::as_path));
        NextCommand::new(self.program, verb.name(), &sides)
    }

    /// The command line for a verb on the target of an import alone.
    pub(super) fn on_target(&self, verb: Verb) -> NextCommand {
        if self.is_target_named() {
            return self.on_clusters(verb);
        }
        self.on_exchanged_clusters(verb)
    }

    /// True where flags say what is to move.
    pub(super) fn selects(&self) -> bool {
        self.global.all_namespaces || !self.global.namespaces.is_empty()
    }

    /// Refuses global flags that exclude each other.
    ///
    /// clap sees only flags on the same side of the verb.
    pub(super) fn check_flags(&self) -> Result<(), CommandError> {
        if self.global.all_namespaces && !self.global.namespaces.is_empty() {
            return Err(CommandError::flags_conflict("--all-namespaces", "--namespace"));
        }
        let (source, target) = (self.source_config(), self.target_config());
        if target.is_some_and(|target| is_same(&source, &target)) {
            let error = CommandError::usage(
                "same-cluster",
                "source and target are the same context of the same kubeconfig",
            );
            return Err(error.hinted(
                "name another file with --to-kubeconfig, or another context with --to-kubeconfig-context",
            ));
        }
        Ok(())
    }

    /// The source, ready to be asked.
    pub(super) async fn source(&self) -> Result<Cluster, CommandError> {
        self.connect(Side::Source, self.source_config()).await
    }

    /// Both sides, as far as they are named: what is not named cannot be asked. `absent` says that the source is gone, so that a default
    /// would be somebody else.
    pub(super) async fn known_sides(
        &self,
        absent: bool,
    ) -> Result<(Option<Cluster>, Option<Cluster>), CommandError> {
        let is_named = self.is_source_named();
        if is_named {
            self.check_flags()?;
        }
        let target = self.target().await?;
        let config = self.source_config();
        let is_target = self.target_config().is_some_and(|target| is_same(&config, &target));
        let source = match (is_named, absent || is_target) {
            (true, _) => Some(self.source().await?),
            (false, true) => None,
            (false, false) => match Cluster::connect(config).await {
                Ok(source) => Some(source),
                Err(error) if target.is_some() && is_absent(&error) => None,
                Err(error) => return Err(CommandError::connect(Side::Source, &error)),
            },
        };
        Ok((source, target))
    }

    /// True where a flag names the source.
    pub(super) fn is_source_named(&self) -> bool {
        self.global.kubeconfig.is_some() || self.global.kubeconfig_context.is_some()
    }

    /// True where a flag names the target.
    pub(super) fn is_target_named(&self) -> bool {
        self.global.to_kubeconfig.is_some() || self.global.to_kubeconfig_context.is_some()
    }

    /// The target, ready to be asked; `None` where none was named.
    pub(super) async fn target(&self) -> Result<Option<Cluster>, CommandError> {
        match self.target_config() {
            Some(config) => self.connect(Side::Target, config).await.map(Some),
            None => Ok(None),
        }
    }

    /// The target, which must have been named.
    pub(super) async fn required_target(&self) -> Result<Cluster, CommandError> {
        self.target().await?.ok_or_else(|| {
            CommandError::usage("target-missing", "no target cluster named")
                .hinted("name it with --to-kubeconfig, --to-kubeconfig-context or both")
        })
    }

    /// The target of an import: where none was named, the cluster that `kubectl` would talk to.
    pub(super) async fn target_or_default(&self) -> Result<Cluster, CommandError> {
        let config = self.target_config().unwrap_or_else(|| self.config(None, None));
        self.connect(Side::Target, config).await
    }

    /// What is to move, by which rules and within which limits.
    pub(super) fn options(
        &self,
        default_namespace: &str,
        selection: &SelectionArgs,
        wait: Duration,
        fence: FenceMode,
    ) -> Result<Options, CommandError> {
        Ok(Options {
            request: self.request(default_namespace, selection),
            rules: rules(&selection.links)?,
            wait,
            concurrency: CONCURRENCY,
            fence,
            pivot: None,
            ironic: IronicWish::default(),
        })
    }

    /// Waits for a look at the clusters; on a terminal it shows that it does.
    pub(super) async fn busy<T>(&self, look: impl Future<Output = T>) -> Result<T, CommandError> {
        let mut progress = Progress::new(self.printer, false);
        progress.tell(Duration::ZERO, &Notice::PhaseStarted { phase: Phase::Plan });
        self.interruptible(look).await
    }

    /// The machine that flags name, with one connection for all its commands.
    pub(super) async fn machine(&self, args: &HostArgs) -> Result<Host, CommandError> {
        self.interruptible(args.host()?.connected()).await
    }

    /// Waits for something that writes to no cluster.
    pub(super) async fn interruptible<T>(&self, work: impl Future<Output = T>) -> Result<T, CommandError> {
        self.interrupt.unless(work).await.ok_or_else(CommandError::interrupted)
    }

    async fn connect(&self, side: Side, config: ClusterConfig) -> Result<Cluster, CommandError> {
        let connected = self.interruptible(Cluster::connect(config)).await?;
        connected.map_err(|error| CommandError::connect(side, &error))
    }

    fn request(&self, default: &str, selection: &SelectionArgs) -> Request {
        let clusters = selection.filter_cluster.iter().cloned().collect();
        Request { namespaces: self.namespaces(default), clusters }
    }

    /// The selected namespaces; `None` for all.
    pub(super) fn namespaces(&self, default: &str) -> Option<BTreeSet<String>> {
        if self.global.all_namespaces {
            None
        } else if self.global.namespaces.is_empty() {
            Some(BTreeSet::from([default.to_owned()]))
        } else {
            Some(self.global.namespaces.iter().cloned().collect())
        }
    }

    fn source_config(&self) -> ClusterConfig {
        self.config(self.global.kubeconfig.as_ref(), self.global.kubeconfig_context.as_ref())
    }

    fn target_config(&self) -> Option<ClusterConfig> {
        let GlobalArgs { to_kubeconfig: file, to_kubeconfig_context: context, .. } = &self.global;
        // A context alone is one of the source's file.
        let file = file.as_ref().or_else(|| context.as_ref().and(self.global.kubeconfig.as_ref()));
        (file.is_some() || context.is_some()).then(|| self.config(file, context.as_ref()))
    }

    fn config(&self, file: Option<&PathBuf>, context: Option<&String>) -> ClusterConfig {
        let mut config = ClusterConfig::new(PathBuf::new());
        config.kubeconfig =
            file.map_or_else(|| self.environment.default_kubeconfig(), |file| vec![file.clone()]);
        config.context = context.cloned();
        config.proxy.clone_from(&self.environment.proxy);
        config
    }
}

/// True where the default kubeconfig is simply not there.
fn is_absent(error: &ConnectError) -> bool {
    match error {
        ConnectError::Kubeconfig(KubeconfigError::NoFile) => true,
        ConnectError::Kubeconfig(KubeconfigError::Read { source, .. }) => {
            source.kind() == ErrorKind::NotFound
        }
        ConnectError::Kubeconfig(_) | ConnectError::Cluster { .. } | ConnectError::User { .. } => false,
    }
}

/// True where two configurations lead to one place without asking any server.
fn is_same(one: &ClusterConfig, other: &ClusterConfig) -> bool {
    let files = |config: &ClusterConfig| -> Vec<PathBuf> {
        config.kubeconfig.iter().map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.clone())).collect()
    };
    one.context == other.context && files(one) == files(other)
}

/// The built-in link rules and those of some files.
pub(super) fn rules(files: &[PathBuf]) -> Result<LinkRules, CommandError> {
    let mut rules = LinkRules::builtin();
    for (path, text) in files.iter().zip(link_texts(files)?) {
        let more = LinkRules::parse(&text).map_err(|error| CommandError::links_file(path, &error))?;
        rules = rules.extended(more);
    }
    Ok(rules)
}

/// What stands in some files of link rules.
pub(super) fn link_texts(files: &[PathBuf]) -> Result<Vec<String>, CommandError> {
    let text = |path: &PathBuf| {
        fs::read_to_string(path).map_err(|error| CommandError::unreadable("links file", path, &error))
    };
    files.iter().map(text).collect()
}
