//! Retries: how long to wait, and when to give up. Pure numbers; the engine does the waiting.

use std::time::Duration;

/// First wait after a failure.
const FIRST: Duration = Duration::from_millis(100);
/// Longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(10);

/// Tries of one step so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    /// Failures so far.
    pub failures: u32,
    /// Waits so far, added up.
    pub waited: Duration,
}

impl Tries {
    /// The wait before the next try, or `None` when `patience` is used up.
    pub(super) fn next(&mut self, patience: Duration, asked: Option<Duration>) -> Option<Duration> {
        if self.waited >= patience {
            return None;
        }
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        let delay = doubled.max(asked.unwrap_or_default().min(LONGEST));
        self.failures += 1;
        self.waited += delay;
        Some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let mut tries = Tries::default();
        let mut delays = Vec::new();
        while let Some(delay) = tries.next(Duration::from_secs(30), None) {
            delays.push(delay);
        }
        assert!(delays.is_sorted());
        assert!(delays.iter().sum::<Duration>() >= Duration::from_secs(30));
        assert!(delays.len() < 15);
    }

    #[test]
    fn a_server_is_given_the_time_it_asks_for_within_bounds() {
        let mut tries = Tries::default();
        assert_eq!(
            tries.next(Duration::from_secs(60), Some(Duration::from_secs(3))),
            Some(Duration::from_secs(3))
        );
        assert_eq!(tries.next(Duration::from_secs(60), Some(Duration::from_secs(3600))), Some(LONGEST));
    }
}
