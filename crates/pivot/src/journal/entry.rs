//! What a line says.

use pivot_core::machine::{End, Op, Outcome, Phase, RefusalClass, Side, Write};
use pivot_core::object::{ObjectKey, Uid};
use pivot_core::plan::ClusterIdentity;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FORMAT;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts the lines of a journal, from 1.
    pub seq: u64,
    /// Wall-clock time for people, as the writer gave it; nothing is decided by it.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something worth writing down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// A process begins to drive the pivot, or goes on with it.
    Begin(Begin),
    /// A write that is about to be sent.
    #[serde(rename_all = "camelCase")]
    Intent {
        /// Where.
        side: Side,
        /// What kind of write.
        op: OpName,
        /// Which object.
        key: ObjectKey,
        /// What must hold for it to be applied; absent for a create, which needs the name to be free.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        guard: Option<Guard>,
    },
    /// What came of it.
    #[serde(rename_all = "camelCase")]
    Outcome {
        /// [`Entry::seq`] of the intent.
        intent: u64,
        /// In one word.
        class: Class,
        /// The object's new `resourceVersion`.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        revision: Option<String>,
    },
    /// A phase begins.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// The process is done with the pivot.
    End {
        /// How.
        ending: Ending,
    },
}

/// Who writes, and about what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Format of the lines that follow.
    pub format: u32,
    /// Id of the pivot.
    pub pivot: String,
    /// Version of the tool.
    pub tool: String,
    /// The source.
    pub source: ClusterIdentity,
    /// The target.
    pub target: ClusterIdentity,
}

impl Begin {
    /// Of a journal as this version writes it.
    pub fn new(pivot: &str, tool: &str, source: &ClusterIdentity, target: &ClusterIdentity) -> Self {
        Self {
            format: FORMAT,
            pivot: pivot.to_owned(),
            tool: tool.to_owned(),
            source: source.clone(),
            target: target.clone(),
        }
    }
}

/// What kind of write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpName {
    /// Create where there is none.
    Create,
    /// Replace the object.
    Replace,
    /// Replace its status.
    Status,
    /// Merge-patch it.
    Merge,
    /// Delete it.
    Delete,
}

/// The revision that a write asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// `metadata.uid`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uid: Option<Uid>,
    /// `metadata.resourceVersion`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource_version: Option<String>,
}

/// What came of a write, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Applied.
    Done,
    /// Applied: the object is gone.
    Removed,
    /// Applied: the object waits for its finalizers.
    Terminating,
    /// Refused: the name is taken.
    Exists,
    /// Refused: the guard does not hold.
    Conflict,
    /// Refused: there is no such object.
    NotFound,
    /// Refused or not sent, for now.
    Busy,
    /// Refused for good.
    Denied,
    /// Nobody knows.
    Unknown,
}

/// How a process left a pivot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The target is active and complete.
    Done,
    /// It failed without a change.
    Failed,
    /// The source is active; everything was undone.
    RolledBack,
    /// It can be resumed.
    Suspended,
    /// A person must decide.
    InDoubt,
    /// The target is active; something is left to be cleaned up.
    CleanupPending,
}

impl From<&End> for Ending {
    fn from(end: &End) -> Self {
        match end {
            End::Done { .. } => Self::Done,
            End::Failed { .. } => Self::Failed,
            End::RolledBack { .. } => Self::RolledBack,
            End::Suspended { .. } => Self::Suspended,
            End::InDoubt { .. } => Self::InDoubt,
            End::CleanupPending { .. } => Self::CleanupPending,
        }
    }
}

impl Event {
    /// A write that is about to be sent: the object, the guard, and nothing of the content.
    pub fn intent(write: &Write) -> Self {
        let (op, guard) = match &write.op {
            Op::Create { .. } => (OpName::Create, None),
            Op::Replace { body, .. } => (OpName::Replace, guard_in(body)),
            Op::Status { body, .. } => (OpName::Status, guard_in(body)),
            Op::Merge { patch, .. } => (OpName::Merge, guard_in(patch)),
            Op::Delete { uid, resource_version } => {
                let resource_version = resource_version.clone();
                (OpName::Delete, Some(Guard { uid: Some(uid.clone()), resource_version }))
            }
        };
        Self::Intent { side: write.side, op, key: write.key.clone(), guard }
    }

    /// What came of the write whose intent has this number. The server's words stay out.
    pub fn outcome(intent: u64, outcome: &Outcome) -> Self {
        let (class, revision) = match outcome {
            Outcome::Written(revision) => (Class::Done, Some(revision)),
            Outcome::Terminating(revision) => (Class::Terminating, Some(revision)),
            Outcome::Removed => (Class::Removed, None),
            Outcome::Refused { class, .. } => (Class::of(*class), None),
            // The rest answers no write.
            _ => (Class::Unknown, None),
        };
        Self::Outcome { intent, class, revision: revision.map(|revision| revision.resource_version.clone()) }
    }
}

fn guard_in(body: &Value) -> Option<Guard> {
    let text = |field: &str| body["metadata"][field].as_str().map(str::to_owned);
    let (uid, resource_version) = (text("uid").map(Uid), text("resourceVersion"));
    (uid.is_some() || resource_version.is_some()).then_some(Guard { uid, resource_version })
}

impl Class {
    fn of(refusal: RefusalClass) -> Self {
        match refusal {
            RefusalClass::Exists => Self::Exists,
            RefusalClass::Conflict => Self::Conflict,
            RefusalClass::NotFound => Self::NotFound,
            RefusalClass::Busy => Self::Busy,
            RefusalClass::Denied => Self::Denied,
        }
    }
}
