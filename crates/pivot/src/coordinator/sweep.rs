//! A seat that its holder left for good where nothing is left to drive: before the first record, or after the last.

use pivot_core::link::LinkRules;
use pivot_core::machine::Side;

use super::chair::Dead;
use super::lease::{self, Lease};
use super::{Identity, LeaseTimes, Seat, namespace};
use crate::cluster::Cluster;

/// Removes the Lease of one cluster if its holder is known to be gone; `forgets` where no pivot is remembered there, so that our
/// namespace goes too. Whatever stays runs out by itself, and is taken over by the next who comes.
pub(crate) async fn sweep(
    side: Side,
    cluster: &Cluster,
    forgets: bool,
    me: &Identity,
    times: LeaseTimes,
    dead: Dead<'_>,
) {
    let Some(pivot) = left_by(cluster, forgets, dead).await else { return };
    // Taken first, so that nobody is disturbed who comes now.
    let Ok(seat) = Seat::take(&[(side, cluster)], &pivot, me, times, dead, &mut |_| {}).await else { return };
    let discovery = if forgets { cluster.discover(&LinkRules::builtin()).await.ok() } else { None };
    let _left = seat.release(discovery.as_ref().map(|discovery| (side, discovery))).await;
}

/// The pivot whose coordinator left something that may go.
async fn left_by(cluster: &Cluster, forgets: bool, dead: Dead<'_>) -> Option<String> {
    let key = lease::key();
    let found = cluster.get(&lease::kind(), lease::VERSION, key.namespace.as_deref(), &key.name).await;
    match found.ok()?.as_ref().map(Lease::read) {
        Some(Lease { holder: Some(holder), pivot, .. }) if dead(&holder) => pivot,
        None if forgets => namespace::made_for(cluster).await,
        Some(_) | None => None,
    }
}
