//! Ironic as podman containers, named as the scripts of Metal3 name them. dnsmasq and keepalived are the real ones; a web server that listens on the
//! API's port is a stand-in for Ironic, of which only its port counts here.

use std::fs;
use std::time::Duration;

use pivot_testbed::lan::{Dnsmasq, INTERFACE, Lan, Podman, Station, Witness, keepalived_config};
use pivot_testbed::programs_or_skip;
use serde_json::Value;

use crate::desk::{Desk, Outcome};

const ENDPOINT: &str = "172.22.0.2";
const LEASE: &str = "0 52:54:00:00:00:01 172.22.0.10 node-0 *";
const MAC: &str = "52:54:00:00:00:0a";
const ALL: [&str; 5] = ["dnsmasq", "httpd", "ironic", "ironic-endpoint-keepalived", "ironic-log-watch"];

struct Machine {
    lan: Lan,
    station: Station,
    desk: Desk,
}

impl Machine {
    /// With the stack of today and a container of somebody else.
    fn new() -> Self {
        let (lan, mut desk) = (Lan::new().unwrap(), Desk::new());
        let station = lan.station("host", &["172.22.0.1/24"]).unwrap();
        station.set_mac(MAC).unwrap();
        let containers = Podman::new().unwrap();
        let config = desk.file("keepalived.conf");
        fs::write(&config, keepalived_config(&format!("{ENDPOINT}/32"))).unwrap();
        let told = format!("--env=PROVISIONING_IP={ENDPOINT}");
        let dnsmasq = format!(
            "mkdir -p /data/dnsmasq && echo '{LEASE}' > /data/dnsmasq/dnsmasq.leases && exec /usr/sbin/dnsmasq -d -q --user=root \
             --interface={INTERFACE} --bind-dynamic --port=0 --conf-file=/dev/null --pid-file= \
             --dhcp-leasefile=/data/dnsmasq/dnsmasq.leases --dhcp-range=172.22.0.10,172.22.0.100"
        );
        let run = |name: &str, options: &[&str], command: &[&str]| {
            containers.run(&station, name, options, command).unwrap();
        };
        run("dnsmasq", &[&told], &["sh", "-c", &dnsmasq]);
        let mount = format!("--volume={}:/keepalived.conf:ro", config.display());
        let keepalived = [
            "/usr/sbin/keepalived",
            "--dont-fork",
            "--log-console",
            "--vrrp",
            "--use-file",
            "/keepalived.conf",
        ];
        run("ironic-endpoint-keepalived", &[&told, &mount], &keepalived);
        // The first process of a container ends by a signal only if it asks for it.
        let standin = ["--stop-signal=KILL", told.as_str()];
        run("ironic", &standin, &["httpd", "-f", "-p", "6385"]);
        run("httpd", &standin, &["httpd", "-f", "-p", "6180"]);
        run("ironic-log-watch", &standin, &["sleep", "6000"]);
        run("registry", &["--stop-signal=KILL"], &["sleep", "6000"]);
        desk.containers = Some(containers);
        let machine = Self { lan, station, desk };
        machine.carries();
        machine
    }

