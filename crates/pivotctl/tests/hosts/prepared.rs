//! A machine that is prepared for an Ironic: its containers were created, and begin with the leases of another machine's.

use std::fs;
use std::path::PathBuf;

use pivot_testbed::lan::{INTERFACE, Lan, Podman, Station};
use pivot_testbed::programs_or_skip;

use crate::desk::{Desk, Outcome};

const MAC: &str = "52:54:00:00:00:01";

struct Prepared {
    lan: Lan,
    station: Station,
    desk: Desk,
}

impl Prepared {
    /// With what stands for Ironic's API, and a dnsmasq with these options of podman, that begins with these words of shell.
    fn new(dnsmasq: &[&str], first: &str) -> Self {
        let (lan, mut desk) = (Lan::new().unwrap(), Desk::new());
        let station = lan.station("host", &["172.22.0.1/24"]).unwrap();
        let containers = Podman::new().unwrap();
        let command = format!(
            "{first} exec /usr/sbin/dnsmasq -d -q --user=root --interface={INTERFACE} --bind-dynamic --port=0 --conf-file=/dev/null \
             --pid-file= --no-ping --dhcp-leasefile=/data/dnsmasq/dnsmasq.leases --dhcp-range=172.22.0.10,172.22.0.100"
        );
        containers.create(&station, "dnsmasq", dnsmasq, &["sh", "-c", &command]).unwrap();
        let standin = ["--stop-signal=KILL", "--env=PROVISIONING_IP=172.22.0.1"];
        containers.create(&station, "ironic", &standin, &["httpd", "-f", "-p", "6385"]).unwrap();
        desk.containers = Some(containers);
        Self { lan, station, desk }
    }

    fn ironic(&self, args: &[&str]) -> Outcome {
        self.desk.run(&[&["ironic"], args, &["--netns", self.station.namespace()]].concat())
    }

    fn podman(&self, args: &[&str]) -> String {
        self.desk.containers.as_ref().unwrap().done(args).unwrap()
    }

    fn leases(&self, name: &str, text: &str) -> PathBuf {
        let path = self.desk.file(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn exported(&self) -> Vec<String> {
        let exported = self.desk.run(&["leases", "export", "--container"]).exits(0);
        let mut lines: Vec<String> = exported.stdout.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// The address that the client of the lease is given.
    fn given(&self) -> String {
        let client = self.lan.station("client", &[]).unwrap();
        client.set_mac(MAC).unwrap();
        let leases = self.leases("client-leases", "");
        let file = |name: &str| self.leases(name, "").to_str().unwrap().to_owned();
        let (config, pid) = (file("client-conf"), file("client-pid"));
        let leases = leases.to_str().unwrap();
        let words = [
            "dhclient",
            "-4",
            "-1",
            "-cf",
            &config,
            "-sf",
            "/bin/true",
            "-lf",
            leases,
            "-pf",
            &pid,
            INTERFACE,
        ];
        client.done(&words).unwrap();
        fs::read_to_string(leases).unwrap()
    }
}

#[test]
fn what_was_only_created_begins_with_the_leases() {
    programs_or_skip!("podman", "runc", "busybox", "dnsmasq", "dhclient", "python3", "tar");
    let machine = Prepared::new(&[], "");
    machine.ironic(&["start"]).exits(1).fails("ironic-not-saved");
    let one = "0 52:54:00:00:00:01 172.22.0.77 node-0 *";
    let leases = machine.leases("leases", &format!("{one}\n"));
    let start = ["start", "--all", "--leases", leases.to_str().unwrap()];
    let started = machine.ironic(&start).exits(0);
    for seen in [
        "running: ironic, dnsmasq",
        "leases that it began with: 1 in /data/dnsmasq/dnsmasq.leases",
        "answered by 172.22.0.1 alone",
    ] {
        assert!(started.stderr.contains(seen), "{seen}: {started:#?}");
    }
    assert!(machine.given().contains("fixed-address 172.22.0.77;"));

    // Once more, as after a start that was cut off: it has these leases already, but for one that is over. It cannot be given others.
    let again = machine.leases("again", &format!("{one}\n1 52:54:00:00:00:04 172.22.0.79 * *\n"));
    machine.ironic(&["start", "--all", "--leases", again.to_str().unwrap()]).exits(0);
    let two = "0 52:54:00:00:00:02 172.22.0.78 * *";
    let more = machine.leases("more", &format!("{two}\n9 52:54:00:00:00:03 172.22.0.77 * *\n"));
    let all = ["start", "--all", "--leases", more.to_str().unwrap()];
    machine.ironic(&all).exits(1).fails("ironic-dnsmasq-runs");

    // What dnsmasq wrote itself is merged with what comes from elsewhere.
    machine.ironic(&["stop"]).exits(0);
    let started = machine.ironic(&["start", "--leases", more.to_str().unwrap()]).exits(0);
    assert!(started.stderr.contains("gives way to"), "{started:#?}");
    let exported = machine.exported();
    assert_eq!(exported.len(), 2, "{exported:?}");
    assert!(exported.contains(&two.to_owned()), "{exported:?}");
}

#[test]
fn leases_belong_to_who_runs_dnsmasq() {
    programs_or_skip!("podman", "runc", "busybox", "dnsmasq", "python3", "tar");
    let machine =
        Prepared::new(&["--user=1234:1235"], "touch /data/dnsmasq/dnsmasq.leases && exec sleep 600;");
    let leases = machine.leases("leases", "0 52:54:00:00:00:01 172.22.0.77 * *\n");
    let start = ["start", "--all", "--wait", "1s", "--leases", leases.to_str().unwrap()];
    machine.ironic(&start).exits(1).fails("ironic-dhcp-missing");
    let owners = machine.podman(&[
        "exec",
        "dnsmasq",
        "/usr/bin/stat",
        "-c",
        "%u:%g %a",
        "/data/dnsmasq",
        "/data/dnsmasq/dnsmasq.leases",
    ]);
    assert_eq!(owners, "1234:1235 755\n1234:1235 644\n");

    // Without DHCP there is nothing that leases could be for.
    machine.podman(&["rm", "--force", "--time=0", "dnsmasq"]);
    machine.podman(&["stop", "ironic"]);
    machine.ironic(&start).exits(1).fails("ironic-dnsmasq-missing");
    assert_eq!(machine.desk.containers.as_ref().unwrap().running().unwrap(), [""; 0]);
}
