//! The real baremetal-operator acts in both clusters while hosts pivot.

pub(crate) mod bank;
mod deletion;
mod killed;
pub(crate) mod timeline;
mod worker;

use pivot_testbed::{assets_or_skip, pods_or_skip};

use self::bank::{Bank, River};
use self::timeline::{States, never_both, no_write_behind_the_fence, now};
use crate::scene::NAMESPACE;

const MOVE: [&str; 4] = ["move", "--yes", "-n", NAMESPACE];

/// After a pivot: the hosts are as they were, one operator acted before and the other one afterwards, and nobody is left where they were.
async fn arrived(river: &River, from: &Bank, to: &Bank, since: f64) {
    river.hosts_are_in(to, from).await;
    from.is_asleep().await;
    to.is_active().await;
    never_both(from, to, since);
    no_write_behind_the_fence(from, since);
}

/// In a pod of the stand-in for CAPM3 its program; elsewhere nothing.
#[tokio::test]
async fn standin_capm3() {
    pivot_testbed::operators::standin_capm3::run_if_asked().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_pivot_there_and_back_between_real_operators() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let river = River::new(&assets).await;
    let (east, west) = (&river.east, &river.west);
    let standings: Vec<_> = river.before.values().map(bank::state).collect();
    for standing in ["available", "provisioned", "externally provisioned"] {
        assert!(standings.contains(&standing), "{standings:?}");
    }
    assert!(river.before.values().any(|host| host["status"]["operationalStatus"] == "detached"));

    let states = States::watch(river.clients());
    for (from, to) in [(east, west), (west, east)] {
        let since = now();
        river.run(&MOVE, from, to);
        arrived(&river, from, to, since).await;
    }
    states.never_changed(&river.before).await;
}
