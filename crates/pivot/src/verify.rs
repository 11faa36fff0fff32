//! Comparing both sides at any time, read-only.
//!
//! What the source still holds is compared with the target; what a pivot put into the target is looked at by itself: has it settled,
//! and do its owners live?

use std::collections::BTreeSet;
use std::time::Duration;

use pivot_core::content::{comparable, differences};
use pivot_core::inventory::{Inventory, Object};
use pivot_core::link::Links;
use pivot_core::marks;
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::pause::PauseField;
use pivot_core::record::outlook::Acting;
use pivot_core::settled::Settlement;
use serde::Serialize;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::memory::remember;
use crate::settled::View;
use crate::status::{IsDead, StatusReport};
use crate::survey::{Look, Options, SurveyError};

/// A difference. It never tells a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The object.
    pub object: ObjectKey,
    /// JSON pointer; empty for the object as a whole.
    pub path: String,
    /// What is so.
    pub what: String,
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Objects looked at.
    pub compared: usize,
    /// What differs; empty for equal sides.
    pub differences: Vec<Difference>,
    /// How far what pivots brought has settled in the target.
    pub settlement: Settlement,
}

impl VerifyReport {
    /// True where nothing differs, and everything that was brought has settled.
    pub fn is_well(&self) -> bool {
        self.differences.is_empty() && self.settlement.unsettled.is_empty()
    }
}

/// Compares, and tells from the same look at both sides which of them acts. Pause values do not count: they are what tells the
/// active side from the other.
pub async fn verify(
    source: &Cluster,
    target: &Cluster,
    options: &Options,
) -> Result<(VerifyReport, StatusReport), SurveyError> {
    let remember = async { Ok(remember(Some(source), Some(target), Duration::ZERO).await) };
    let (look, memory) = futures::try_join!(Look::at(source, Some(target), options), remember)?;
    let status = StatusReport::of(&memory, Some(&look), IsDead(&|_| false));
    let last = memory.last_pivot();
    // A pivot from the named target to the named source stops nobody in the latter.
    let forward = last.as_ref().filter(|last| !last.backwards);
    let view = View {
        from: Some((source, &look.survey.source)),
        to: target,
        there: &look.there,
        last: forward,
        only: None,
        acts: status.active == Some(Acting::Target),
    };
    let settlement = view.settlement().await?;
    let (compared, differences) = compare_sides(&look, options);
    Ok((VerifyReport { compared, differences, settlement }, status))
}

/// The number of objects that were looked at, and what differs.
fn compare_sides(look: &Look, options: &Options) -> (usize, Vec<Difference>) {
    let Look { survey, there } = look;
    let mut differences = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, object) in survey.blueprint.staged_objects() {
        seen.insert(object.key.clone());
        match there.get(&object.key) {
            Some(other) => differences.extend(compare(object, &other.manifest)),
            None => differences.push(whole(&object.key, "missing in the target")),
        }
    }
    let links = Links::resolve(&options.rules, there);
    for (id, object) in there.iter() {
        if object.manifest.annotation(marks::PIVOT_ID).is_none() {
            continue;
        }
        seen.insert(object.key.clone());
        let lost = links.unresolved.iter().filter(|u| u.from == id && u.owner.is_some());
        differences.extend(lost.map(|u| Difference {
            object: object.key.clone(),
            path: "/metadata/ownerReferences".to_owned(),
            what: format!("the owner {} is not in the target", u.to),
        }));
    }
    differences.sort_by(|a, b| (&a.object, &a.path).cmp(&(&b.object, &b.path)));
    (seen.len(), differences)
}

fn whole(key: &ObjectKey, what: &str) -> Difference {
    Difference { object: key.clone(), path: String::new(), what: what.to_owned() }
}

fn compare(object: &Object, other: &Manifest) -> Vec<Difference> {
    let field = PauseField::of(&object.key.kind);
    let content = |manifest: &Manifest| {
        let mut content = comparable(manifest, 0);
        if let Some(field) = field {
            field.write(&mut content, &Value::Null);
        }
        content
    };
    let found = differences(&content(&object.manifest), &content(other));
    found
        .into_iter()
        .map(|d| Difference { object: object.key.clone(), path: d.path, what: d.difference.to_string() })
        .collect()
}

/// Objects that a pivot put into a cluster.
pub(crate) fn staged_by_pivots(inventory: &Inventory) -> impl Iterator<Item = (&Object, &str)> {
    inventory.iter().filter_map(|(_, object)| Some((object, object.manifest.annotation(marks::PIVOT_ID)?)))
}
