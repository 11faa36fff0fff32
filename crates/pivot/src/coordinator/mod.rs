//! The coordinator's seat: a Lease in each cluster that says who drives a pivot.
//!
//! It keeps a second `pivotctl` from starting by accident, and makes one that was stopped for a while and replaced stop for
//! good. No promise of a pivot rests on it: those hold by compare-and-swap on the records. No timestamp of another host is
//! compared; whoever waits for a Lease to run out measures that on a clock of its own.

mod chair;
mod error;
mod identity;
mod lease;
mod namespace;
mod release;
mod seat;
mod suspension;
mod sweep;

use std::time::Duration;

pub use error::{Leftover, Lost, SeatError, Unclaimed, Waiting};
pub use identity::{Identity, NoIdentity};
pub use seat::Seat;
pub(crate) use sweep::sweep;

/// Name of the Lease.
pub const LEASE: &str = "pivotctl";

/// How long a seat holds without a sign of life, and how often it gives one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    /// After so long without a renewal another one may take over. Lease objects count whole seconds: it is rounded up.
    pub duration: Duration,
    /// Time between two renewals.
    pub renew_every: Duration,
}

impl Default for LeaseTimes {
    /// Three renewals in a row may fail before the seat is in doubt.
    fn default() -> Self {
        Self { duration: Duration::from_secs(20), renew_every: Duration::from_secs(5) }
    }
}

impl LeaseTimes {
    fn seconds(self) -> u64 {
        let rounded_up = self.duration.as_secs() + u64::from(self.duration.subsec_nanos() > 0);
        rounded_up.clamp(1, i32::MAX.unsigned_abs().into())
    }

    /// How long a renewal counts for its holder: less than for others, since clocks drift, and since a write that was begun with
    /// the seat held takes a moment to arrive.
    fn tenure(self) -> Duration {
        Duration::from_secs(self.seconds()) * 4 / 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_gives_up_before_others_take_over() {
        let times = LeaseTimes { duration: Duration::from_millis(1_500), ..LeaseTimes::default() };
        assert_eq!((times.seconds(), times.tenure()), (2, Duration::from_millis(1_600)));
        let none = LeaseTimes { duration: Duration::ZERO, ..times };
        assert_eq!(none.seconds(), 1, "a Lease of no seconds is no Lease");
        let default = LeaseTimes::default();
        assert!(default.renew_every * 3 < default.tenure());
    }
}
