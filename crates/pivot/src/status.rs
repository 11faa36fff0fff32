//! Where things stand, told from the clusters themselves.

use std::collections::BTreeMap;

use pivot_core::inventory::{Inventory, Object};
use pivot_core::machine::Active;
use pivot_core::marks;
use pivot_core::pause::PauseField;
use pivot_core::plan::ClusterIdentity;
use serde::Serialize;

use crate::cluster::Cluster;
use crate::survey::{Look, Options, SurveyError};
use crate::verify::staged_by_pivots;

/// One side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SideStatus {
    /// Which cluster.
    #[serde(flatten)]
    pub cluster: ClusterIdentity,
    /// Objects that a move from here would take or copy, or, in the target, that a pivot brought.
    pub objects: usize,
    /// Clusters, ClusterClasses and hosts among them that are paused.
    pub paused: usize,
    /// Clusters, ClusterClasses and hosts among them.
    pub pausable: usize,
}

/// What a pivot left in the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PivotStatus {
    /// Objects it staged.
    pub staged: usize,
    /// Those that are PivotedReady.
    pub ready: usize,
    /// Those whose original is still in the source.
    pub in_source: usize,
    /// Those that it paused and that still are.
    pub paused: usize,
}

/// Both sides, and what pivots did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The source.
    pub source: SideStatus,
    /// The target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<SideStatus>,
    /// By pivot id: what is in the target.
    pub pivots: BTreeMap<String, PivotStatus>,
    /// Which side acts; `None` where there is nothing to act on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<Active>,
}

/// Looks at both sides. Writes nothing.
pub async fn status(
    source: &Cluster,
    target: Option<&Cluster>,
    options: &Options,
) -> Result<StatusReport, SurveyError> {
    Look::at(source, target, options).await.map(|look| StatusReport::of(&look))
}

impl StatusReport {
    pub(crate) fn of(look: &Look) -> Self {
        let Look { survey, there } = look;
        let here: Vec<&Object> = survey.blueprint.staged_objects().map(|(_, object)| object).collect();
        let report = survey.report();
        let source = side_status(report.source.clone(), &here);
        let Some(identity) = report.target.clone() else {
            let active = (!here.is_empty()).then_some(Active::Source);
            return Self { source, target: None, pivots: BTreeMap::new(), active };
        };
        let brought: Vec<&Object> = staged_by_pivots(there).map(|(object, _)| object).collect();
        let pivots = pivots(there, &survey.blueprint.source.inventory);
        let active = active(&here, &pivots);
        Self { source, target: Some(side_status(identity, &brought)), pivots, active }
    }
}

fn side_status(cluster: ClusterIdentity, objects: &[&Object]) -> SideStatus {
    let pausable = objects.iter().filter_map(|object| Some((PauseField::of(&object.key.kind)?, *object)));
    let paused = pausable.clone().filter(|(field, object)| field.is_paused(&field.read(&object.manifest)));
    SideStatus { cluster, objects: objects.len(), paused: paused.count(), pausable: pausable.count() }
}

fn pivots(there: &Inventory, source: &Inventory) -> BTreeMap<String, PivotStatus> {
    let mut pivots: BTreeMap<String, PivotStatus> = BTreeMap::new();
    for (object, id) in staged_by_pivots(there) {
        let status = pivots.entry(id.to_owned()).or_default();
        status.staged += 1;
        status.ready += usize::from(marks::is_ready(&object.manifest, id));
        let original = source.get(&object.key);
        let source_uid = object.manifest.annotation(marks::SOURCE_UID);
        status.in_source +=
            usize::from(original.is_some_and(|original| source_uid == Some(original.uid.0.as_str())));
        let field = PauseField::of(&object.key.kind);
        status.paused +=
            usize::from(field.is_some_and(|field| field.read(&object.manifest) == field.paused(id)));
    }
    pivots
}

/// The target acts once everything of a pivot is complete there and opened; what the source still holds is then what it kept.
fn active(here: &[&Object], pivots: &BTreeMap<String, PivotStatus>) -> Option<Active> {
    let under_way = pivots.values().any(|p| p.in_source > 0 && (p.paused > 0 || p.ready < p.staged));
    let target_acts = pivots.values().any(|p| p.staged > 0 && p.ready == p.staged && p.paused == 0);
    let kept = pivots.values().map(|p| p.in_source).sum::<usize>();
    match (here.is_empty(), under_way, target_acts) {
        (_, true, _) => Some(Active::Neither),
        (true, false, true) => Some(Active::Target),
        (false, false, true) if kept > 0 => Some(Active::Target),
        (false, false, _) => Some(Active::Source),
        (true, false, false) => None,
    }
}
