//! Looking at the source until it holds still.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pivot_core::machine::{Notice, Side};
use pivot_core::object::{ObjectKey, Uid};
use pivot_core::plan::{Blueprint, SourceFacts};
use tokio::time::sleep;

use super::{DirectoryError, Teller};
use crate::cluster::Cluster;
use crate::cluster::inventory::Listing;
use crate::survey::{Options, discover, list_source};

/// How often the source is listed at most.
const LOOKS: u32 = 10;
/// The wait before the third look; it doubles from there on.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Everything that would move, as it stood at one moment. Reads only.
pub(super) async fn consistent(
    source: &Cluster,
    options: &Options,
    teller: &mut Teller<'_>,
) -> Result<Blueprint, DirectoryError> {
    let discovery = discover(Side::Source, source, &options.rules).await?;
    let versions = Blueprint::versions(&discovery.catalog, None);
    let Listing { inventory, unreadable, .. } =
        list_source(source, &discovery, &versions, options, None).await?;
    let facts = SourceFacts {
        name: source.name().to_owned(),
        inventory,
        namespaces: discovery.namespaces.clone().unwrap_or_default(),
        limited: unreadable.iter().filter(|u| u.namespace.is_none()).map(|u| u.kind.to_string()).collect(),
        ..SourceFacts::default()
    };
    let rules = Arc::new(options.rules.clone());
    let mut blueprint = Blueprint::new(facts, None, rules, options.request.clone(), versions.clone());
    let mut wait = Duration::ZERO;
    let mut objects = Vec::new();
    for _ in 1..LOOKS {
        sleep(wait).await;
        wait = (wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        let known = Some(&blueprint.source.inventory);
        let again = list_source(source, &discovery, &versions, options, known).await?;
        let later = blueprint.renewed(again.inventory);
        objects = changed(&blueprint, &later);
        if objects.is_empty() {
            return Ok(blueprint);
        }
        teller.tell(Notice::Resnapshot { objects: objects.iter().take(5).cloned().collect() });
        blueprint = later;
    }
    Err(DirectoryError::Unsteady { objects })
}

/// Objects that one of the two looks saw alone, or at another revision.
fn changed(before: &Blueprint, after: &Blueprint) -> Vec<ObjectKey> {
    let (before, after) = (revisions(before), revisions(after));
    let differs = |key: &&ObjectKey| before.get(*key) != after.get(*key);
    let appeared = after.keys().filter(|key| !before.contains_key(*key));
    before.keys().chain(appeared).copied().filter(differs).cloned().collect()
}

fn revisions(blueprint: &Blueprint) -> BTreeMap<&ObjectKey, (&Uid, &str)> {
    let staged = blueprint.staged_objects();
    staged.map(|(_, object)| (&object.key, (&object.uid, object.manifest.resource_version()))).collect()
}
