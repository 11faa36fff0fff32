//! Whether a target has settled: what pivots brought there is complete, opened, as it arrived, taken up by controllers, and steady; and
//! they alone act on it.
//!
//! The snapshot is taken while everything is paused. An object that says that it is not paused, or a host whose credentials are those of
//! a Secret of the target, was therefore written by a controller of the target: no clock is needed to tell.

mod acting;
mod host;
mod objects;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

pub use self::acting::suspects;
use crate::fence::{Controller, policy_key};
use crate::inventory::{Inventory, Object};
use crate::kind::GroupKind;
use crate::marks;
use crate::object::ObjectKey;

/// What an object, or a controller, falls short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// It is complete (PivotedReady), and stays.
    Complete,
    /// The pause of the pivot is lifted.
    Opened,
    /// Controllers of the target act, and those of the source do not.
    Acting,
    /// A host is in the state in which it arrived.
    Arrived,
    /// A controller of the target has looked at it since.
    TakenUp,
    /// No Machine is replaced, added, removed or remediated.
    Steady,
}

/// Something that has not settled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsettled {
    /// In which respect.
    pub aspect: Aspect,
    /// The object, or the Deployment of a controller.
    pub object: ObjectKey,
    /// What is so.
    pub what: String,
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what)
    }
}

/// How far a target has settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settlement {
    /// Objects that pivots brought.
    pub objects: usize,
    /// Whether the target acts. While it does not, objects are only asked whether they are complete and opened.
    pub acts: bool,
    /// What has not settled, sorted.
    pub unsettled: Vec<Unsettled>,
    /// What could not be judged, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<String>,
}

/// A target, and who acts.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What the target holds.
    pub there: &'a Inventory,
    /// Only what this pivot brought counts; `None` for what any did.
    pub pivot: Option<&'a str>,
    /// Who acts; `None` while the target does not: nobody can have taken up anything there.
    pub actors: Option<Actors<'a>>,
}

/// Who acts once the target does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Actors<'a> {
    /// Controllers of the target; `None` where they could not be read.
    pub target: Option<&'a [Controller]>,
    /// Controllers of the source that have nothing left to do there.
    pub source: &'a [&'a Controller],
    /// The pivot whose fence still stands in the target.
    pub fence: Option<&'a str>,
}

/// Objects that pivots brought, each with the pivot.
fn brought<'a>(there: &'a Inventory, pivot: Option<&'a str>) -> impl Iterator<Item = (&'a Object, &'a str)> {
    there
        .iter()
        .filter_map(|(_, object)| Some((object, object.manifest.annotation(marks::PIVOT_ID)?)))
        .filter(move |(_, id)| pivot.is_none_or(|pivot| pivot == *id))
}

/// Kinds of the objects that pivots brought.
pub fn brought_kinds<'a>(there: &'a Inventory, pivot: Option<&'a str>) -> BTreeSet<&'a GroupKind> {
    brought(there, pivot).map(|(object, _)| &object.key.kind).collect()
}

/// Judges a target. A target to which nothing was brought has settled.
pub fn judge(scene: &Scene<'_>) -> Settlement {
    let Scene { there, pivot, actors } = *scene;
    let mut found = Settlement { acts: actors.is_some(), ..Settlement::default() };
    let kinds = brought_kinds(there, pivot);
    let taking_up = actors.map(|actors| acting::judge(there, &kinds, &actors, &mut found));
    for (object, pivot) in brought(there, pivot) {
        found.objects += 1;
        let mut tell = |aspect, what: String| {
            found.unsettled.push(Unsettled { aspect, object: object.key.clone(), what });
        };
        objects::complete(object, pivot, &mut tell);
        objects::opened(object, pivot, actors.is_some(), &mut tell);
        let Some(kinds) = &taking_up else { continue };
        host::arrived(object, &mut tell);
        if kinds.contains(&object.key.kind)
            && let Some(what) = objects::not_taken_up(object, there)
        {
            // Its status is still that of the source.
            tell(Aspect::TakenUp, what);
            continue;
        }
        objects::steady(object, &mut tell);
    }
    if let Some(fence) = actors.and_then(|actors| actors.fence)
        && found.objects > 0
    {
        let what = format!("the fence of pivot {fence} still stands in the target");
        found.unsettled.push(Unsettled { aspect: Aspect::Acting, object: policy_key(fence), what });
    }
    found.unsettled.sort();
    found
}

#[cfg(test)]
mod tests;
