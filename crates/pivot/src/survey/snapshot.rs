//! What was decided about a pivot, made again from what its records keep.

use std::collections::BTreeMap;
use std::sync::Arc;

use pivot_core::inventory::Inventory;
use pivot_core::kind::KindCatalog;
use pivot_core::plan::{Blueprint, ClusterIdentity, SourceFacts};
use pivot_core::record::{PivotRecord, StoredSnapshot};

use super::{Options, SurveyError, target_facts};
use crate::cluster::Cluster;
use crate::cluster::discovery::Discovery;

/// The blueprint of a decided pivot, or of one whose source is gone, by the snapshot that its target keeps. `here` is what the source
/// serves, where it can still be asked.
pub(crate) async fn survey_snapshot(
    snapshot: StoredSnapshot,
    source: &ClusterIdentity,
    here: Option<&Discovery>,
    target: &Cluster,
    there: &Discovery,
    options: &Options,
) -> Result<Blueprint, SurveyError> {
    let kinds: KindCatalog = here.unwrap_or(there).catalog.clone();
    let mut inventory = Inventory::new(&source.id, kinds);
    let mut actions = BTreeMap::new();
    for stored in snapshot.objects {
        let id = inventory.add(&stored.kind, stored.manifest);
        actions.insert(inventory.object(id).key.clone(), stored.action);
    }
    let facts = SourceFacts {
        name: source.name.clone(),
        inventory,
        namespaces: snapshot.namespaces,
        ..SourceFacts::default()
    };
    let rules = Arc::new(options.rules.clone());
    let mut blueprint = Blueprint::of_snapshot(facts, None, rules, snapshot.versions, &actions);
    blueprint.target = Some(Arc::new(target_facts(target, there, &blueprint, options).await?));
    Ok(blueprint)
}

/// A blueprint of nothing, to clean up what an import left in a target.
pub(crate) async fn survey_nothing(
    record: &PivotRecord,
    target: &Cluster,
    there: &Discovery,
    options: &Options,
) -> Result<Blueprint, SurveyError> {
    let facts = SourceFacts {
        name: record.source.name.clone(),
        inventory: Inventory::new(&record.source.id, there.catalog.clone()),
        ..SourceFacts::default()
    };
    let mut blueprint = Blueprint::of_directory(facts, None, Arc::new(options.rules.clone()));
    blueprint.target = Some(Arc::new(target_facts(target, there, &blueprint, options).await?));
    Ok(blueprint)
}
