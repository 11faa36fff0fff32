//! Interfaces and addresses of machines, reached in a network namespace and by the user's own `ssh`.

use pivot_testbed::lan::{INTERFACE, Lan, Sshd};
use pivot_testbed::programs_or_skip;

use crate::desk::Desk;

#[test]
fn the_interface_of_a_network_is_found_in_a_namespace() {
    programs_or_skip!("ip");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    let station = lan.station("a", &["172.22.0.1/24", "172.22.0.2/32", "fd2e::1/64"]).unwrap();
    let find = |address: &str| {
        desk.run(&["network", "find", "--address", address, "--netns", station.namespace(), "-o", "json"])
    };
    for address in ["172.22.0.0/24", "172.22.0.77", "fd2e::/64"] {
        let found = find(address).exits(0).json();
        assert_eq!((&found["interface"], &found["how"]), (&INTERFACE.into(), &"on-link".into()), "{address}");
    }
    assert_eq!(find("172.22.0.2").exits(0).json()["how"], "carries");
    let nowhere = find("10.9.8.7").exits(1).fails("interface-not-found");
    assert!(nowhere.stderr.contains("eth1: 172.22.0.1/24"), "it names what is there: {nowhere:#?}");
    station.done(&["ip", "route", "add", "10.9.8.0/24", "via", "172.22.0.254"]).unwrap();
    let routed = find("10.9.8.7").exits(1).fails("interface-not-on-link");
    assert_eq!(routed.json()["gateway"], "172.22.0.254");
    find("eth1").exits(2).fails("address-malformed");
    let gone = ["network", "find", "--address", "10.0.0.1", "--netns", "no-such-namespace"];
    desk.run(&gone).exits(1).fails("netns-missing");
}

#[test]
fn an_address_is_taken_off_and_what_went_along_comes_back() {
    programs_or_skip!("ip");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    // The endpoint was there first: with it the kernel takes the second address of its network.
    let station = lan.station("a", &["172.22.0.2/24", "172.22.0.1/24", "fd2e::2/64"]).unwrap();
    let on = |args: &[&str]| desk.run(&[args, &["--netns", station.namespace()]].concat());
    let shown = || {
        let shown =
            on(&["network", "address", "show", "--interface", INTERFACE, "-o", "json"]).exits(0).json();
        let list = shown.as_array().unwrap().clone();
        let text = |entry: &serde_json::Value| entry["address"].as_str().unwrap().to_owned();
        list.iter().filter(|entry| entry["kind"] == "static").map(text).collect::<Vec<_>>()
    };
    assert_eq!(shown(), ["172.22.0.2/24", "172.22.0.1/24", "fd2e::2/64"]);
    let removed = on(&["network", "address", "remove", "--address", "172.22.0.2"]).exits(0);
    assert!(removed.stderr.contains("172.22.0.2/24 was taken off eth1"), "{removed:#?}");
    assert!(removed.stderr.contains("the kernel took 172.22.0.1/24 along; it was put back"), "{removed:#?}");
    assert_eq!(shown(), ["172.22.0.1/24", "fd2e::2/64"]);
    let again = on(&["network", "address", "remove", "--address", "172.22.0.2"]).exits(0);
    assert!(again.stderr.contains("carries 172.22.0.2"), "{again:#?}");
    on(&["network", "address", "remove", "--address", "fd2e::2/64", "--interface", INTERFACE]).exits(0);
    assert_eq!(shown(), ["172.22.0.1/24"]);
    on(&["network", "address", "remove", "--address", "172.22.0.1", "--interface", "eth9"])
        .exits(1)
        .fails("interface-unknown");
}

#[test]
fn the_provisioning_interface_needs_an_address_that_stays() {
    programs_or_skip!("ip");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    let station = lan.station("a", &["172.22.0.2/32"]).unwrap();
    let check = |more: &[&str]| {
        let args = ["network", "address", "check", "--interface", INTERFACE, "--netns", station.namespace()];
        desk.run(&[&args, more].concat())
    };
    let alone = check(&[]).exits(1).fails("static-address-missing");
    assert!(alone.stderr.contains("172.22.0.2/32 (static)"), "it says what is there: {alone:#?}");
    let leased = [
        "ip",
        "address",
        "add",
        "172.22.0.9/24",
        "dev",
        INTERFACE,
        "valid_lft",
        "600",
        "preferred_lft",
        "600",
    ];
    station.done(&leased).unwrap();
    let leased = check(&[]).exits(1).fails("static-address-missing");
    assert!(leased.stderr.contains("172.22.0.9/24 (dynamic)"), "{leased:#?}");
    station.done(&["ip", "address", "add", "172.22.0.1/24", "dev", INTERFACE]).unwrap();
    assert_eq!(check(&[]).exits(0).stdout, "172.22.0.1/24\n");
    assert_eq!(check(&["--endpoint", "172.22.0.2"]).exits(0).stdout, "172.22.0.1/24\n");
    check(&["--endpoint", "172.23.0.2"]).exits(1).fails("static-address-missing");
    station.done(&["ip", "link", "set", INTERFACE, "down"]).unwrap();
    check(&[]).exits(1).fails("interface-down");
}

#[test]
fn a_machine_is_reached_by_the_users_own_ssh() {
    programs_or_skip!("ip", "ssh", "sshd", "ssh-keygen");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    let here = lan.station("here", &["192.168.111.2/24"]).unwrap();
    let there = lan.station("there", &["192.168.111.20/24", "172.22.0.2/24", "172.22.0.1/24"]).unwrap();
    let folder = desk.file("ssh");
    std::fs::create_dir(&folder).unwrap();
    let sshd = Sshd::start(&there, &folder, "bootstrap", "192.168.111.20".parse().unwrap()).unwrap();
    let config = sshd.config().to_str().unwrap();
    let on = |name: &str, args: &[&str]| {
        desk.run_on(&here, &[args, &["--host", name, "--ssh-config", config]].concat())
    };
    let found = on("bootstrap", &["network", "find", "--address", "172.22.0.0/24", "-o", "json"]).exits(0);
    assert_eq!(found.json()["interface"], INTERFACE);
    let removed = on("bootstrap", &["network", "address", "remove", "--address", "172.22.0.2"]).exits(0);
    assert!(removed.stderr.contains("172.22.0.1/24 along; it was put back"), "{removed:#?}");
    let left = there.done(&["ip", "-o", "-4", "address", "show", "dev", INTERFACE]).unwrap();
    assert!(left.contains("172.22.0.1/24") && !left.contains("172.22.0.2/"), "{left}");

    // A name with a blank and a quote, as one word through two shells.
    let leases = folder.join("it's leases");
    std::fs::write(&leases, "0 52:54:00:00:00:01 172.22.0.10 * *\n").unwrap();
    let shown = on("bootstrap", &["leases", "show", leases.to_str().unwrap()]).exits(0);
    assert!(shown.stdout.contains("172.22.0.10"), "{shown:#?}");
    on("bootstrap", &["leases", "show", "/no/such/file"]).exits(1).fails("lease-file-missing");

    // It never asks whether a key may be trusted, and does not trust one unasked.
    let stranger = on("stranger", &["network", "address", "show"]).exits(1).fails("host-unreachable");
    assert!(stranger.stderr.contains("Host key verification failed"), "{stranger:#?}");
    on("192.168.111.99", &["network", "address", "show"]).exits(1).fails("host-unreachable");
}
