//! Manifests for a machine that is looked at, and what they do with leases there.

use std::fs;
use std::path::Path;
use std::process::Command;

use pivot_testbed::lan::{Dnsmasq, Family, INTERFACE, Lan};
use pivot_testbed::programs_or_skip;
use serde_json::Value;

use crate::desk::{Desk, Outcome};

const RANGE: &str = "172.22.0.10,172.22.0.13";

/// The manifests, one by one.
fn documents(outcome: &Outcome) -> Vec<Value> {
    outcome.stdout.split("---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect()
}

#[test]
fn the_interface_is_found_by_the_network_on_its_machine() {
    programs_or_skip!("ip");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    let station = lan.station("a", &["172.22.0.1/24", "fd2e::1/64"]).unwrap();
    let generate = |more: &[&str]| {
        let args = ["generate", "ironic", "--without-leases", "--netns", station.namespace()];
        desk.run(&[&args, more].concat())
    };
    let settings = |outcome: &Outcome| documents(outcome)[1]["data"].clone();
    // By its endpoint, of which the machine tells the network.
    let found = settings(&generate(&["--endpoint=172.22.0.2", "--dhcp-range", RANGE]).exits(0));
    assert_eq!(found["PROVISIONING_INTERFACE"], INTERFACE);
    assert_eq!(found["PROVISIONING_CIDR"], "24");
    assert_eq!(found.get("KEEPALIVED_VIRTUAL_IPS"), None, "alone, as it was named");
    // By the network, with ranges of both families.
    let both = [
        "--network=fd2e::/64",
        "--endpoint=172.22.0.2/24",
        "--dhcp-range",
        RANGE,
        "--dhcp-range=fd2e::10,fd2e::ff",
    ];
    let found = settings(&generate(&both).exits(0));
    assert_eq!(found["DHCP_RANGE"], format!("{RANGE};fd2e::10,fd2e::ff"));
    assert_eq!(found["KEEPALIVED_VIRTUAL_IPS"], format!("172.22.0.2,{INTERFACE},24"));

    let own = generate(&["--endpoint=172.22.0.2", "--dhcp-range=172.22.0.1,172.22.0.100"]).exits(2);
    own.fails("endpoint-in-range");
    let own = generate(&["--endpoint=172.22.0.200", "--dhcp-range=172.22.0.1,172.22.0.100"]).exits(0);
    assert!(own.stderr.contains("172.22.0.1, which the interface carries itself"), "{own:#?}");
    generate(&["--endpoint=172.22.0.2/16", "--dhcp-range", RANGE]).exits(2).fails("endpoint-unfit");
    generate(&["--endpoint=172.23.0.2/24", "--interface", INTERFACE, "--dhcp-range=172.23.0.10,172.23.0.13"])
        .exits(1)
        .fails("static-address-missing");
    generate(&["--endpoint=172.23.0.2", "--dhcp-range", RANGE]).exits(1).fails("interface-not-found");
    generate(&["--endpoint=172.22.0.2", "--interface=eth9", "--dhcp-range", RANGE])
        .exits(1)
        .fails("interface-unknown");
}

#[test]
fn an_interface_without_an_address_that_stays_is_refused() {
    programs_or_skip!("ip");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    let station = lan.station("a", &["172.22.0.2/24"]).unwrap();
    let args =
        ["generate", "ironic", "--without-leases", "--endpoint=172.22.0.2", "--dhcp-range", RANGE, "--netns"];
    let refused =
        desk.run(&[&args[..], &[station.namespace()]].concat()).exits(1).fails("static-address-missing");
    assert_eq!(refused.stdout, "", "nothing half done is written");
    assert!(refused.stderr.contains("keepalived needs it"), "it says why: {refused:#?}");
}

/// Runs what the init container runs, on these folders.
fn copied(deployment: &Value, saved: &Path, kept: &Path) -> String {
    let init = &deployment["spec"]["template"]["spec"]["initContainers"][0];
    let words: Vec<&str> =
        init["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let [program, switch, script, name, "/saved", "/data/dnsmasq"] = words.as_slice() else {
        panic!("{init}")
    };
    let output = Command::new(program).args([switch, script, name]).args([saved, kept]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn dnsmasq_begins_with_the_leases_that_the_init_container_copied() {
    programs_or_skip!("dnsmasq", "dhclient");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    let server = lan.station("dst", &["172.22.0.1/24"]).unwrap();
    let client = lan.station("c1", &[]).unwrap();
    client.set_mac("52:54:00:00:00:01").unwrap();
    let args =
        ["generate", "ironic", "--endpoint=172.22.0.2", "--dhcp-range", RANGE, "--netns", server.namespace()];
    let deployment = documents(&desk.run(&args).exits(0)).pop().unwrap();

    let (saved, kept) = (desk.file("saved"), desk.file("kept"));
    fs::create_dir(&saved).unwrap();
    fs::create_dir(&kept).unwrap();
    let far = "4102444800";
    let first = format!("{far} 52:54:00:00:00:09 172.22.0.10 * *\n");
    let second = format!("{far} 52:54:00:00:00:01 172.22.0.12 * *\n");
    fs::write(saved.join("dnsmasq.leases"), &first).unwrap();
    fs::write(saved.join("dnsmasq.leases.01"), &second).unwrap();
    copied(&deployment, &saved, &kept);
    let leases = kept.join("dnsmasq.leases");
    assert_eq!(fs::read_to_string(&leases).unwrap(), format!("{first}{second}"));
    let names: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["dnsmasq.leases"], "nothing else is left");

    let dnsmasq = Dnsmasq::start(&server, &kept, &leases, &["172.22.0.10,172.22.0.13,1h"]).unwrap();
    let given = client.ask(Family::V4, &dnsmasq, &kept).unwrap();
    assert_eq!(given, Some("172.22.0.12".parse().unwrap()), "the address that it had");
    dnsmasq.stop().unwrap();

    // The machine starts anew: the pod keeps its volume, and what dnsmasq wrote since counts.
    let newer = fs::read_to_string(&leases).unwrap();
    assert_ne!(newer, format!("{first}{second}"));
    let said = copied(&deployment, &saved, &kept);
    assert!(said.contains("is newer and stays"), "{said}");
    assert_eq!(fs::read_to_string(&leases).unwrap(), newer);
}
