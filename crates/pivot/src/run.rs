//! A whole pivot, from LOCK to RETIRE.

use std::collections::BTreeSet;
use std::time::Duration;

pub use pivot_core::machine::Retire;
use pivot_core::machine::{End, Machine};
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::engine::{self, Sides, Source};
use crate::event::Listener;
use crate::survey::{DirectorySurvey, Options, Survey};

/// Limit of the waits of one request that fails for now, added up.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often a change in the source may send a run back to SNAPSHOT.
const SNAPSHOTS: u32 = 5;

/// How to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Id of this pivot.
    pub pivot_id: String,
    /// What becomes of the source's objects.
    pub retire: Retire,
    /// Limit of the waits of one request that fails for now, added up.
    pub patience: Duration,
    /// What was surveyed; the source is listed again by the same rules.
    pub survey: Options,
}

/// Runs a surveyed pivot to its end.
///
/// The survey must hold no error and must have seen the target; what it found is a failure without a single write else. Dropping the
/// future gives the run up at once, as good as a crash.
pub async fn run(
    survey: Survey,
    source: Cluster,
    target: Cluster,
    options: RunOptions,
    interrupt: CancellationToken,
    listener: Listener<'_>,
) -> End {
    if let Some(error) = survey.report().errors().next() {
        return End::Failed { cause: error.to_string() };
    }
    let Survey {
        blueprint,
        source: source_discovery,
        target: target_discovery,
        positions,
        live_providers,
        ..
    } = survey;
    let Some(target_discovery) = target_discovery else {
        return End::Failed { cause: "the survey was made without a target".to_owned() };
    };
    let source = Source::Cluster { cluster: source, discovery: source_discovery, positions };
    let versions = blueprint.versions.clone();
    let machine = Machine::new(blueprint, machine_options(&options, live_providers));
    let concurrency = options.survey.concurrency;
    let sides = Sides { source, target, target_discovery, versions, options: options.survey };
    engine::drive(machine, sides, concurrency, interrupt, listener).await
}

/// Takes a surveyed directory into a cluster. What the survey found is a failure without a single write.
pub(crate) async fn run_directory(
    survey: DirectorySurvey,
    target: Cluster,
    options: RunOptions,
    interrupt: CancellationToken,
    listener: Listener<'_>,
) -> End {
    let DirectorySurvey { blueprint, inventory, target: target_discovery, report } = survey;
    if let Some(error) = report.errors().next() {
        return End::Failed { cause: error.to_string() };
    }
    let source = Source::Directory(inventory);
    let versions = blueprint.versions.clone();
    let machine = Machine::new(blueprint, machine_options(&options, BTreeSet::new()));
    let concurrency = options.survey.concurrency;
    let sides = Sides { source, target, target_discovery, versions, options: options.survey };
    engine::drive(machine, sides, concurrency, interrupt, listener).await
}

fn machine_options(options: &RunOptions, live_providers: BTreeSet<String>) -> pivot_core::machine::Options {
    pivot_core::machine::Options {
        pivot_id: options.pivot_id.clone(),
        retire: options.retire,
        wait: options.survey.wait,
        patience: options.patience,
        snapshots: SNAPSHOTS,
        live_providers,
    }
}
