//! A whole pivot, from LOCK to RETIRE.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pivot_core::fence::Identity as Guised;
use pivot_core::ironic::HandOver;
use pivot_core::machine::{End, Machine, Notice, Past, PastSide, Side};
pub use pivot_core::machine::{OnFailure, Retire};
use pivot_core::plan::{Blueprint, ClusterIdentity};
use pivot_core::record::{FenceMode, Standing, Terms};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster::discovery::Discovery;
use crate::cluster::{Cluster, Failure};
use crate::coordinator::{Identity, LeaseTimes, Seat, SeatError, Unclaimed, Waiting};
use crate::engine::{self, Guise, Sides, Source, Story, Target};
use crate::event::{Event, Listener};
use crate::records::{Records, records_within, stopped_ironic};
use crate::survey::{DirectorySurvey, Options, Survey};

/// Limit of the waits of one request that fails for now, added up.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often a change in the source may send a run back to SNAPSHOT.
const SNAPSHOTS: u32 = 5;
/// From how many objects on it pays to compare and keep them before the source is fenced.
const BULK: usize = 256;

/// Tells the time of day, for people alone.
pub type Clock = Arc<dyn Fn() -> String + Send + Sync>;

/// Who drives a pivot.
#[derive(Clone)]
pub struct Driver {
    /// This process. Its nonce is the fencing token: nobody else must ever have used it.
    pub me: Identity,
    /// How long the seat holds.
    pub times: LeaseTimes,
    /// True for a holder of a Lease that is known to be gone: a process of this machine, since its start, that no longer exists.
    pub is_dead: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Directory of the journals; `None` for no journal.
    pub journals: Option<PathBuf>,
    /// Tells the time of day, for people alone.
    pub clock: Clock,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("me", &self.me).finish_non_exhaustive()
    }
}

/// How to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Id of this pivot.
    pub pivot_id: String,
    /// What becomes of the source's objects.
    pub retire: Retire,
    /// Whether the bulk is staged while the source still acts; needs the full fence.
    pub pre_copy: bool,
    /// What a failure before PREPARE leads to.
    pub on_failure: OnFailure,
    /// Limit of the waits of one request that fails for now, added up.
    pub patience: Duration,
    /// What was surveyed; the source is listed again by the same rules.
    pub survey: Options,
    /// Texts of the files of link rules among them, for the records.
    pub links: Vec<String>,
    /// Where Ironic is on both sides; nothing where it is left alone.
    pub hand_over: Option<HandOver>,
    /// Who drives it.
    pub driver: Driver,
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
    let Some(target_discovery) = survey.target.clone() else {
        return End::Failed { cause: "the survey was made without a target".to_owned() };
    };
    let clusters = [(Side::Source, &source), (Side::Target, &target)];
    let past = match futures::try_join!(
        unclaimed(Side::Source, &source, &options.driver),
        unclaimed(Side::Target, &target, &options.driver)
    ) {
        Ok((source, target)) => Past { source, target, pauses: Vec::new() },
        Err(cause) => return End::Failed { cause },
    };
    let guises = match guises(&clusters, &options).await {
        Ok(guises) => guises,
        Err(cause) => return End::Failed { cause },
    };
    let seat = match take_seat(&clusters, &options.pivot_id, &options.driver, listener).await {
        Ok(seat) => seat,
        Err(error) => return End::Failed { cause: error.to_string() },
    };
    let Survey { blueprint, source: source_discovery, positions, live_providers, .. } = survey;
    let versions = blueprint.versions.clone();
    let story = story(&options.driver, &options.pivot_id, &blueprint, listener).await;
    let machine_options = machine_options(&options, &blueprint, live_providers);
    let machine = Machine::new(blueprint, machine_options, &past);
    let sides = Sides {
        source: Source::Cluster { cluster: source, discovery: source_discovery, positions },
        target: Some(Target { cluster: target, discovery: Arc::clone(&target_discovery) }),
        story,
        pivot_id: options.pivot_id,
        guises,
        versions,
        hand_over: options.hand_over,
        options: options.survey,
    };
    let concurrency = sides.options.concurrency;
    let end = Box::pin(engine::drive(machine, sides, &seat, concurrency, interrupt, listener)).await;
    leave_seat(seat, &end, Some(&target_discovery), listener).await;
    end
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
    let clusters = [(Side::Target, &target)];
    let past = match unclaimed(Side::Target, &target, &options.driver).await {
        Ok(target) => Past { target, ..Past::default() },
        Err(cause) => return End::Failed { cause },
    };
    let guises = match guises(&clusters, &options).await {
        Ok(guises) => guises,
        Err(cause) => return End::Failed { cause },
    };
    let seat = match take_seat(&clusters, &options.pivot_id, &options.driver, listener).await {
        Ok(seat) => seat,
        Err(error) => return End::Failed { cause: error.to_string() },
    };
    let versions = blueprint.versions.clone();
    let story = story(&options.driver, &options.pivot_id, &blueprint, listener).await;
    let machine_options = machine_options(&options, &blueprint, BTreeSet::new());
    let machine = Machine::new(blueprint, machine_options, &past);
    let sides = Sides {
        source: Source::Directory(inventory),
        target: Some(Target { cluster: target, discovery: Arc::clone(&target_discovery) }),
        story,
        pivot_id: options.pivot_id,
        guises,
        versions,
        hand_over: options.hand_over,
        options: options.survey,
    };
    let concurrency = sides.options.concurrency;
    let end = Box::pin(engine::drive(machine, sides, &seat, concurrency, interrupt, listener)).await;
    leave_seat(seat, &end, Some(&target_discovery), listener).await;
    end
}

