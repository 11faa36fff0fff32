//! What the machine tells: the one stream from which progress, logs and JSON output are made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phase::Phase;
use crate::object::ObjectKey;

/// Which cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Where the objects are.
    Source,
    /// Where they go.
    Target,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// One thing worth telling.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Notice {
    /// A phase begins.
    PhaseStarted {
        /// Which.
        phase: Phase,
    },
    /// A phase ended well.
    PhaseDone {
        /// Which.
        phase: Phase,
        /// What it did, in a few words.
        summary: String,
    },
    /// A phase has nothing to do.
    PhaseSkipped {
        /// Which.
        phase: Phase,
        /// Why.
        reason: String,
    },
    /// Objects done in the running phase, or in the rollback.
    Progress {
        /// Which.
        phase: Phase,
        /// Objects done.
        done: usize,
        /// Objects in all.
        total: usize,
    },
    /// A request is tried again after a while.
    Retrying {
        /// Where.
        side: Side,
        /// The object, or what is asked for.
        what: String,
        /// Why.
        reason: String,
        /// Tries so far.
        attempt: u32,
        /// Wait before the next one.
        #[serde(rename = "delaySeconds", serialize_with = "seconds")]
        delay: Duration,
    },
    /// The pivot waits for controllers.
    Waiting {
        /// For what.
        what: String,
        /// The objects concerned (the first few).
        objects: Vec<ObjectKey>,
    },
    /// What was seen of a side's Ironic: that it is stopped, or runs.
    Ironic {
        /// Where.
        side: Side,
        /// What was seen.
        evidence: String,
    },
    /// Something the user should know.
    Warning {
        /// The object.
        object: Option<ObjectKey>,
        /// What.
        message: String,
    },
    /// The source changed; the pivot takes a new snapshot.
    Resnapshot {
        /// Objects that changed (the first few).
        objects: Vec<ObjectKey>,
    },
    /// From here on everything is undone.
    RollingBack {
        /// Phase in which it failed.
        phase: Phase,
        /// Why.
        cause: String,
    },
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