    /// Waits until the endpoint is there.
    fn carries(&self) {
        for _ in 0..300 {
            let there = self.station.done(&["ip", "-o", "address", "show", "dev", INTERFACE]).unwrap();
            if there.contains(&format!("{ENDPOINT}/")) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("keepalived does not carry the endpoint: {}", self.podman().done(&["logs", ALL[3]]).unwrap());
    }

    fn podman(&self) -> &Podman {
        self.desk.containers.as_ref().unwrap()
    }

    fn ironic(&self, args: &[&str]) -> Outcome {
        self.desk.run(&[&["ironic"], args, &["--netns", self.station.namespace()]].concat())
    }

    fn status(&self) -> Value {
        self.ironic(&["status", "-o", "json"]).exits(0).json()
    }

    /// What runs, without the container that is somebody else's, which always does.
    #[track_caller]
    fn running(&self) -> Vec<String> {
        let mut running = self.podman().running().unwrap();
        let place = running.iter().position(|name| name == "registry").expect("others are left alone");
        running.remove(place);
        running
    }
}

#[test]
fn ironic_stops_with_evidence_and_comes_back() {
    programs_or_skip!("podman", "runc", "busybox", "dnsmasq", "keepalived", "arping", "stdbuf");
    let machine = Machine::new();
    let third = machine.lan.station("third", &["172.22.0.99/24"]).unwrap();
    let folder = machine.desk.file("witness");
    fs::create_dir(&folder).unwrap();
    let witness = Witness::start(&third, &folder, ENDPOINT).unwrap();
    witness.sees(MAC).unwrap();
    let status = machine.status();
    assert_eq!(
        (&status["running"], &status["leases"], &status["endpoint"]),
        (&true.into(), &1.into(), &ENDPOINT.into())
    );
    assert_eq!(status["containers"].as_array().unwrap().len(), ALL.len(), "{status}");
    assert_eq!(status["open"].as_array().unwrap().len(), 2, "{status}");

    let stopped = machine.ironic(&["stop"]).exits(0);
    assert!(stopped.stderr.contains("what runs, and 1 lease"), "{stopped:#?}");
    assert!(stopped.stderr.contains("answered by nobody: 172.22.0.2"), "{stopped:#?}");
    assert!(stopped.stderr.contains("answered by nobody: DHCP on eth1"), "{stopped:#?}");
    assert!(!stopped.stderr.contains("warning"), "{stopped:#?}");
    assert_eq!(machine.running(), [""; 0]);
    let silent = witness.answers().len();
    let status = machine.status();
    assert_eq!((&status["running"], &status["open"]), (&false.into(), &Value::Array(vec![])));
    // Once more, as a tired operator does: what ran is not forgotten.
    machine.ironic(&["stop"]).exits(0);
    assert_eq!(witness.answers().len(), silent, "nobody answers");

    let started = machine.ironic(&["start"]).exits(0);
    assert!(
        started.stderr.contains("running as before: ironic-endpoint-keepalived, httpd, ironic"),
        "{started:#?}"
    );
    for seen in [
        "carried: 172.22.0.2 on eth1",
        "answers: Ironic's API (http 404)",
        "answered by 172.22.0.1 alone: DHCP on eth1",
    ] {
        assert!(started.stderr.contains(seen), "{seen}: {started:#?}");
    }
    assert!(!started.stderr.contains("warning"), "{started:#?}");
    assert_eq!(machine.running(), ALL);
    witness.sees(MAC).unwrap();
    assert_eq!(machine.status()["leases"], 1, "dnsmasq began with the leases it had");
    machine.ironic(&["start"]).exits(1).fails("ironic-not-saved");
}

#[test]
fn what_is_left_or_somebody_elses_is_found() {
    programs_or_skip!("podman", "runc", "busybox", "dnsmasq", "keepalived");
    let machine = Machine::new();
    // Killed, keepalived leaves the address. What did not run does not run again.
    machine.podman().done(&["kill", "--signal=KILL", "ironic-endpoint-keepalived"]).unwrap();
    let other = machine.lan.station("other", &["172.22.0.2/24"]).unwrap();
    let answered = machine.ironic(&["stop"]).exits(1).fails("endpoint-answered");
    assert!(!answered.stderr.contains("stopped, and no process left"), "no proof is claimed: {answered:#?}");
    assert_eq!(machine.running(), [""; 0], "it is stopped all the same");
    let last = answered.stderr.lines().last().unwrap();
    assert_eq!(last, "what was done stays as it is: the side that was active still is");
    let here = machine.station.done(&["ip", "-o", "address", "show", "dev", INTERFACE]).unwrap();
    assert!(!here.contains(&format!("{ENDPOINT}/")), "the address that was left is taken off: {here}");
    other.done(&["ip", "address", "flush", "dev", INTERFACE]).unwrap();
    machine.ironic(&["stop"]).exits(0);

    // A DHCP server that no container runs.
    let folder = machine.desk.file("stray");
    fs::create_dir(&folder).unwrap();
    let stray =
        Dnsmasq::start(&machine.station, &folder, &folder.join("leases"), &["172.22.0.10,172.22.0.100"])
            .unwrap();
    let serves = machine.ironic(&["stop"]).exits(1).fails("ironic-still-serves");
    assert!(serves.stderr.contains("a DHCP server (udp/67)"), "{serves:#?}");
    stray.stop().unwrap();
    machine.ironic(&["start"]).exits(0);
    assert_eq!(
        machine.running(),
        ["dnsmasq", "httpd", "ironic", "ironic-log-watch"],
        "keepalived did not run"
    );
}

#[test]
fn of_two_dhcp_servers_the_other_one_is_found() {
    programs_or_skip!("podman", "runc", "busybox", "dnsmasq", "keepalived", "python3");
    let mut machine = Machine::new();
    let other = machine.lan.station("other", &["172.22.0.9/24"]).unwrap();
    other.set_mac("52:54:00:00:00:09").unwrap();
    let folder = machine.desk.file("other");
    fs::create_dir(&folder).unwrap();
    let range = ["172.22.0.50,172.22.0.60"];
    let server = Dnsmasq::start(&other, &folder, &folder.join("leases"), &range).unwrap();
    let stopped = machine.ironic(&["stop"]).exits(1).fails("ironic-dhcp-answered");
    let evidence = "DHCP is answered by 172.22.0.9 (52:54:00:00:00:09), which offers 172.22.0.5";
    assert!(stopped.stderr.contains(evidence), "{stopped:#?}");
    assert!(!stopped.stderr.contains("stopped, and no process left"), "no proof is claimed: {stopped:#?}");
    assert_eq!(machine.running(), [""; 0], "it is stopped all the same");

    let refused = machine.ironic(&["start"]).exits(1).fails("ironic-dhcp-answered");
    assert!(refused.stderr.contains("nothing was started: DHCP is answered by 172.22.0.9"), "{refused:#?}");
    server.stop().unwrap();
    other.done(&["ip", "address", "add", "172.22.0.2/24", "dev", INTERFACE]).unwrap();
    let refused = machine.ironic(&["start"]).exits(1).fails("endpoint-answered");
    assert!(refused.stderr.contains("172.22.0.2 is answered by 52:54:00:00:00:09"), "{refused:#?}");
    other.done(&["ip", "address", "flush", "dev", INTERFACE]).unwrap();
    machine.station.done(&["ip", "address", "flush", "dev", INTERFACE]).unwrap();
    let leased = ["172.22.0.1/24", "dev", INTERFACE, "valid_lft", "6000", "preferred_lft", "6000"];
    machine.station.done(&[&["ip", "address", "add"], &leased[..]].concat()).unwrap();
    let refused = machine.ironic(&["start"]).exits(1).fails("static-address-missing");
    assert!(refused.stderr.contains("eth1: 172.22.0.1/24"), "it says what is there: {refused:#?}");
    assert_eq!(machine.running(), [""; 0]);

    // Without a program that asks nothing is proven, and that is said.
    machine.station.done(&["ip", "address", "change", "172.22.0.1/24", "dev", INTERFACE]).unwrap();
    machine.desk.only(&["cat", "ip", "nsenter", "podman", "runc", "sh", "tar", "test"]);
    let started = machine.ironic(&["start"]).exits(0);
    assert!(started.stderr.contains("listens: Ironic's API"), "{started:#?}");
    let why = "is not known: there is no `python3` on network namespace";
    assert_eq!(started.stderr.matches(why).count(), 2, "{started:#?}");
    let stopped = machine.ironic(&["stop"]).exits(0);
    assert!(stopped.stderr.contains(why) && !stopped.stderr.contains("DHCP on"), "{stopped:#?}");
}

#[test]
fn an_ironic_that_serves_no_dhcp_does_not_ask_who_does() {
    programs_or_skip!("podman", "runc", "busybox", "dnsmasq", "keepalived", "python3");
    let machine = Machine::new();
    machine.podman().done(&["stop", "dnsmasq"]).unwrap();
    let other = machine.lan.station("other", &["172.22.0.9/24"]).unwrap();
    let folder = machine.desk.file("other");
    fs::create_dir(&folder).unwrap();
    let range = ["172.22.0.50,172.22.0.60"];
    let _server = Dnsmasq::start(&other, &folder, &folder.join("leases"), &range).unwrap();
    let stopped = machine.ironic(&["stop"]).exits(0);
    assert!(!stopped.stderr.contains("DHCP on"), "{stopped:#?}");
    machine.ironic(&["start"]).exits(0);
    assert_eq!(machine.running(), &ALL[1..]);
}

#[test]
fn an_ironic_that_could_not_come_back_is_not_stopped() {
    programs_or_skip!("podman", "runc", "busybox");
    let (lan, mut desk) = (Lan::new().unwrap(), Desk::new());
    let station = lan.station("host", &["172.22.0.1/24"]).unwrap();
    desk.containers = Some(Podman::new().unwrap());
    let ironic = |args: &[&str]| desk.run(&[&["ironic"], args, &["--netns", station.namespace()]].concat());
    ironic(&["stop"]).exits(1).fails("ironic-missing");
    let containers = desk.containers.as_ref().unwrap();
    containers.run(&station, "ironic", &["--rm"], &["sleep", "6000"]).unwrap();
    ironic(&["stop"]).exits(1).fails("ironic-not-kept");
    assert_eq!(containers.running().unwrap(), ["ironic"]);
}
