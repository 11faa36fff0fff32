//! Two clusters, two machines with Ironic's containers, and clients of their DHCP.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Output};

use pivot_testbed::assets::Assets;
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use pivot_testbed::lan::{INTERFACE, Lan, Podman, Sshd, Station, Turnstile, Witness, keepalived_config};
use pivot_testbed::plane::{Pair, PlaneOptions};
use tempfile::TempDir;

use crate::scene::{NAMESPACE, Outcome};

pub(super) const ENDPOINT: &str = "172.22.0.2";
/// The stack of today, in the order of names.
const ALL: [&str; 4] = ["dnsmasq", "ironic", "ironic-endpoint-keepalived", "ironic-log-watch"];
/// How `ssh` calls the other machine.
pub(super) const REMOTE: &str = "there";
/// Within which the servers here answer.
const DHCP_WAIT: &str = "2s";
/// Room for three clients, and one address more.
const RANGE: &str = "172.22.0.10,172.22.0.13,1h";

/// One of the two machines, and the cluster that it serves at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Here,
    There,
}

impl Place {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Here => Self::There,
            Self::There => Self::Here,
        }
    }
}

/// A machine with containers.
pub(super) struct Site {
    pub(super) station: Station,
    pub(super) podman: Podman,
    pub(super) turnstile: Turnstile,
    mac: &'static str,
}

pub(super) struct Yard {
    pub(super) pair: Pair,
    pub(super) lan: Lan,
    pub(super) here: Site,
    pub(super) there: Site,
    witness: Witness,
    third: Station,
    clients: Vec<Station>,
    sshd: Sshd,
    pub(super) home: TempDir,
}

impl Site {
    fn new(lan: &Lan, home: &TempDir, name: &str, address: &str, mac: &'static str) -> Self {
        let station = lan.station(name, &[address]).unwrap();
        station.set_mac(mac).unwrap();
        let folder = home.path().join(format!("{name}-turnstile"));
        fs::create_dir(&folder).unwrap();
        Self { station, podman: Podman::new().unwrap(), turnstile: Turnstile::new(&folder).unwrap(), mac }
    }

    /// Makes the stack; `runs` starts it.
    fn fill(&self, home: &TempDir, runs: bool) {
        let config = home.path().join(format!("{}-keepalived.conf", self.station.namespace()));
        fs::write(&config, keepalived_config(&format!("{ENDPOINT}/32"))).unwrap();
        let told = format!("--env=PROVISIONING_IP={ENDPOINT}");
        let dnsmasq = format!(
            "mkdir -p /data/dnsmasq && touch /data/dnsmasq/dnsmasq.leases && exec /usr/sbin/dnsmasq -d -q --user=root \
             --interface={INTERFACE} --bind-dynamic --no-ping --port=0 --conf-file=/dev/null --pid-file= \
             --dhcp-leasefile=/data/dnsmasq/dnsmasq.leases --dhcp-range={RANGE}"
        );
        let mount = format!("--volume={}:/keepalived.conf:ro", config.display());
        let keepalived = [
            "/usr/sbin/keepalived",
            "--dont-fork",
            "--log-console",
            "--vrrp",
            "--use-file",
            "/keepalived.conf",
        ];
        // The first process of a container ends by a signal only if it asks for it.
        let standin = ["--stop-signal=KILL", told.as_str()];
        let stack: [(&str, Vec<&str>, Vec<&str>); 4] = [
            (ALL[2], vec![&told, &mount], keepalived.to_vec()),
            (ALL[1], standin.to_vec(), vec!["httpd", "-f", "-p", "6385"]),
            (ALL[3], standin.to_vec(), vec!["sleep", "6000"]),
            (ALL[0], vec![&told], vec!["sh", "-c", &dnsmasq]),
        ];
        for (name, options, command) in stack {
            let make = if runs { Podman::run } else { Podman::create };
            make(&self.podman, &self.station, name, &options, &command).unwrap();
        }
    }
}

impl Yard {
    /// Ironic runs here, and is prepared there. The small fixture is in the source.
    pub(super) async fn new(assets: &Assets) -> Self {
        let pair = Pair::dedicated(assets, &PlaneOptions::default()).await.unwrap();
        let source = pair.source.client().await.unwrap();
        source.ensure_namespace(NAMESPACE).await.unwrap();
        // One that the pivot made would be on its way out for a while after a rollback.
        pair.target.client().await.unwrap().ensure_namespace(NAMESPACE).await.unwrap();
        fixture::load(&source, &Fixture::new(FixtureOptions::small().in_namespace(NAMESPACE))).await.unwrap();
        let (lan, home) = (Lan::new().unwrap(), tempfile::tempdir().unwrap());
        let here = Site::new(&lan, &home, "here", "172.22.0.1/24", "52:54:00:00:00:0a");
        let there = Site::new(&lan, &home, "there", "172.22.0.3/24", "52:54:00:00:00:0b");
        here.fill(&home, true);
        there.fill(&home, false);
        let mut variables: Vec<(&str, String)> =
            there.podman.environment().map(|(name, path)| (name, path.display().to_string())).to_vec();
        variables.push(("PATH", there.turnstile.path()));
        let address = "172.22.0.3".parse().unwrap();
        let sshd = Sshd::start_with(&there.station, home.path(), REMOTE, address, &variables).unwrap();
        let third = lan.station("third", &["172.22.0.99/24"]).unwrap();
        let witness = Witness::start(&third, home.path(), ENDPOINT).unwrap();
        let client = |number: usize| {
            let client = lan.station(&format!("c{number}"), &[]).unwrap();
            client.set_mac(&format!("52:54:00:00:01:{number:02}")).unwrap();
            client
        };
        let clients = (1..=3).map(client).collect();
        let yard = Self { pair, lan, here, there, witness, third, clients, sshd, home };
        yard.witness.sees(yard.here.mac).unwrap();
        yard
    }

