//! What stands in the way is found before anything is written, or undone with the evidence.

use pivot_testbed::assets_or_skip;
use pivot_testbed::lan::{Dnsmasq, INTERFACE};

use super::yard::{ENDPOINT, Place, REMOTE, Yard};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_the_way() {
    let assets = assets_or_skip!();
    machines_or_skip!();
    let yard = Yard::new(&assets).await;
    let refused = |id: &str| {
        let refused = yard.pivotctl(Place::Here, &["move", "--yes"]).exits(1);
        assert!(refused.stderr.contains(&format!("[{id}]")), "{refused:#?}");
        yard.owns(Place::Here);
        refused
    };

    // The target's interface has no address that stays.
    let there = &yard.there.station;
    let address = |words: &str| {
        let words = format!("ip address {words} dev {INTERFACE}");
        there.done(&words.split(' ').collect::<Vec<_>>()).unwrap();
    };
    address("del 172.22.0.3/24");
    there
        .done(&[
            "sh",
            "-c",
            &format!("ip address add 172.22.0.4/24 dev {INTERFACE} valid_lft 600 preferred_lft 600"),
        ])
        .unwrap();
    address("add 172.22.0.3/32");
    let dynamic = refused("static-address");
    assert!(dynamic.stderr.contains("172.22.0.4/24"), "{dynamic:#?}");
    address("flush");
    address("add 172.22.0.3/24");

    // A line that is no lease is told, and costs no other.
    let break_it = "echo broken >> /data/dnsmasq/dnsmasq.leases";
    yard.here.podman.done(&["exec", "dnsmasq", "sh", "-c", break_it]).unwrap();
    let malformed = yard.pivotctl(Place::Here, &["check"]).exits(0);
    assert!(malformed.stdout.contains("lease-malformed"), "{malformed:#?}");

    // Somebody else's DHCP server is on the network already.
    let stray = yard.lan.station("stray", &["172.22.0.50/24"]).unwrap();
    let folder = yard.folder("stray");
    let ranges = ["172.22.0.200,172.22.0.210,1h"];
    let server = Dnsmasq::start(&stray, &folder, &folder.join("leases"), &ranges).unwrap();
    let second = yard.pivotctl(Place::Here, &["move", "--yes"]).exits(1);
    assert!(second.stderr.contains("[dhcp-second]") && second.stderr.contains("172.22.0.50"), "{second:#?}");
    server.stop().unwrap();

    // The target's Ironic runs.
    yard.there.podman.done(&["start", "ironic-log-watch"]).unwrap();
    let twice = yard.pivotctl(Place::Here, &["move", "--yes"]).exits(1);
    assert!(twice.stderr.contains("[ironic-twice]"), "{twice:#?}");
    yard.there.podman.done(&["stop", "--time=0", "ironic-log-watch"]).unwrap();

    // Machines that nobody reaches, one a side.
    for (name, other, id) in [
        (yard.here.station.namespace(), "no-such-namespace", "ironic-missing"),
        (REMOTE, "no-such-machine", "ironic-target"),
    ] {
        let unreachable = yard.elsewhere(Place::Here, &["move", "--yes"], (name, other)).exits(1);
        assert!(unreachable.stderr.contains(&format!("[{id}]")), "{unreachable:#?}");
        assert!(unreachable.stderr.contains(other), "{unreachable:#?}");
    }
    yard.owns(Place::Here);

    // An Ironic that will not stop: everything is undone.
    yard.here.turnstile.hold(2).unwrap();
    let mut run = yard.going(Place::Here, &["move", "--yes"]).spawn().unwrap();
    assert!(yard.here.turnstile.is_held(|| run.try_wait().unwrap().is_some()).unwrap());
    yard.here.turnstile.lose().unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(3), "it is rolled back");
    yard.owns(Place::Here);

    // Somebody takes the endpoint address between the stop and the start: nothing is started, and the pivot can go on later.
    let thief = yard.lan.station("thief", &[]).unwrap();
    yard.there.turnstile.hold(1).unwrap();
    let mut run = yard.going(Place::Here, &["move", "--yes"]).spawn().unwrap();
    assert!(yard.there.turnstile.is_held(|| run.try_wait().unwrap().is_some()).unwrap());
    run.kill().unwrap();
    run.wait().unwrap();
    yard.there.turnstile.lose().unwrap();
    thief.done(&["ip", "address", "add", &format!("{ENDPOINT}/24"), "dev", INTERFACE]).unwrap();
    let suspended = yard.on_clusters(Place::Here, &["resume"]).exits(4);
    assert!(suspended.stderr.contains(ENDPOINT), "{suspended:#?}");
    assert_eq!(yard.running(Place::There), [""; 0]);
    assert_eq!(yard.running(Place::Here), [""; 0]);
    thief.done(&["ip", "address", "flush", "dev", INTERFACE]).unwrap();
    yard.on_clusters(Place::Here, &["resume"]).exits(0);
    yard.owns(Place::There);
}
