//! Where things stand, told from the clusters themselves: what they remember, and what they hold.

mod objects;

use std::collections::BTreeMap;
use std::time::Duration;

use pivot_core::inventory::Object;
use pivot_core::link::LinkRules;
use pivot_core::machine::{Phase, Side};
use pivot_core::plan::{ClusterIdentity, Origin};
use pivot_core::record::outlook::{Acting, Next};
use pivot_core::record::{FenceMode, PivotRecord, Standing, State, Terms};
use pivot_core::select::Request;
use serde::Serialize;

pub use self::objects::{Content, PivotStatus};
use self::objects::{active, content};
use crate::cluster::Cluster;
use crate::memory::{LastPivot, Memory, Recall, Seated, is_fenced, remember};
use crate::survey::{Look, Options};
use crate::verify::staged_by_pivots;

/// One side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SideStatus {
    /// How messages call it.
    pub name: String,
    /// UID of its namespace `kube-system`, where it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why it could not be read; absent where it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<String>,
    /// What it is with respect to pivots; absent where it has no record of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// Epoch of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Records that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// What it holds, where it could be surveyed.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// What the records say of a pivot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedPivot {
    /// Its id.
    pub id: String,
    /// The cluster it leads from.
    pub from: String,
    /// The cluster it leads to.
    pub to: String,
    /// The phase that the records know.
    pub phase: Phase,
    /// What the record of the named source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_state: Option<State>,
    /// What the record of the named target says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_state: Option<State>,
    /// What stands in the place of the cluster it leads from.
    pub origin: Origin,
    /// How others were to be kept from acting.
    pub fence: FenceMode,
    /// Whether its policy stands in the named source; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_fenced: Option<bool>,
    /// Whether its policy stands in the named target; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_fenced: Option<bool>,
    /// Why it is being undone, or what was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// True where it leads from the named target to the named source.
    pub backwards: bool,
    /// What was asked for.
    #[serde(skip)]
    pub terms: Terms,
}

/// Who drives a pivot, by what its Lease says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriverStatus {
    /// In words.
    pub who: String,
    /// True where it is known to be gone: a process of this machine that no longer exists.
    pub gone: bool,
    /// When it sat down, by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Its last sign of life, by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sign_of_life: Option<String>,
}

/// Both sides, and what pivots did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The source.
    pub source: SideStatus,
    /// The target, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<SideStatus>,
    /// The pivot that is open, or else the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pivot: Option<RecordedPivot>,
    /// Who drives it, or left without giving the seat back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<DriverStatus>,
    /// By pivot id: what is in the target.
    pub pivots: BTreeMap<String, PivotStatus>,
    /// Which side acts; absent where there is nothing to act on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<Acting>,
    /// What is to be done next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// How to look.
#[derive(Debug)]
pub struct StatusOptions<'a> {
    /// What is to move, by which rules.
    pub survey: Options,
    /// Whether the selection and the link rules of the pivot in the records count instead.
    pub adopt: bool,
    /// How long a side may be silent before it counts as unreachable.
    pub silence: Duration,
    /// True for a holder of a Lease that is known to be gone.
    pub is_dead: IsDead<'a>,
}

/// Tells of the holder of a Lease whether it is known to be gone.
#[derive(Clone, Copy)]
pub struct IsDead<'a>(pub &'a (dyn Fn(&str) -> bool + Send + Sync));

impl std::fmt::Debug for IsDead<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IsDead")
    }
}

/// Looks at both sides. Writes nothing; a side that does not answer is told as such.
pub async fn status(
    source: Option<&Cluster>,
    target: Option<&Cluster>,
    options: StatusOptions<'_>,
) -> (StatusReport, Memory) {
    let StatusOptions { mut survey, adopt, silence, is_dead } = options;
    let memory = remember(source, target, silence).await;
    let last = memory.last_pivot();
    if let Some(last) = &last {
        survey.pivot = Some(last.id().to_owned());
        if adopt {
            take_over(&mut survey, &last.record().terms);
        }
    }
    let answering = |recall: &Recall, cluster| recall.read().and(cluster);
    let (here, there) = (answering(&memory.source, source), answering(&memory.target, target));
    let look = async {
        match here {
            Some(source) => Look::at(source, there, &survey)
                .await
                .map_err(|error| (error.side(), error.to_string()))
                .map(Some),
            None => Ok(None),
        }
    };
    let fenced = async |cluster: Option<&Cluster>| match (cluster, &last) {
        (Some(cluster), Some(last)) => is_fenced(cluster, last.id()).await,
        _ => None,
    };
    let (look, source_fenced, target_fenced) = futures::join!(look, fenced(here), fenced(there));
    let mut report = StatusReport::of(&memory, look.as_ref().ok().and_then(Option::as_ref), is_dead);
    if let Some(pivot) = &mut report.pivot {
        (pivot.source_fenced, pivot.target_fenced) = (source_fenced, target_fenced);
    }
    if let Err((side, reason)) = look {
        let side = match side {
            Side::Source => Some(&mut report.source),
            Side::Target => report.target.as_mut(),
        };
        if let Some(side) = side {
            side.silent = Some(reason);
        }
    }
    (report, memory)
}

