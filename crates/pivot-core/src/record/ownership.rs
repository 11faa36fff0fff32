//! Which cluster is active.

use serde::{Deserialize, Serialize};

use super::document::Document;
use crate::plan::ClusterIdentity;

/// What a cluster is with respect to pivots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It acts.
    Active,
    /// It is the source of an open pivot.
    HandingOver,
    /// It is the target of an open pivot.
    Receiving,
    /// It was pivoted away from.
    Retired,
}

/// The ownership record of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ownership {
    /// Format of the document.
    pub format: u32,
    /// UID of this cluster's namespace `kube-system`.
    pub cluster: String,
    /// What this cluster is.
    pub standing: Standing,
    /// Grows with every pivot.
    pub epoch: u64,
    /// The pivot that said so last.
    pub pivot: String,
    /// The other cluster of that pivot.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer: Option<ClusterIdentity>,
}

impl Document for Ownership {
    const WHAT: &'static str = "ownership record";

    fn format(&self) -> u32 {
        self.format
    }
}
