//! Flags that every verb takes, and those that say what is to move.

use std::path::PathBuf;

use clap::ValueEnum;

/// Flags of every verb.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Kubeconfig of the source [default: the files of KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Context of the source [default: the current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) kubeconfig_context: Option<String>,

    /// Kubeconfig of the target [default: with --to-kubeconfig-context, that of the source]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) to_kubeconfig: Option<PathBuf>,

    /// Context of the target [default: the current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) to_kubeconfig_context: Option<String>,

    /// Namespace to move; repeat it or write a list [default: that of the source's context, else default]
    #[arg(short = 'n', long = "namespace", global = true, value_name = "NAME", value_delimiter = ',')]
    pub(crate) namespaces: Vec<String>,

    /// All namespaces
    #[arg(short = 'A', long, global = true)]
    pub(crate) all_namespaces: bool,

    /// Say more; repeat it or give a number (-v 5)
    #[arg(
        short = 'v',
        global = true,
        value_name = "LEVEL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        action = clap::ArgAction::Append
    )]
    verbosity: Vec<u32>,

    /// When to use colors; NO_COLOR and TERM=dumb turn them off too
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: ColorWhen,

    /// Configuration file of clusterctl; taken so that its command lines work, and read by no verb of this version
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl GlobalArgs {
    /// How much to say: 0 is normal.
    pub(crate) fn verbosity(&self) -> u32 {
        self.verbosity.iter().fold(0, |sum, level| sum.saturating_add(*level))
    }
}

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Text,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// What is to move, next to the namespaces.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SelectionArgs {
    /// Move this Cluster and what belongs to it, nothing else; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) filter_cluster: Vec<String>,

    /// File with more link rules, for kinds of other providers; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) links: Vec<PathBuf>,
}
