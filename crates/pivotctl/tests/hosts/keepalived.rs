//! The endpoint address, carried by the real keepalived with one configuration on both sides.

use pivot_testbed::lan::{INTERFACE, Lan, Witness, start_keepalived};
use pivot_testbed::programs_or_skip;

use crate::desk::Desk;

const ENDPOINT: &str = "172.22.0.2";

#[test]
fn the_endpoint_has_one_owner_there_and_back() {
    programs_or_skip!("keepalived", "arping", "stdbuf");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    let folder = desk.file("keepalived");
    std::fs::create_dir(&folder).unwrap();
    let source = lan.station("src", &["172.22.0.11/24"]).unwrap();
    let target = lan.station("dst", &["172.22.0.12/24"]).unwrap();
    let third = lan.station("third", &["172.22.0.99/24"]).unwrap();
    let macs = [(&source, "52:54:00:00:00:0a"), (&target, "52:54:00:00:00:0b")];
    for (station, mac) in macs {
        station.set_mac(mac).unwrap();
    }
    let [source_mac, target_mac] = macs.map(|(_, mac)| mac);
    let carry = |station| start_keepalived(station, &folder, &format!("{ENDPOINT}/32")).unwrap();
    let witness = Witness::start(&third, &folder, ENDPOINT).unwrap();

    let there = carry(&source);
    witness.sees(source_mac).unwrap();
    there.stop().unwrap();
    let on = |station: &pivot_testbed::lan::Station, args: &[&str]| {
        desk.run(&[args, &["--netns", station.namespace()]].concat()).exits(0)
    };
    let remove = ["network", "address", "remove", "--address", ENDPOINT];
    let gone = on(&source, &remove);
    assert!(gone.stderr.contains("no interface"), "keepalived took it along: {gone:#?}");
    // The target has what it needs before it carries the address.
    on(&target, &["network", "address", "check", "--interface", INTERFACE, "--endpoint", ENDPOINT]);
    let here = carry(&target);
    witness.sees(target_mac).unwrap();

    // Killed, keepalived leaves the address where it is, and the way back would give it a second owner.
    target.kill_all().unwrap();
    drop(here);
    let taken = on(&target, &remove);
    assert!(taken.stderr.contains("172.22.0.2 was taken off eth1"), "{taken:#?}");
    let again = carry(&source);
    witness.sees(source_mac).unwrap();
    assert_eq!(witness.owners(), [source_mac, target_mac, source_mac]);
    again.stop().unwrap();
}
