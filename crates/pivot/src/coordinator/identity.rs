//! Who sits in a seat.

use std::fmt;
use std::str::FromStr;

/// One running `pivotctl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the machine, or of the container that has process ids of its own.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Drawn anew by every process: process ids come back.
    pub nonce: String,
    /// What changes with every start of the machine, such as Linux's boot id.
    pub boot: String,
}

/// A holder that no `pivotctl` wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not written `host/pid/nonce/boot`")]
pub struct NoIdentity(String);

impl Identity {
    /// What stands in the Lease: `host/pid/nonce/boot`.
    pub fn holder(&self) -> String {
        format!("{}/{}/{}/{}", self.host, self.pid, self.nonce, self.boot)
    }

    /// True where the other ran, or runs, on this machine since it was started: then, and only then, it can be known here
    /// whether its process still exists.
    pub fn shares_boot_with(&self, other: &Self) -> bool {
        self.host == other.host && self.boot == other.boot
    }
}

impl FromStr for Identity {
    type Err = NoIdentity;

    fn from_str(holder: &str) -> Result<Self, Self::Err> {
        let mut parts = holder.rsplitn(4, '/');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let (boot, nonce, pid, host) = (part(), part(), part().and_then(|pid| pid.parse().ok()), part());
        match (host, pid, nonce, boot) {
            (Some(host), Some(pid), Some(nonce), Some(boot)) => {
                Ok(Self { host: host.to_owned(), pid, nonce: nonce.to_owned(), boot: boot.to_owned() })
            }
            _ => Err(NoIdentity(holder.to_owned())),
        }
    }
}

/// A holder in words, for messages.
pub(super) struct InWords<'a>(pub(super) &'a str);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.parse::<Identity>() {
            Ok(Identity { host, pid, .. }) => write!(f, "process {pid} on {host}"),
            Err(_) => write!(f, "`{}`", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { host: "a".to_owned(), pid: 7, nonce: "n".to_owned(), boot: "b".to_owned() }
    }

    #[test]
    fn holders_read_back() {
        assert_eq!(identity().holder(), "a/7/n/b");
        for host in ["a", "a/b"] {
            let identity = Identity { host: host.to_owned(), ..identity() };
            assert_eq!(identity.holder().parse(), Ok(identity));
        }
        for odd in ["", "a", "a/b/c/d", "/7/n/b", "a/7/n/", "a/7//b", "a/-7/n/b"] {
            assert!(odd.parse::<Identity>().is_err(), "{odd}");
        }
    }

    #[test]
    fn another_boot_is_another_machine() {
        let other = Identity { pid: 8, nonce: "m".to_owned(), ..identity() };
        assert!(identity().shares_boot_with(&other));
        assert!(!identity().shares_boot_with(&Identity { boot: "c".to_owned(), ..other.clone() }));
        assert!(!identity().shares_boot_with(&Identity { host: "c".to_owned(), ..other }));
    }

    #[test]
    fn holders_have_words() {
        assert_eq!(InWords("a/7/n/b").to_string(), "process 7 on a");
        assert_eq!(InWords("somebody").to_string(), "`somebody`");
    }
}
