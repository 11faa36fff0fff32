//! Leases that go from one real dnsmasq to another.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use pivot_testbed::lan::{Dnsmasq, Family, Lan, Podman, Station};
use pivot_testbed::programs_or_skip;

use crate::desk::Desk;

/// One address more than there are clients.
const V4: &str = "172.22.0.10,172.22.0.13,1h";
/// As many as there are clients: dnsmasq gives the first address of a range to nobody.
const V6: &str = "fd2e::10,fd2e::13,64,1h";

struct Room {
    lan: Lan,
    clients: Vec<Station>,
    newcomer: Station,
    desk: Desk,
}

/// Who has which address.
type Addresses = BTreeMap<usize, (Option<IpAddr>, Option<IpAddr>)>;

impl Room {
    fn new() -> Self {
        let lan = Lan::new().unwrap();
        let station = |number: u8| {
            let station = lan.station(&format!("c{number}"), &[]).unwrap();
            station.set_mac(&format!("52:54:00:00:00:{number:02}")).unwrap();
            station
        };
        let clients = (1..=3).map(station).collect();
        Self { newcomer: station(4), clients, desk: Desk::new(), lan }
    }

    /// A DHCP server with leases of its own.
    fn server(&self, name: &str) -> (Station, std::path::PathBuf) {
        let station = self.lan.station(name, &["172.22.0.1/24", "fd2e::1/64"]).unwrap();
        let folder = self.desk.file(name);
        fs::create_dir(&folder).unwrap();
        (station, folder)
    }

    fn both(client: &Station, server: &Dnsmasq, folder: &Path) -> (Option<IpAddr>, Option<IpAddr>) {
        let ask = |family| client.ask(family, server, folder).unwrap();
        (ask(Family::V4), ask(Family::V6))
    }

    /// Lets the clients ask one after the other.
    fn addresses(&self, server: &Dnsmasq, folder: &Path, order: &[usize]) -> Addresses {
        order.iter().map(|&number| (number, Self::both(&self.clients[number], server, folder))).collect()
    }
}

#[test]
fn clients_keep_their_addresses_with_another_server() {
    programs_or_skip!("dnsmasq", "dhclient");
    let room = Room::new();
    let (station, folder) = room.server("src");
    let leases = folder.join("dnsmasq.leases");
    let source = Dnsmasq::start(&station, &folder, &leases, &[V4, V6]).unwrap();
    let before = room.addresses(&source, &folder, &[0, 1, 2]);
    assert!(before.values().all(|(v4, v6)| v4.is_some() && v6.is_some()), "{before:?}");
    // Killed or stopped, what it wrote is there.
    source.stop().unwrap();

    let shown = room.desk.run(&["leases", "show", leases.to_str().unwrap(), "-o", "json"]).exits(0).json();
    assert_eq!(shown["leases"].as_array().unwrap().len(), 6);
    assert_eq!(shown["setAside"].as_array().unwrap().len(), 0);
    let (station, folder) = room.server("dst");
    let carried = folder.join("dnsmasq.leases");
    let paths = [leases.to_str().unwrap(), carried.to_str().unwrap()];
    room.desk.run(&["leases", "export", paths[0], "--out", paths[1]]).exits(0);
    assert_eq!(fs::read(&leases).unwrap(), fs::read(&carried).unwrap(), "byte for byte");

    let target = Dnsmasq::start(&station, &folder, &carried, &[V4, V6]).unwrap();
    let newcomer = Room::both(&room.newcomer, &target, &folder);
    let after = room.addresses(&target, &folder, &[2, 1, 0]);
    assert_eq!(after, before);
    assert_eq!(newcomer.0, Some("172.22.0.13".parse().unwrap()), "the one address that is free");
    assert_eq!(newcomer.1, None, "none is free");
    target.stop().unwrap();

    // Without the leases the very same goes wrong.
    let (station, folder) = room.server("bare");
    let target = Dnsmasq::start(&station, &folder, &folder.join("leases"), &[V4, V6]).unwrap();
    let newcomer = Room::both(&room.newcomer, &target, &folder);
    assert!(before.values().any(|(v4, _)| *v4 == newcomer.0), "{newcomer:?} is somebody's: {before:?}");
    assert!(before.values().any(|(_, v6)| *v6 == newcomer.1), "{newcomer:?} is somebody's: {before:?}");
    assert_ne!(room.addresses(&target, &folder, &[2, 1, 0]), before);
}

#[test]
fn a_line_that_costs_dnsmasq_every_lease_behind_it_costs_us_one() {
    programs_or_skip!("dnsmasq", "dhclient");
    let room = Room::new();
    let (station, folder) = room.server("src");
    let broken = folder.join("broken.leases");
    let far = "4102444800";
    let text = format!("{far} 52:54:00:00:00:09 172.22.0.10 *\n{far} 52:54:00:00:00:01 172.22.0.12 * *\n");
    fs::write(&broken, &text).unwrap();
    let server = Dnsmasq::start(&station, &folder, &broken, &[V4]).unwrap();
    let without_us = room.clients[0].ask(Family::V4, &server, &folder).unwrap();
    assert_ne!(without_us, Some("172.22.0.12".parse().unwrap()), "dnsmasq lost the lease");
    server.stop().unwrap();

    fs::write(&broken, &text).unwrap();
    let mended = folder.join("dnsmasq.leases");
    let paths = [broken.to_str().unwrap(), mended.to_str().unwrap()];
    let exported = room.desk.run(&["leases", "export", paths[0], "--out", paths[1]]).exits(0);
    assert!(exported.stderr.contains("line 1: it has 4 words where a lease has 5"), "{exported:#?}");
    assert!(exported.stderr.contains(text.lines().next().unwrap()), "nothing is lost: {exported:#?}");
    let server = Dnsmasq::start(&station, &folder, &mended, &[V4]).unwrap();
    assert_eq!(
        room.clients[0].ask(Family::V4, &server, &folder).unwrap(),
        Some("172.22.0.12".parse().unwrap())
    );
}

#[test]
fn leases_are_read_from_a_container_whether_it_runs_or_not() {
    programs_or_skip!("podman", "runc", "busybox");
    let (lan, mut desk) = (Lan::new().unwrap(), Desk::new());
    let station = lan.station("a", &["172.22.0.1/24"]).unwrap();
    let containers = Podman::new().unwrap();
    let write = "mkdir -p /data/dnsmasq && echo '0 52:54:00:00:00:01 172.22.0.10 * *' > /data/dnsmasq/dnsmasq.leases && exec sleep 600";
    containers.run(&station, "dnsmasq", &["--stop-timeout=0"], &["sh", "-c", write]).unwrap();
    containers.run(&station, "empty", &["--stop-timeout=0"], &["sleep", "600"]).unwrap();
    desk.containers = Some(containers);
    let running = desk.run(&["leases", "export", "--container"]).exits(0);
    assert_eq!(running.stdout, "0 52:54:00:00:00:01 172.22.0.10 * *\n");
    desk.containers.as_ref().unwrap().done(&["stop", "dnsmasq"]).unwrap();
    let stopped = desk.run(&["leases", "export", "--container=dnsmasq", "--engine", "podman"]).exits(0);
    assert_eq!(stopped.stdout, running.stdout);
    let none = desk.run(&["leases", "export", "--container=empty"]).exits(1).fails("lease-file-missing");
    assert!(none.stderr.contains("/data/dnsmasq/dnsmasq.leases does not exist"), "{none:#?}");
    desk.run(&["leases", "export", "--container=ironic-dnsmasq"]).exits(1).fails("container-missing");
}
