//! Durations as people and Go programs write them: `90s`, `10m`, `1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

/// The limit of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitLimit(pub(crate) Duration);

impl FromStr for WaitLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
        match parsed {
            Some(limit) if !limit.is_zero() => Ok(Self(limit)),
            _ => Err("write a number with a unit, such as 90s, 10m or 1h30m".to_owned()),
        }
    }
}

impl fmt::Display for WaitLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(duration) => write!(f, "{duration:#}"),
            Err(_) => write!(f, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_required_and_nothing_is_negative() {
        let read = |text: &str| text.parse::<WaitLimit>().map(|limit| limit.0.as_secs());
        assert_eq!(read("90s"), Ok(90));
        assert_eq!(read("10m"), Ok(600));
        assert_eq!(read("1h30m"), Ok(5_400));
        for bad in ["", "90", "-5s", "0s", "soon"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(WaitLimit(Duration::from_secs(600)).to_string(), "10m");
    }
}
