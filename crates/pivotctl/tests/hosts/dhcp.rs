//! Who answers DHCP on a network, with the real dnsmasq.

use std::fs;
use std::path::PathBuf;

use pivot_testbed::lan::{Dnsmasq, INTERFACE, Lan, Service, Sshd, Station};
use pivot_testbed::programs_or_skip;
use serde_json::Value;

use crate::desk::{Desk, Outcome};

const V4: &str = "172.22.0.10,172.22.0.20,1h";
const V6: &str = "fd2e::10,fd2e::20,64,1h";

struct Server {
    station: Station,
    leases: PathBuf,
    dnsmasq: Dnsmasq,
}

impl Server {
    fn start(lan: &Lan, desk: &Desk, name: &str, addresses: &[&str], ranges: &[&str]) -> Self {
        let station = lan.station(name, addresses).unwrap();
        let folder = desk.file(name);
        fs::create_dir(&folder).unwrap();
        let leases = folder.join("leases");
        let dnsmasq = Dnsmasq::start(&station, &folder, &leases, ranges).unwrap();
        Self { station, leases, dnsmasq }
    }

    /// True where it leased nothing to anybody.
    fn is_untouched(&self) -> bool {
        let text = fs::read_to_string(&self.leases).unwrap();
        assert!(!self.dnsmasq.log().contains("REQUEST"), "{}", self.dnsmasq.log());
        text.lines().all(|line| line.starts_with("duid "))
    }
}

fn ask(desk: &Desk, station: &Station, more: &[&str]) -> Outcome {
    let place = ["network", "dhcp", "--netns", station.namespace()];
    desk.run(&[&place, more].concat())
}

/// Protocol, server and address of each that answered.
fn answers(outcome: &Outcome) -> Vec<(String, String, String)> {
    let json = outcome.json();
    let text = |answer: &Value, key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let all = json["answers"].as_array().unwrap().iter();
    all.map(|answer| (text(answer, "family"), text(answer, "server"), text(answer, "offered"))).collect()
}

/// Servers of one protocol.
fn servers(outcome: &Outcome, family: &str) -> Vec<String> {
    let all = answers(outcome).into_iter().filter(|(protocol, ..)| protocol == family);
    all.map(|(_, server, _)| server).collect()
}

#[test]
fn every_server_is_heard_and_none_leases_anything() {
    programs_or_skip!("dnsmasq", "python3");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    // Without an address, as a machine is before Ironic is prepared there.
    let third = lan.station("third", &[]).unwrap();
    let interface = ["--interface", INTERFACE, "-o", "json"];
    let silent = ask(&desk, &third, &["--interface", INTERFACE, "--wait", "1s"]).exits(0);
    assert_eq!(silent.stdout, "");
    assert!(silent.stderr.contains("nobody answered on eth1"), "{silent:#?}");

    let one = Server::start(&lan, &desk, "one", &["172.22.0.1/24", "fd2e::1/64"], &[V4, V6]);
    let heard = ask(&desk, &third, &interface).exits(0);
    assert_eq!(servers(&heard, "v4"), ["172.22.0.1"]);
    assert_eq!(servers(&heard, "v6").len(), 1, "{heard:#?}");
    assert!(answers(&heard).iter().all(|(.., offered)| !offered.is_empty()), "{heard:#?}");
    let mac = one.station.done(&["cat", &format!("/sys/class/net/{INTERFACE}/address")]).unwrap();
    for answer in heard.json()["answers"].as_array().unwrap() {
        assert_eq!(answer["mac"], mac.trim(), "{heard:#?}");
    }

    let two = Server::start(&lan, &desk, "two", &["172.22.0.2/24"], &["172.22.0.30,172.22.0.40,1h"]);
    // Of the answers to other clients none counts, and no filter of return paths hides one.
    third.done(&["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1"]).unwrap();
    third.done(&["sysctl", "-qw", &format!("net.ipv4.conf.{INTERFACE}.rp_filter=1")]).unwrap();
    let both = ask(&desk, &third, &interface).exits(0);
    assert_eq!(servers(&both, "v4"), ["172.22.0.1", "172.22.0.2"], "each once");
    let table = ask(&desk, &third, &["--interface", INTERFACE, "--family", "v4"]).exits(0);
    assert!(table.stdout.starts_with("SERVER") && table.stdout.lines().count() == 3, "{table:#?}");

    // A server on the very machine that asks is one too.
    let own = ask(&desk, &one.station, &["--network", "172.22.0.0/24", "-o", "json"]).exits(0);
    assert_eq!((servers(&own, "v4"), servers(&own, "v6").len()), (servers(&both, "v4"), 1), "{own:#?}");
    assert!(one.is_untouched() && two.is_untouched());
    one.dnsmasq.stop().unwrap();
    let left = ask(&desk, &third, &interface).exits(0);
    assert_eq!((servers(&left, "v4"), servers(&left, "v6").len()), (vec!["172.22.0.2".to_owned()], 0));
}

