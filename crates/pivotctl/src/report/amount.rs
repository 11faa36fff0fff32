//! Numbers with their noun.

use std::fmt;

/// `1 error`, `2 errors`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount(pub(crate) usize, pub(crate) &'static str);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, noun) = self;
        write!(f, "{number} {noun}{}", if *number == 1 { "" } else { "s" })
    }
}
