//! Whether somebody drives a pivot.

use std::time::Duration;

use pivot::memory::{Memory, Recall};
use pivot::status::IsDead;
use tokio::time::Instant;

/// A driver renews its Lease every few seconds; one that does not for so long is not at it.
const STILL: Duration = Duration::from_secs(40);
/// A driver may have ended, and well, between two requests of one look.
const LOOKS: u32 = 2;

/// Signs of life that this process sees itself: no clock of another machine decides.
pub(super) struct Pulse {
    sign: Option<(String, Option<String>)>,
    seen: Instant,
    absent: u32,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self { sign: None, seen: now, absent: 0 }
    }

    /// Takes in another look. True while somebody may be at it.
    pub(super) fn beats(&mut self, memory: &Memory, is_dead: IsDead<'_>, now: Instant) -> bool {
        let sides = [&memory.source, &memory.target].into_iter().filter_map(Recall::read);
        let mut seats =
            sides.filter_map(|read| read.seated.as_ref()).filter(|seat| !(is_dead.0)(&seat.holder));
        let sign = seats.next().map(|seat| (seat.holder.clone(), seat.renewed.clone()));
        self.feel(sign, now)
    }

    fn feel(&mut self, sign: Option<(String, Option<String>)>, now: Instant) -> bool {
        let Some(sign) = sign else {
            self.absent += 1;
            return self.absent < LOOKS;
        };
        self.absent = 0;
        if self.sign.as_ref() != Some(&sign) {
            (self.sign, self.seen) = (Some(sign), now);
        }
        now.duration_since(self.seen) < STILL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(renewed: u32) -> (String, Option<String>) {
        ("a".to_owned(), Some(renewed.to_string()))
    }

    #[test]
    fn a_lease_that_nobody_renews_is_nobodys() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut pulse = Pulse::new(begin);
        let felt = [(1, 0), (1, 30), (2, 35), (2, 74), (2, 75), (3, 80)]
            .map(|(renewed, when)| pulse.feel(Some(sign(renewed)), at(when)));
        assert_eq!(felt, [true, true, true, true, false, true], "it came back");
    }

    #[test]
    fn an_empty_seat_is_looked_at_twice() {
        let now = Instant::now();
        let mut pulse = Pulse::new(now);
        let felt = [None, Some(sign(1)), None, None].map(|sign| pulse.feel(sign, now));
        assert_eq!(felt, [true, true, true, false]);
    }
}
