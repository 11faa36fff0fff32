//! Verdicts and their reasons, in words for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::NeverMoved;
use crate::object::ObjectKey;

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Created in the target, removed from the source.
    Move,
    /// Created in the target where it is absent, left in the source.
    Copy,
    /// Stays in the source.
    Keep,
    /// Belongs to the cluster it is in and is never moved.
    Skip,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Move => "move",
            Self::Copy => "copy",
            Self::Keep => "keep",
            Self::Skip => "skip",
        })
    }
}

/// Why an object got its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Named by `--filter-cluster`.
    Requested,
    /// Its kind is a root of every move.
    RootKind,
    /// It carries this label.
    ObjectLabel(&'static str),
    /// The CRD of its kind carries this label.
    KindLabel(&'static str),
    /// It belongs to an object that moves; the rule that says so.
    BelongsTo(ObjectKey, String),
    /// An object that moves needs it; the rule that says so.
    NeededBy(ObjectKey, String),
    /// It owns an object that moves.
    Owns(ObjectKey),
    /// Copied because it stands in the directory that is read.
    InDirectory,
    /// The record of the pivot says so.
    InSnapshot,
    /// Copied because it is cluster-scoped; the reason for which it is needed at all.
    ClusterScoped(Box<Self>),
    /// Copied because its namespace is not selected; the reason for which it is needed at all.
    OutsideNamespaces(Box<Self>),
    /// Copied because this object, which stays, needs it too; the reason for which it is needed at all.
    SharedWith(ObjectKey, Box<Self>),
    /// Kept: its namespace is not selected.
    NotSelected,
    /// Kept: it belongs to a Cluster that stays.
    OtherCluster,
    /// Kept: nothing that moves owns it or names it.
    Unlinked,
    /// Skipped.
    Never(NeverMoved),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("named by --filter-cluster"),
            Self::RootKind => f.write_str("every object of this kind moves"),
            Self::ObjectLabel(label) => write!(f, "carries the label {label}"),
            Self::KindLabel(label) => write!(f, "its CRD carries the label {label}"),
            Self::BelongsTo(owner, rule) => write!(f, "belongs to {owner} ({rule})"),
            Self::NeededBy(user, rule) => write!(f, "needed by {user} ({rule})"),
            Self::Owns(owned) => write!(f, "owns {owned}"),
            Self::InDirectory => f.write_str("stands in the directory"),
            Self::InSnapshot => f.write_str("was decided when the pivot began"),
            Self::ClusterScoped(why) => write!(f, "{why}; cluster-scoped, so the source keeps its own"),
            Self::OutsideNamespaces(why) => {
                write!(f, "{why}; outside the selected namespaces, so the source keeps its own")
            }
            Self::SharedWith(user, why) => write!(f, "{why}; shared with {user}, which stays"),
            Self::NotSelected => f.write_str("outside the selected namespaces"),
            Self::OtherCluster => f.write_str("belongs to a Cluster that stays"),
            Self::Unlinked => f.write_str("nothing that moves owns or names it"),
            Self::Never(never) => write!(f, "{never}"),
        }
    }
}

/// What happens to an object, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What happens.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}
