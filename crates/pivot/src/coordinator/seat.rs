//! The seat as a whole: the Leases of all clusters of a pivot.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, pending};
use futures::stream::{FuturesUnordered, StreamExt};
use pivot_core::machine::Side;
use tokio::time::{Instant, sleep};

use super::chair::{Chair, Dead, Look, Taken};
use super::lease::{Claim, Lease};
use super::{Identity, LeaseTimes, Leftover, Lost, SeatError, Unclaimed, Waiting};
use crate::cluster::Cluster;
use crate::cluster::discovery::Discovery;

/// Longest time between two looks at a Lease that another one holds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The right to drive a pivot, for as long as [`is_held`](Self::is_held) says so.
///
/// It renews itself only while [`keep`](Self::keep) is polled. Dropping it leaves the Leases behind, as a crash does.
#[must_use = "a seat that is dropped stays taken until its Leases run out"]
pub struct Seat {
    chairs: Vec<Chair>,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("held", &self.is_held()).finish_non_exhaustive()
    }
}

/// Taking
impl Seat {
    /// Takes the seat of `pivot` in these clusters for `me`.
    ///
    /// A Lease that another one holds is taken over where `dead` knows that its holder is a process of this very machine that no
    /// longer exists, where it was given back, or where it has not changed for as long as it says itself, by our clock. That wait is
    /// told once for each cluster. A holder that shows a sign of life meanwhile keeps its Lease, and nothing is taken anywhere.
    ///
    /// A cluster that does not answer for [`LeaseTimes::duration`] is left [unclaimed](Self::unclaimed), if there is another that
    /// does: only the caller knows whether the pivot can go on like this.
    pub async fn take(
        clusters: &[(Side, &Cluster)],
        pivot: &str,
        me: &Identity,
        times: LeaseTimes,
        dead: &(dyn Fn(&str) -> bool + Sync),
        tell: &mut (dyn FnMut(Waiting) + Send),
    ) -> Result<Self, SeatError> {
        let claim =
            Arc::new(Claim { holder: me.holder(), pivot: pivot.to_owned(), seconds: times.seconds() });
        let chair =
            |(side, cluster): &(Side, &Cluster)| Chair::new(*side, cluster, Arc::clone(&claim), times);
        let seat = Self { chairs: clusters.iter().map(chair).collect() };
        match seat.claim_all(times.duration, dead, tell).await {
            Ok(()) => Ok(seat),
            Err(error) => {
                // What could not be given back runs out by itself.
                let _left = seat.release(None).await;
                Err(error)
            }
        }
    }

    async fn claim_all(
        &self,
        patience: Duration,
        dead: Dead<'_>,
        tell: &mut (dyn FnMut(Waiting) + Send),
    ) -> Result<(), SeatError> {
        let mut rounds: Vec<Round<'_>> = self.chairs.iter().map(Round::new).collect();
        loop {
            let mut free = Vec::new();
            let mut pause: Option<Duration> = None;
            let looks = join_all(rounds.iter().map(|round| round.look(dead))).await;
            for (round, look) in rounds.iter_mut().zip(looks) {
                match look {
                    None => {}
                    Some(Look::Free(found)) => free.push((round, found)),
                    Some(other) => pause = pause.into_iter().chain(round.wait(other, patience, tell)?).min(),
                }
            }
            if let Some(pause) = pause {
                sleep(pause).await;
                continue;
            }
            // Only now, so that a wait for one cluster never keeps another taken.
            let mut again = false;
            for (round, found) in free {
                again |= !round.take(found, patience).await?;
            }
            if !again {
                break;
            }
            sleep(LOOK_EVERY / 4).await;
        }
        if let Some(Unclaimed { side, cluster, reason }) = self.chairs.first().and_then(Chair::unclaimed)
            && !self.chairs.iter().any(Chair::is_claimed)
        {
            return Err(SeatError::Unreachable { side, cluster, reason });
        }
        // One side may have kept us waiting for long after another was claimed.
        if !self.is_held()
            && let Err(lost) = self.reclaim().await
        {
            let reason = lost.to_string();
            return Err(match lost {
                Lost { side, cluster, to: Some(holder) } => {
                    SeatError::Held { side, cluster, holder, pivot: None }
                }
                Lost { side, cluster, to: None } => SeatError::Unreachable { side, cluster, reason },
            });
        }
        Ok(())
    }
}

/// One chair while the seat is being taken.
struct Round<'a> {
    chair: &'a Chair,
    silent_since: Option<Instant>,
    told: bool,
    settled: bool,
}

impl<'a> Round<'a> {
    fn new(chair: &'a Chair) -> Self {
        Self { chair, silent_since: None, told: false, settled: false }
    }

