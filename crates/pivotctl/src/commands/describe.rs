//! `describe`.

use std::time::Duration;

use pivot::describe::describe;
use pivot::memory::{Recall, recall};

use super::Session;
use crate::args::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::report::whoami::Whoami;
use crate::report::{data, describe as table};
use crate::ui::last_line;

/// How long the records may take to be read; the last line says less without them.
const RECORDS: Duration = Duration::from_secs(10);

/// Show what something consists of and how it is, without changing anything
#[derive(Debug, clap::Args)]
pub(crate) struct DescribeArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Cluster(ClusterArgs),
}

/// Show a Cluster as a tree: its infrastructure, control plane, workers, their Machines and hosts, without changing anything
///
/// It asks the cluster of --kubeconfig, or the default one. The conditions are those that `clusterctl describe cluster` shows, of either
/// contract of Cluster API; a host tells its provisioning state, its power and its error.
#[derive(Debug, clap::Args)]
struct ClusterArgs {
    /// Name of the Cluster
    #[arg(value_name = "NAME")]
    name: String,

    /// Show what a Machine is made of also where it is ready
    #[arg(long)]
    echo: bool,

    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,
}

/// Runs the verb.
pub(crate) async fn run(session: &Session, args: &DescribeArgs) -> Result<Exit, CommandError> {
    let What::Cluster(args) = &args.what;
    session.check_flags()?;
    let cluster = session.source().await?;
    let namespaces = session.namespaces(cluster.namespace());
    let look = Box::pin(describe(&cluster, namespaces.as_ref(), &args.name));
    let tree = session.busy(look).await??;
    session.print(&match args.output {
        Output::Text => table::text(&tree, args.echo, !session.environment.dumb_terminal),
        Output::Json => data::json(&tree),
        Output::Yaml => data::yaml(&tree),
    })?;
    let recall = session.busy(Box::pin(recall(Some(&cluster), RECORDS))).await?;
    // Who may look at a Cluster need not be allowed to read records.
    let whoami = match &recall {
        Recall::Read(read) => Whoami::of(read).ok(),
        Recall::Silent { .. } | Recall::NotNamed => None,
    };
    session
        .printer
        .note(whoami.map_or_else(|| last_line::NOTHING_CHANGED.to_owned(), |whoami| whoami.active()));
    Ok(Exit::Done)
}
