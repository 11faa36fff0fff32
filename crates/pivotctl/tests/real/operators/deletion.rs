//! Between the DELETE of a host and its last finalizer an operator may take the deletion for a wish to deprovision the machine. The
//! incumbent's requests make it do so; ours do not, whoever is alive, and also where nobody makes the next one.

use pivot_testbed::client::{Progress, wait_until};
use pivot_testbed::proxy::Stage;
use pivot_testbed::traffic::{Target, Verb};
use pivot_testbed::{assets_or_skip, pods_or_skip};

use super::MOVE;
use super::bank::{DEADLINE, River, machine, state, wipe_and_delete};
use super::timeline::{States, acts, deleted_at};
use crate::scene::Halted;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_leaves_is_not_deprovisioned_by_a_living_operator() {
    let assets = assets_or_skip!();
    pods_or_skip!();
    let river = River::new(&assets).await;
    let (east, west) = (&river.east, &river.west);
    let states = States::watch(river.clients());

    // With the pause alone the source's operator is alive to the end.
    let gate = east.proxy.halt(Stage::Applied, Target::new(Verb::Delete, "BareMetalHost"), 1);
    let mut halted = Halted::begin(river.command(&[&MOVE[..], &["--fence=pause"]].concat(), east, west));
    halted.stand_where(&east.proxy, gate, |_| unreachable!("the first one counts"), |_| true).await;
    halted.kill();
    // Deletes that were on their way arrive as well.
    let going = wait_until("the deleted hosts to be reconciled", DEADLINE, async || {
        let mut going = east.hosts().await;
        going.retain(|_, host| host["metadata"]["deletionTimestamp"].is_string());
        let is_seen = |name: &str| {
            let since = deleted_at(east, name);
            since.is_some_and(|since| {
                acts(east, since).iter().any(|act| act.what == format!("reconciles \"{name}\""))
            })
        };
        let unseen: Vec<_> = going.keys().filter(|name| !is_seen(name)).collect();
        Ok(match (going.is_empty(), unseen.is_empty()) {
            (false, true) => Progress::Done(going),
            _ => Progress::Pending(format!("{} are deleted, {unseen:?} not seen", going.len())),
        })
    })
    .await
    .unwrap();
    for (name, host) in &going {
        assert_eq!(machine(host), machine(&river.before[name]), "{name}");
        assert!(host["metadata"]["annotations"]["baremetalhost.metal3.io/paused"].is_string(), "{name}");
    }
    river.run(&["resume"], east, west);
    river.hosts_are_in(west, east).await;
    states.never_changed(&river.before).await;

    // The same operator, and the requests that the incumbent sends until the one in which it takes the finalizer away.
    let (victim, _) = river.before.iter().find(|(_, host)| state(host) == "provisioned").unwrap();
    wipe_and_delete(west, victim).await;
    wait_until("the operator to deprovision the host", DEADLINE, async || {
        let hosts = west.hosts().await;
        Ok(match hosts.get(victim).map(state) {
            Some("provisioned") => Progress::Pending("provisioned".to_owned()),
            // It goes on until the host is gone.
            Some(_) | None => Progress::Done(()),
        })
    })
    .await
    .unwrap();
}
