//! Time that passes while the machine sleeps.

use std::time::Duration;

/// How long this machine has been suspended since it was started.
///
/// Tokio's clock stands still meanwhile, the clocks of those who wait for our Lease to run out do not.
#[cfg(target_os = "linux")]
pub(super) fn total() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let read = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    let with = read(ClockId::Boottime);
    with.saturating_sub(read(ClockId::Monotonic))
}

/// Unknown here.
#[cfg(not(target_os = "linux"))]
pub(super) fn total() -> Duration {
    Duration::ZERO
}
