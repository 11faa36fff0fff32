//! Elapsed time for people.

use std::fmt;
use std::time::Duration;

/// `0.4s`, `12.3s`, `2m 05s`, `1h 02m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed(pub(crate) Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, _) => write!(f, "{}.{}s", seconds, self.0.subsec_millis() / 100),
            (0, minutes, seconds) => write!(f, "{minutes}m {seconds:02}s"),
            (hours, minutes, _) => write!(f, "{hours}h {minutes:02}m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_grow_with_the_time() {
        let shown = |millis| Elapsed(Duration::from_millis(millis)).to_string();
        let times = [40, 999, 12_345, 59_999, 60_000, 125_000, 3_720_000];
        assert_eq!(times.map(shown), ["0.0s", "0.9s", "12.3s", "59.9s", "1m 00s", "2m 05s", "1h 02m"]);
    }
}
