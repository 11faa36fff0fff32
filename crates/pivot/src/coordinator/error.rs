//! What comes of a seat when it is not simply held.

use std::fmt;
use std::time::Duration;

use pivot_core::machine::Side;
use pivot_core::object::ObjectKey;

use super::identity::InWords;

/// A seat cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeatError {
    /// Another one has it and shows that it lives.
    #[error(
        "the {side} {cluster} is in the hands of {}{}: wait until it ends, or end it, and run the same command again",
        InWords(holder), OfPivot(pivot.as_deref())
    )]
    Held {
        /// Where.
        side: Side,
        /// Name of the cluster.
        cluster: String,
        /// Who has it, as its Lease says.
        holder: String,
        /// The pivot that it drives, where the Lease says so.
        pivot: Option<String>,
    },
    /// The API server does not let us.
    #[error("the {side} {cluster} cannot be taken for this pivot: {reason}")]
    Refused {
        /// Where.
        side: Side,
        /// Name of the cluster.
        cluster: String,
        /// The server's words.
        reason: String,
    },
    /// No side could be claimed.
    #[error("the {side} {cluster} cannot be taken for this pivot yet: {reason}")]
    Unreachable {
        /// The first of them.
        side: Side,
        /// Name of the cluster.
        cluster: String,
        /// What happens there instead.
        reason: String,
    },
}

/// Another one holds a Lease; it may have ended without giving it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Where.
    pub side: Side,
    /// Name of the cluster.
    pub cluster: String,
    /// Who has it, as its Lease says.
    pub holder: String,
    /// The pivot that it drives, where the Lease says so.
    pub pivot: Option<String>,
    /// After so long without a sign of life it is replaced.
    pub at_most: Duration,
}

/// What is waited for.
impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, cluster, holder, pivot, at_most } = self;
        let (holder, pivot) = (InWords(holder), OfPivot(pivot.as_deref()));
        let seconds = at_most.as_secs_f32().ceil();
        write!(
            f,
            "a sign of life of {holder}{pivot}, in whose hands the {side} {cluster} is (at most {seconds} s)"
        )
    }
}

struct OfPivot<'a>(Option<&'a str>);

impl fmt::Display for OfPivot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |pivot| write!(f, " (pivot {pivot})"))
    }
}

/// The seat is gone: whoever had it must not write any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Lost {
    /// Where.
    pub side: Side,
    /// Name of the cluster.
    pub cluster: String,
    /// Who has it now, as its Lease says; `None` where the Lease was removed or given back in another's name.
    pub to: Option<String>,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, cluster, to } = self;
        write!(f, "the {side} {cluster} is no longer in our hands: ")?;
        match to {
            Some(holder) => write!(f, "{} took it over", InWords(holder)),
            None => f.write_str("its coordinator Lease was removed"),
        }
    }
}

/// A side that could not be claimed so far; [`Seat::keep`](super::Seat::keep) goes on trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclaimed {
    /// Where.
    pub side: Side,
    /// Name of the cluster.
    pub cluster: String,
    /// Why.
    pub reason: String,
}

/// Something of ours that a release could not remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Where.
    pub side: Side,
    /// Name of the cluster.
    pub cluster: String,
    /// What.
    pub object: ObjectKey,
    /// Why it is still there.
    pub reason: String,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, cluster, object, reason } = self;
        write!(f, "{object} stays in the {side} {cluster}: {reason}")
    }
}