/// What a cluster remembers, if no pivot is open in it.
async fn unclaimed(side: Side, cluster: &Cluster, driver: &Driver) -> Result<PastSide, String> {
    // The seat would wait as long.
    let found = records_within(cluster, driver.times.duration).await;
    let found = found.map_err(|error| format!("{} (the {side}): {error}", cluster.name()))?;
    if let Some(error) = found.unreadable.first() {
        return Err(format!("{} (the {side}): {error}", cluster.name()));
    }
    if let Some(id) = open_pivot(&found) {
        return Err(format!(
            "{} (the {side}) takes part in pivot {id}, which is not finished: `pivotctl resume --id {id}` or `pivotctl rollback --id {id}` first",
            cluster.name()
        ));
    }
    let ironic = stopped_ironic(&found);
    Ok(PastSide { ownership: found.ownership, ironic, ..PastSide::default() })
}

/// The pivot that a cluster takes part in.
pub(crate) fn open_pivot(records: &Records) -> Option<&str> {
    let owned = records.ownership.as_ref().map(|(ownership, _)| ownership);
    let taken = owned.filter(|o| matches!(o.standing, Standing::HandingOver | Standing::Receiving));
    taken.map(|o| o.pivot.as_str()).or_else(|| records.open().next().map(|record| record.id.as_str()))
}

/// The identities under which the pivot writes; none where the pause is the only fence.
pub(crate) async fn guises(
    clusters: &[(Side, &Cluster)],
    options: &RunOptions,
) -> Result<BTreeMap<Side, Guise>, String> {
    let mut guises = BTreeMap::new();
    if options.survey.fence == FenceMode::Pause {
        return Ok(guises);
    }
    for (side, cluster) in clusters {
        let said = |failure: Failure| format!("{} (the {side}): {failure}", cluster.name());
        let me = cluster.whoami().await.map_err(said)?;
        let identity = Guised::new(&me.user, &me.groups, &options.pivot_id, &options.driver.me.nonce);
        let cluster = cluster.with_identity(&identity).map_err(said)?;
        guises.insert(*side, Guise { identity, cluster });
    }
    Ok(guises)
}

pub(crate) async fn take_seat(
    clusters: &[(Side, &Cluster)],
    pivot_id: &str,
    driver: &Driver,
    listener: Listener<'_>,
) -> Result<Seat, SeatError> {
    let began = Instant::now();
    let mut tell = |waiting: Waiting| {
        listener(Event { elapsed: began.elapsed(), notice: engine::waiting(&waiting) });
    };
    let seat = Seat::take(clusters, pivot_id, &driver.me, driver.times, &*driver.is_dead, &mut tell).await?;
    // Whoever cannot take a side does not begin to write to it.
    let Some(unclaimed) = seat.unclaimed().into_iter().next() else { return Ok(seat) };
    // What could not be given back runs out by itself.
    let _left = seat.release(None).await;
    let Unclaimed { side, cluster, reason } = unclaimed;
    Err(SeatError::Unreachable { side, cluster, reason })
}

/// The journal of a pivot.
pub(crate) async fn story(
    driver: &Driver,
    pivot_id: &str,
    blueprint: &Blueprint,
    listener: Listener<'_>,
) -> Story {
    let began = Instant::now();
    let source = ClusterIdentity {
        name: blueprint.source.name.clone(),
        id: blueprint.source.inventory.cluster_id.clone(),
    };
    let target = blueprint.target.as_ref().map_or_else(
        || ClusterIdentity { name: String::new(), id: String::new() },
        |target| ClusterIdentity { name: target.name.clone(), id: target.inventory.cluster_id.clone() },
    );
    let clock = Arc::clone(&driver.clock);
    let (story, trouble) = Story::begin(driver.journals.as_deref(), clock, pivot_id, &source, &target).await;
    if let Some(message) = trouble {
        let notice = Notice::Warning { object: None, message };
        listener(Event { elapsed: began.elapsed(), notice });
    }
    story
}

/// Gives the seat back. After a rollback nothing of ours stays in the target.
pub(crate) async fn leave_seat(seat: Seat, end: &End, target: Option<&Discovery>, listener: Listener<'_>) {
    let began = Instant::now();
    let rolled_back = matches!(end, End::RolledBack { .. });
    let clear = target.filter(|_| rolled_back).map(|target| (Side::Target, target));
    for left in seat.release(clear).await {
        let notice = Notice::Warning {
            object: Some(left.object.clone()),
            message: format!("left in {} (the {}): {}", left.cluster, left.side, left.reason),
        };
        listener(Event { elapsed: began.elapsed(), notice });
    }
}

pub(crate) fn machine_options(
    options: &RunOptions,
    blueprint: &Blueprint,
    live_providers: BTreeSet<String>,
) -> pivot_core::machine::Options {
    let request = &options.survey.request;
    let there = blueprint.target.as_ref().and_then(|target| target.fence.as_ref());
    let controllers = [(Side::Source, blueprint.source.fence.as_ref()), (Side::Target, there)]
        .into_iter()
        .filter_map(|(side, facts)| Some((side, facts?.controllers.clone())))
        .collect();
    pivot_core::machine::Options {
        pivot_id: options.pivot_id.clone(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        coordinator: format!("process {} on {}", options.driver.me.pid, options.driver.me.host),
        token: options.driver.me.nonce.clone(),
        terms: Terms {
            namespaces: request.namespaces.clone(),
            clusters: request.clusters.clone(),
            links: options.links.clone(),
            retire: options.retire,
            fence: options.survey.fence,
            pre_copy: options.pre_copy,
            ironic: options.hand_over.clone(),
        },
        on_failure: options.on_failure,
        close: false,
        wait: options.survey.wait,
        patience: options.patience,
        snapshots: SNAPSHOTS,
        bulk: BULK,
        live_providers,
        controllers,
    }
}