    pub(super) fn site(&self, place: Place) -> &Site {
        match place {
            Place::Here => &self.here,
            Place::There => &self.there,
        }
    }

    /// The flags of a pivot away from a place.
    fn flags(&self, from: Place) -> Vec<String> {
        let planes = match from {
            Place::Here => [&self.pair.source, &self.pair.target],
            Place::There => [&self.pair.target, &self.pair.source],
        };
        let [source, target] = planes.map(|plane| plane.kubeconfig().display().to_string());
        let (local, remote) = match from {
            Place::Here => ("--ironic-netns", "--to-ironic-host"),
            Place::There => ("--to-ironic-netns", "--ironic-host"),
        };
        let namespace = self.here.station.namespace().to_owned();
        let config = self.sshd.config_outside().display().to_string();
        let words = [
            "--kubeconfig",
            &source,
            "--to-kubeconfig",
            &target,
            local,
            &namespace,
            remote,
            REMOTE,
            "--ironic-ssh-config",
            &config,
            // None of these servers looks first whether an address is free.
            "--dhcp-wait",
            DHCP_WAIT,
        ];
        words.map(str::to_owned).to_vec()
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pivotctl"));
        command
            .args(args)
            .env_clear()
            .envs(self.here.podman.environment())
            .env("HOME", self.home.path())
            .env("PATH", self.here.turnstile.path())
            .current_dir(self.home.path());
        command
    }

    /// A verb of a pivot away from a place, with its Ironic.
    pub(super) fn going(&self, from: Place, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.args(self.flags(from)).args(["-n", NAMESPACE]);
        command
    }

    /// The same where one of the flags' values is another one.
    pub(super) fn elsewhere(&self, from: Place, args: &[&str], (value, other): (&str, &str)) -> Outcome {
        let mut command = self.command(args);
        let flags = self.flags(from);
        assert!(flags.iter().any(|flag| flag == value), "{value} is in none of {flags:?}");
        command.args(flags.iter().map(|flag| if flag == value { other } else { flag.as_str() }));
        outcome(command.args(["-n", NAMESPACE]))
    }

    /// The same with both clusters alone: what else there is the records know.
    pub(super) fn on_clusters(&self, from: Place, args: &[&str]) -> Outcome {
        let mut command = self.command(args);
        command.args(&self.flags(from)[..4]);
        outcome(&mut command)
    }

    pub(super) fn pivotctl(&self, from: Place, args: &[&str]) -> Outcome {
        outcome(&mut self.going(from, args))
    }

    /// The address that a client is given.
    pub(super) fn address(&self, number: usize) -> Option<IpAddr> {
        let command = ["busybox", "udhcpc", "-i", INTERFACE, "-f", "-n", "-q", "-t", "5", "-s", "/bin/true"];
        let output = self.clients[number - 1].output(&command).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = said.lines().find_map(|line| line.split_once("lease of ")?.1.split(' ').next())?;
        line.parse().ok()
    }

    /// What of the stack runs at a place.
    pub(super) fn running(&self, place: Place) -> Vec<String> {
        self.site(place).podman.running().unwrap()
    }

    /// Everything of Ironic is at one place: its containers, the endpoint address, and the one DHCP server that answers.
    #[track_caller]
    pub(super) fn owns(&self, place: Place) {
        assert_eq!(self.running(place), ALL, "at {place:?}");
        assert_eq!(self.running(place.other()), [""; 0], "at the other place");
        self.witness.sees(self.site(place).mac).unwrap();
        let other = &self.site(place.other()).station;
        let addresses = other.done(&["ip", "-o", "address", "show", "dev", INTERFACE]).unwrap();
        assert!(!addresses.contains(&format!("{ENDPOINT}/")), "{addresses}");
        let mut asked = Command::new("ip");
        asked.args(["netns", "exec", self.third.namespace(), env!("CARGO_BIN_EXE_pivotctl")]);
        asked
            .args(["network", "dhcp", "--interface", INTERFACE, "--wait", DHCP_WAIT, "-o", "json"])
            .env("HOME", self.home.path());
        let asked = outcome(&mut asked).exits(0);
        assert_eq!(asked.json()["answers"].as_array().map(Vec::len), Some(1), "{asked:#?}");
    }

    /// Who had the endpoint address, in order, each as long as nobody else had it.
    pub(super) fn owners(&self) -> Vec<Place> {
        let place = |mac: &String| if *mac == self.here.mac { Place::Here } else { Place::There };
        self.witness.owners().iter().map(place).collect()
    }

    /// A folder of its own.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }
}

fn outcome(command: &mut Command) -> Outcome {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}
