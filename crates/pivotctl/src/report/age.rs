//! How long ago something was, as kubectl writes it.

use std::fmt;

use jiff::Timestamp;

/// Seconds since a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) i64);

impl Age {
    /// Since a timestamp of the Kubernetes API, by our clock; `None` for what is no timestamp. A moment in the future, by a clock
    /// that goes ahead of ours, is now.
    pub(crate) fn since(timestamp: &str) -> Option<Self> {
        Some(Self::between(timestamp.parse().ok()?, Timestamp::now()))
    }

    fn between(then: Timestamp, now: Timestamp) -> Self {
        Self((now.as_second() - then.as_second()).max(0))
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        const DAY: i64 = 24 * HOUR;
        match self.0 {
            age if age < 2 * MINUTE => write!(f, "{age}s"),
            age if age < 2 * HOUR => write!(f, "{}m", age / MINUTE),
            age if age < 2 * DAY => write!(f, "{}h", age / HOUR),
            age => write!(f, "{}d", age / DAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_grow_with_the_age() {
        let ages = [0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(|age| Age(age).to_string());
        assert_eq!(ages, ["0s", "119s", "2m", "119m", "2h", "47h", "2d"]);
    }

    #[test]
    fn clocks_that_go_ahead_do_no_harm() {
        let (then, now) = ("2026-11-21T10:15:05Z".parse().unwrap(), "2026-11-21T10:15:00Z".parse().unwrap());
        assert_eq!((Age::between(then, now), Age::between(now, then)), (Age(0), Age(5)));
        assert_eq!(Age::since("soon"), None);
    }
}