/// What was asked of a pivot is what there is to look at.
fn take_over(options: &mut Options, terms: &Terms) {
    options.request = Request { namespaces: terms.namespaces.clone(), clusters: terms.clusters.clone() };
    options.rules = std::mem::replace(&mut options.rules, LinkRules::builtin()).with_readable(&terms.links);
}

impl StatusReport {
    /// What the records alone tell.
    pub fn of_records(memory: &Memory, is_dead: IsDead<'_>) -> Self {
        Self::of(memory, None, is_dead)
    }

    pub(crate) fn of(memory: &Memory, look: Option<&Look>, is_dead: IsDead<'_>) -> Self {
        let last = memory.last_pivot();
        let mut source = side_status(&memory.source);
        let mut target = (!matches!(memory.target, Recall::NotNamed)).then(|| side_status(&memory.target));
        let mut pivots = BTreeMap::new();
        let mut held = None;
        if let Some(Look { survey, there }) = look {
            let here: Vec<&Object> = survey.blueprint.staged_objects().map(|(_, object)| object).collect();
            source.content = Some(content(&here));
            if let Some(target) = target.as_mut().filter(|target| target.silent.is_none()) {
                let brought: Vec<&Object> = staged_by_pivots(there).map(|(object, _)| object).collect();
                target.content = Some(content(&brought));
                pivots = objects::pivots(there, &survey.blueprint.source.inventory);
            }
            held = Some(active(&here, &pivots, target.is_some()));
        }
        let acting = last.as_ref().map(|last| last.acting).filter(|acting| *acting != Acting::Unknown);
        // Without records the objects tell; but not of a side that is silent, nor of one that is no longer active.
        let retired = memory.source.ownership().is_some_and(|own| own.standing == Standing::Retired);
        let blind =
            last.is_some() || retired || target.as_ref().is_some_and(|target| target.silent.is_some());
        let active = acting.or(match held {
            _ if blind => Some(Acting::Unknown),
            Some(held) => held.map(Acting::from),
            None => Some(Acting::Unknown),
        });
        let seats = [&memory.source, &memory.target].into_iter().filter_map(Recall::read);
        let driver =
            seats.filter_map(|read| read.seated.as_ref()).map(|seated| driver(seated, is_dead)).next();
        let next = last.as_ref().and_then(|last| last.next);
        Self { source, target, pivot: last.map(recorded), driver, pivots, active, next }
    }
}

fn driver(seated: &Seated, is_dead: IsDead<'_>) -> DriverStatus {
    DriverStatus {
        who: seated.in_words(),
        gone: (is_dead.0)(&seated.holder),
        since: seated.since.clone(),
        last_sign_of_life: seated.renewed.clone(),
    }
}

fn recorded(last: LastPivot) -> RecordedPivot {
    let LastPivot { source, target, backwards, .. } = last;
    let state = |record: &Option<PivotRecord>| record.as_ref().map(|record| record.state);
    let (source_state, target_state) = (state(&source), state(&target));
    let records = || [&source, &target].into_iter().flatten();
    let phase = records().map(|record| record.phase).max().unwrap_or(Phase::Plan);
    let cause = records().find_map(|record| record.cause.clone());
    let record = target.or(source).expect("BUG: a pivot without a record");
    let ClusterIdentity { name: from, .. } = record.source;
    let ClusterIdentity { name: to, .. } = record.target;
    RecordedPivot {
        id: record.id,
        from,
        to,
        phase,
        source_state,
        target_state,
        origin: record.origin,
        fence: record.terms.fence,
        source_fenced: None,
        target_fenced: None,
        cause,
        backwards,
        terms: record.terms,
    }
}

fn side_status(recall: &Recall) -> SideStatus {
    let blank = |name: &str, silent| SideStatus {
        name: name.to_owned(),
        id: None,
        silent,
        standing: None,
        epoch: None,
        unreadable: Vec::new(),
        content: None,
    };
    match recall {
        Recall::NotNamed => blank("", Some("not named".to_owned())),
        Recall::Silent { name, error } => blank(name, Some(error.to_string())),
        Recall::Read(read) => {
            let ownership = read.records.ownership.as_ref().map(|(ownership, _)| ownership);
            SideStatus {
                id: Some(read.cluster.id.clone()),
                standing: ownership.map(|ownership| ownership.standing),
                epoch: ownership.map(|ownership| ownership.epoch),
                unreadable: read.records.unreadable.iter().map(ToString::to_string).collect(),
                ..blank(&read.cluster.name, None)
            }
        }
    }
}
