//! The id of a pivot: when it began, and something random, so that ids sort and never meet.

use std::hash::{BuildHasher, Hasher, RandomState};

use jiff::Timestamp;

/// An id for a pivot that begins now, such as `20261121-101500-a1b2c3`. It is fit for names, labels and annotation values.
pub(super) fn fresh() -> String {
    // The keys of a RandomState come from the operating system.
    build(Timestamp::now(), RandomState::new().build_hasher().finish())
}

fn build(now: Timestamp, random: u64) -> String {
    format!("{}-{:06x}", now.strftime("%Y%m%d-%H%M%S"), random & 0x00ff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_and_is_a_dns_label() {
        let now: Timestamp = "2026-11-21T10:15:00Z".parse().unwrap();
        assert_eq!(build(now, 0xffff_00a1), "20261121-101500-ff00a1");
        assert_eq!(build(now, 1), "20261121-101500-000001");
        assert_ne!(fresh(), fresh());
    }
}
