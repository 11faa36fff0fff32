//! The one event type: what the terminal, the log and `-o json` are made of.

use std::time::Duration;

use pivot_core::machine::Notice;
use serde::Serialize;

/// Something worth telling, and when.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Time since the pivot began; no decision rests on it.
    #[serde(rename = "elapsedSeconds", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// What.
    pub notice: Notice,
}

fn seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(elapsed.as_secs_f64())
}

/// Takes events as they happen. It is called on the task that runs the pivot, so that nothing overtakes.
pub type Listener<'a> = &'a mut (dyn FnMut(Event) + Send);