/// A client that keeps its port for itself.
fn hold(station: &Station, desk: &Desk, port: u16) -> Service {
    let script = format!(
        "import socket, time\ns = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\ns.bind(('', {port}))\nprint('held', flush=True)\ntime.sleep(600)"
    );
    let log = desk.file(&format!("held-{port}"));
    let service = station.start("python3", &["python3", "-c", &script], &log).unwrap();
    for _ in 0..300 {
        if service.log_tail().contains("held") {
            return service;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{}", service.log_tail());
}

#[test]
fn another_client_on_the_port_hides_nobody() {
    programs_or_skip!("dnsmasq", "python3");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    let server = Server::start(&lan, &desk, "one", &["172.22.0.1/24", "fd2e::1/64"], &[V4, V6]);
    let third = lan.station("third", &["172.22.0.9/24"]).unwrap();
    // A socket of IPv6 holds the port of IPv4 too.
    let held = [68, 546].map(|port| hold(&third, &desk, port));
    let heard = ask(&desk, &third, &["--interface", INTERFACE, "-o", "json"]).exits(0);
    assert_eq!((servers(&heard, "v4").len(), servers(&heard, "v6").len()), (1, 1), "{heard:#?}");
    assert!(held.iter().all(|service| !service.has_ended()) && server.is_untouched());
}

#[test]
fn what_cannot_be_asked_is_no_answer() {
    programs_or_skip!("ip", "python3");
    let (lan, mut desk) = (Lan::new().unwrap(), Desk::new());
    let station = lan.station("a", &["172.22.0.1/24"]).unwrap();
    let on = |desk: &Desk, interface: &str, more: &[&str]| {
        ask(desk, &station, &[&["--interface", interface, "--wait", "1s"], more].concat())
    };
    on(&desk, "eth9", &[]).exits(1).fails("interface-unknown");
    station.done(&["sysctl", "-qw", &format!("net.ipv6.conf.{INTERFACE}.disable_ipv6=1")]).unwrap();
    on(&desk, INTERFACE, &["--family", "v6"]).exits(1).fails("link-local-missing");
    let half = on(&desk, INTERFACE, &["-o", "json"]).exits(0);
    assert!(half.json()["notAsked"].as_str().unwrap().contains("link-local"), "{half:#?}");
    station.done(&["ip", "link", "add", "one", "type", "veth", "peer", "name", "other"]).unwrap();
    on(&desk, "one", &[]).exits(1).fails("interface-down");
    station.done(&["ip", "link", "set", "one", "up"]).unwrap();
    on(&desk, "one", &[]).exits(1).fails("interface-no-carrier");
    desk.only(&["ip", "nsenter"]);
    on(&desk, INTERFACE, &[]).exits(1).fails("program-missing");
    let args = ["network", "dhcp", "--netns", station.namespace()];
    desk.run(&args).exits(2);
    desk.run(&[&args[..], &["--network", "10.9.8.7"]].concat()).exits(1).fails("interface-not-found");
}

#[test]
fn a_machine_behind_ssh_asks_its_own_network() {
    programs_or_skip!("dnsmasq", "python3", "ssh", "sshd", "ssh-keygen");
    let (lan, desk) = (Lan::new().unwrap(), Desk::new());
    let here = lan.station("here", &["192.168.111.2/24"]).unwrap();
    let there = lan.station("there", &["192.168.111.20/24", "172.22.0.9/24"]).unwrap();
    let folder = desk.file("ssh");
    fs::create_dir(&folder).unwrap();
    let sshd = Sshd::start(&there, &folder, "bootstrap", "192.168.111.20".parse().unwrap()).unwrap();
    let server = Server::start(&lan, &desk, "one", &["172.22.0.1/24", "fd2e::1/64"], &[V4, V6]);
    let config = sshd.config().to_str().unwrap();
    let args = ["network", "dhcp", "--network", "172.22.0.0/24", "-o", "json", "--host", "bootstrap"];
    let heard = desk.run_on(&here, &[&args[..], &["--ssh-config", config]].concat()).exits(0);
    assert_eq!((servers(&heard, "v4").len(), servers(&heard, "v6").len()), (1, 1), "{heard:#?}");
    assert_eq!(sshd.logins().unwrap(), 1, "all commands share one connection");
    assert!(server.is_untouched());
}
