//! Effects the machine asks for, and the outcomes it is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::notice::Side;
use crate::inventory::Inventory;
use crate::ironic::{IronicDone, IronicJob};
use crate::kind::GroupKind;
use crate::object::{Manifest, ObjectKey, Uid};

/// Number of an effect within one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub u64);

/// Something to do.
#[derive(Clone, Debug)]
pub struct Effect {
    /// By which the outcome is reported.
    pub id: EffectId,
    /// How long to wait before.
    pub delay: Duration,
    /// What.
    pub act: Act,
}

/// What an effect does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Write one object.
    Write(Write),
    /// Read one object; answered by [`Outcome::Read`].
    Read {
        /// Where.
        side: Side,
        /// Which.
        key: ObjectKey,
    },
    /// List everything of the source that takes part, consistently; answered by [`Outcome::Inventory`].
    Inventory {
        /// What was listed before. An object whose uid and resourceVersion are the same is the same, and need not be read again.
        known: Arc<Inventory>,
    },
    /// List some kinds of the target; answered by [`Outcome::Inventory`].
    ListTarget(Extent),
    /// List some kinds by metadata alone; answered by [`Outcome::Glance`].
    Glance {
        /// Where.
        side: Side,
        /// What.
        extent: Extent,
    },
    /// List what lives in a namespace of the target, of all kinds that it serves and by metadata alone, but for what comes and
    /// goes by itself (events, leases, endpoints); answered by [`Outcome::Glance`]. Refused where not everything can be seen.
    Occupants(String),
    /// List pods and replica sets of a namespace by metadata alone; answered by [`Outcome::Glance`].
    Pods {
        /// Where.
        side: Side,
        /// In which namespace.
        namespace: String,
    },
    /// Watch everything that the latest [`Act::Inventory`] listed, each list from where it ended; every change is reported until
    /// the watch is ended. Answered by [`Outcome::Watching`].
    Watch,
    /// End the watch. Answered by [`Outcome::Watching`].
    Unwatch,
    /// Something to be done with a side's Ironic; answered by [`Outcome::Ironic`].
    Ironic {
        /// Where.
        side: Side,
        /// What.
        job: IronicJob,
    },
    /// Try a write that the fence must refuse, or let through, without applying it; answered by [`Outcome::Canary`].
    Canary {
        /// Where.
        side: Side,
        /// Who tries.
        onlooker: Onlooker,
    },
}

/// Who tries whether a fence holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Onlooker {
    /// The user, without the identity of the pivot.
    Anybody,
    /// A coordinator of this pivot that was taken over from, by its token.
    Former(String),
    /// The present coordinator.
    Ourselves,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Kinds.
    pub kinds: BTreeSet<GroupKind>,
    /// Namespaces, `None` for all; cluster-scoped kinds are listed whole.
    pub namespaces: Option<BTreeSet<String>>,
}

/// One write to one object. Every write is guarded: create-if-absent, or a uid or resourceVersion that must hold.
#[derive(Clone, Debug)]
pub struct Write {
    /// Where.
    pub side: Side,
    /// Which object.
    pub key: ObjectKey,
    /// What.
    pub op: Op,
}

/// What a write does.
#[derive(Clone, Debug)]
pub enum Op {
    /// Create; refused where the name is taken.
    Create {
        /// The object.
        body: Value,
        /// Field manager.
        manager: String,
    },
    /// Replace the whole object; the body carries the resourceVersion that must hold.
    Replace {
        /// The object.
        body: Value,
        /// Field manager.
        manager: String,
    },
    /// Replace its status; the body carries the resourceVersion that must hold.
    Status {
        /// The object with the new status.
        body: Value,
        /// Field manager.
        manager: String,
    },
    /// Merge-patch; the patch carries the resourceVersion that must hold.
    Merge {
        /// The patch.
        patch: Value,
        /// Field manager.
        manager: String,
    },
    /// Delete.
    Delete {
        /// Instance that must hold.
        uid: Uid,
        /// Revision that must hold, where one is asked for.
        resource_version: Option<String>,
    },
}

/// A revision of an object, as the API server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Instance.
    pub uid: Uid,
    /// Revision.
    pub resource_version: String,
    /// Generation.
    pub generation: i64,
}

impl Revision {
    /// Of an object as read.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            uid: manifest.uid(),
            resource_version: manifest.resource_version().to_owned(),
            generation: manifest.generation(),
        }
    }
}

/// An object seen by its metadata alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The object.
    pub key: ObjectKey,
    /// Its instance.
    pub uid: Uid,
    /// Its revision.
    pub resource_version: String,
    /// Uids of its owners.
    pub owners: Vec<Uid>,
    /// True once it is being deleted.
    pub terminating: bool,
}

/// Why the API server refused, as far as it decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// The name is taken.
    Exists,
    /// A uid or resourceVersion did not hold.
    Conflict,
    /// There is no such object, or no such kind or namespace.
    NotFound,
    /// Overloaded, restarting or unreachable for now: the same request may succeed later.
    Busy,
    /// Permanent: forbidden, invalid, too large, denied by admission.
    Denied,
}

/// What came of an effect.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The write was applied.
    Written(Revision),
    /// The delete was applied and the object is gone.
    Removed,
    /// The delete was applied; finalizers hold the object.
    Terminating(Revision),
    /// What a read found.
    Read(Option<Box<Manifest>>),
    /// What a list found.
    Inventory(Box<Inventory>),
    /// What a metadata list found.
    Glance(Vec<Seen>),
    /// The watch runs, or has ended.
    Watching,
    /// What came of a job with Ironic.
    Ironic(Box<IronicDone>),
    /// Whether the fence refused.
    Canary {
        /// True where it did.
        denied: bool,
    },
    /// The server refused.
    Refused {
        /// Class.
        class: RefusalClass,
        /// The server's words; never a value of a Secret.
        message: String,
        /// Wait that the server asked for.
        retry_after: Option<Duration>,
    },
    /// Nobody knows whether it was applied: connection lost, timeout, answer cut off.
    Unknown(String),
}