    async fn look(&self, dead: Dead<'_>) -> Option<Look> {
        if self.settled { None } else { Some(self.chair.look(dead).await) }
    }

    /// How long to wait before the next look, if there is to be one.
    fn wait(
        &mut self,
        look: Look,
        patience: Duration,
        tell: &mut (dyn FnMut(Waiting) + Send),
    ) -> Result<Option<Duration>, SeatError> {
        let (side, cluster) = (self.chair.side, self.chair.cluster.name().to_owned());
        match look {
            Look::Free(_) => Ok(None),
            Look::Alive { holder, pivot } => Err(SeatError::Held { side, cluster, holder, pivot }),
            Look::Refused(reason) => Err(SeatError::Refused { side, cluster, reason }),
            Look::Held { holder, pivot, left } => {
                if !std::mem::replace(&mut self.told, true) {
                    tell(Waiting { side, cluster, holder, pivot, at_most: left });
                }
                Ok(Some(left.min(LOOK_EVERY)))
            }
            Look::Silent(reason) => Ok(self.silent(reason, patience).then_some(LOOK_EVERY)),
        }
    }

    /// True where it is worth another attempt.
    fn silent(&mut self, reason: String, patience: Duration) -> bool {
        self.chair.troubled(reason);
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        self.settled = since.elapsed() >= patience;
        !self.settled
    }

    /// True where nothing is left to do here.
    async fn take(&mut self, found: Option<Box<Lease>>, patience: Duration) -> Result<bool, SeatError> {
        match self.chair.take(found).await {
            Taken::Ours => {
                self.settled = true;
                Ok(true)
            }
            Taken::Changed => Ok(false),
            Taken::Silent(reason) => Ok(!self.silent(reason, patience)),
            Taken::Refused(reason) => {
                let (side, cluster) = (self.chair.side, self.chair.cluster.name().to_owned());
                Err(SeatError::Refused { side, cluster, reason })
            }
        }
    }
}

/// Keeping
impl Seat {
    /// True while nobody else can have taken over any of the claimed Leases.
    ///
    /// It turns false by itself when renewals fail for too long, also in a process that was stopped meanwhile or on a machine that
    /// slept; [`reclaim`](Self::reclaim) then tells whether the seat is still ours. Whoever has it not must not write.
    pub fn is_held(&self) -> bool {
        let mut claimed = self.chairs.iter().filter(|chair| chair.is_claimed()).peekable();
        claimed.peek().is_some()
            && claimed.all(Chair::is_fresh)
            && !self.chairs.iter().any(|chair| chair.lost().is_some())
    }

    /// Renews for as long as it is polled, and claims what was left unclaimed; resolves when the seat is lost for good. A server
    /// that does not answer is no such loss.
    pub async fn keep(&self) -> Lost {
        let mut keepers: FuturesUnordered<_> = self.chairs.iter().map(Chair::keep).collect();
        match keepers.next().await {
            Some(lost) => lost,
            None => pending().await,
        }
    }

    /// Renews at once. True where the seat is held again, false where a server does not answer (see [`trouble`](Self::trouble)).
    pub async fn reclaim(&self) -> Result<bool, Lost> {
        let claimed = self.chairs.iter().filter(|chair| chair.is_claimed());
        for turned in join_all(claimed.map(Chair::turn)).await {
            turned?;
        }
        match self.chairs.iter().find_map(Chair::lost) {
            Some(lost) => Err(lost),
            None => Ok(self.is_held()),
        }
    }

    /// Why the last renewal failed, and where.
    pub fn trouble(&self) -> Option<(Side, String)> {
        self.chairs.iter().find_map(|chair| Some((chair.side, chair.trouble()?)))
    }

    /// Sides that could not be claimed so far. The seat says nothing about them.
    pub fn unclaimed(&self) -> Vec<Unclaimed> {
        self.chairs.iter().filter_map(Chair::unclaimed).collect()
    }
}

/// Giving back
impl Seat {
    /// Removes our Leases; where another one took over, its Lease stays.
    ///
    /// With `clear`, the namespace of the records is removed from that side too, if this pivot made it and nothing is left in it:
    /// the records must be gone before. What could not be removed comes back, in words.
    pub async fn release(self, clear: Option<(Side, &Discovery)>) -> Vec<Leftover> {
        let clear = |side| clear.filter(|(wanted, _)| *wanted == side).map(|(_, discovery)| discovery);
        let left = join_all(self.chairs.iter().map(|chair| chair.release(clear(chair.side)))).await;
        left.into_iter().flatten().collect()
    }
}
