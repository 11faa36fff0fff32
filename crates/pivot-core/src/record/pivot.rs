//! How far a pivot is, and what its undoing needs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::RECORD_LABEL;
use super::captured::Captured;
use super::document::Document;
use super::ownership::Ownership;
use crate::digest::Digest;
use crate::ironic::{HandOver, Stack};
use crate::machine::{Extent, Phase, Retire, Side};
use crate::object::{ObjectKey, Uid};
use crate::plan::{ClusterIdentity, Origin};

/// What one side's record says of the pivot. The order is the order in which they follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Taken for this pivot.
    Locked,
    /// Source only: it will not act again without the target's answer.
    Prepared,
    /// Target only: the pivot is decided. The one commit point (DESIGN section 2).
    Committed,
    /// It is being undone; nothing goes forward any more.
    Aborting,
    /// Undone.
    Aborted,
    /// Finished: the target is active.
    Finished,
}

impl State {
    /// True where nothing is left to do on this side.
    pub fn is_closed(self) -> bool {
        match self {
            Self::Aborted | Self::Finished => true,
            Self::Locked | Self::Prepared | Self::Committed | Self::Aborting => false,
        }
    }
}

/// How others are kept from acting during the pivot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FenceMode {
    /// An admission policy, captured leases, stopped controllers.
    #[default]
    Full,
    /// The pause, and a watch.
    Pause,
}

/// What the user asked for: `resume` does the same again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// Namespaces; absent for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespaces: Option<BTreeSet<String>>,
    /// Clusters of `--filter-cluster`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub clusters: BTreeSet<String>,
    /// Texts of the `--links` files.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub links: Vec<String>,
    /// What becomes of the source's objects.
    pub retire: Retire,
    /// How others are kept from acting.
    pub fence: FenceMode,
    /// Whether the bulk is staged while the source still acts.
    pub pre_copy: bool,
    /// Where Ironic is on both sides; absent where the pivot leaves it alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ironic: Option<HandOver>,
}

/// A pause of ours, and the value before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The paused object.
    pub key: ObjectKey,
    /// Value before; `null` when there was none.
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub original: Value,
}

/// Evidence that a fence held (DESIGN section 2, FENCE).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FenceProof {
    /// Token that the policy asked for.
    pub token: String,
    /// Writes of others that were refused one after the other, before it counted as effective.
    pub denials: u32,
    /// Leader leases whose former holder can no longer act.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub leases: Vec<ObjectKey>,
    /// Deployments without a pod.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub stopped: Vec<ObjectKey>,
    /// Uids of pods that were seen to leave.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub pods: BTreeSet<Uid>,
    /// What was seen of Ironic's end.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ironic: Vec<String>,
}

/// The snapshot that is kept in the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotMark {
    /// Digest of the whole.
    pub digest: Digest,
    /// Number of chunks.
    pub chunks: usize,
    /// Number of objects.
    pub objects: usize,
}

/// One side's record of a pivot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PivotRecord {
    /// Format of the document.
    pub format: u32,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// The pivot.
    pub id: String,
    /// Which side this is.
    pub side: Side,
    /// Epoch that the pivot ends with.
    pub epoch: u64,
    /// The source.
    pub source: ClusterIdentity,
    /// The target.
    pub target: ClusterIdentity,
    /// What stands in the place of the source.
    #[serde(default)]
    pub origin: Origin,
    /// How far it is.
    pub state: State,
    /// Phase in which it was written.
    pub phase: Phase,
    /// Who drives the pivot, for people.
    pub coordinator: String,
    /// Fencing token of who drives it; a new one for everybody who takes over.
    pub token: String,
    /// What was asked for.
    pub terms: Terms,
    /// Ownership of this cluster before the pivot; absent where there was no record of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Ownership>,
    /// Where staged objects may be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reach: Option<Extent>,
    /// Target only: namespaces that the pivot was to create there.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub asked: BTreeSet<String>,
    /// Source only: pauses, written before the first is set.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pauses: Vec<Pause>,
    /// Leases and Deployments, written before the first is touched.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub captured: Vec<Captured>,
    /// True from before the fence is raised until it is gone.
    #[serde(default)]
    pub fenced: bool,
    /// Target only: evidence that the source is fenced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_fence: Option<FenceProof>,
    /// What the source's Ironic was before it was stopped, with its leases; written before it is. Once the pivot has finished only the
    /// source's record keeps it: a pivot back starts it as it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ironic: Option<Stack>,
    /// Target only: the snapshot.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snapshot: Option<SnapshotMark>,
    /// Why it is being undone, or what was kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
}

impl Document for PivotRecord {
    const WHAT: &'static str = "pivot record";

    fn format(&self) -> u32 {
        self.format
    }

    fn labels(&self) -> Value {
        json!({ RECORD_LABEL: self.side.to_string() })
    }
}
