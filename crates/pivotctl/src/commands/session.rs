//! What all verbs share: how they were called, the clusters they were given, and what is to move.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pivot::cluster::{Cluster, ClusterConfig};
use pivot::survey::Options;
use pivot_core::link::LinkRules;
use pivot_core::machine::{Notice, Phase, Side};
use pivot_core::record::FenceMode;
use pivot_core::select::Request;

use super::next::NextCommand;
use crate::args::{GlobalArgs, SelectionArgs};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::program::Program;
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
}

/// Verbs that a message may tell to type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Check,
    Plan,
    Move,
    Status,
    Verify,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Plan => "plan",
            Self::Move => "move",
            Self::Status => "status",
            Self::Verify => "verify",
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

    /// The command line for another verb on the same clusters.
    pub(super) fn next(&self, verb: Verb) -> NextCommand {
        NextCommand::new(self.program, verb.name(), &self.global)
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
        connect(Side::Source, self.source_config()).await
    }

    /// The target, ready to be asked; `None` where none was named.
    pub(super) async fn target(&self) -> Result<Option<Cluster>, CommandError> {
        match self.target_config() {
            Some(config) => connect(Side::Target, config).await.map(Some),
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
        connect(Side::Target, config).await
    }

    /// What is to move, by which rules and within which limits.
    pub(super) fn options(
        &self,
        source: &Cluster,
        selection: &SelectionArgs,
        wait: Duration,
    ) -> Result<Options, CommandError> {
        Ok(Options {
            request: self.request(source, selection),
            rules: rules(&selection.links)?,
            wait,
            concurrency: CONCURRENCY,
            fence: FenceMode::Pause,
            pivot: None,
        })
    }

    /// Waits for a look at the clusters; on a terminal it shows that it does.
    pub(super) async fn busy<T>(&self, look: impl Future<Output = T>) -> T {
        let mut progress = Progress::new(self.printer, false);
        progress.tell(Duration::ZERO, &Notice::PhaseStarted { phase: Phase::Plan });
        look.await
    }

    fn request(&self, source: &Cluster, selection: &SelectionArgs) -> Request {
        let namespaces = if self.global.all_namespaces {
            None
        } else if self.global.namespaces.is_empty() {
            Some(BTreeSet::from([source.namespace().to_owned()]))
        } else {
            Some(self.global.namespaces.iter().cloned().collect())
        };
        Request { namespaces, clusters: selection.filter_cluster.iter().cloned().collect() }
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

async fn connect(side: Side, config: ClusterConfig) -> Result<Cluster, CommandError> {
    Cluster::connect(config).await.map_err(|error| CommandError::connect(side, &error))
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
