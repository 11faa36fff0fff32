//! A local network of its own, with machines that are network namespaces.
//!
//! A bridge stands in a namespace without any way out; each station is a namespace with one interface on the bridge. So a test may give its
//! stations any addresses, run a DHCP server among them or two, and disturbs neither the machine nor another test. Whatever runs in the
//! namespaces is ended when the network is dropped, and also when its test process is killed.

mod containers;
mod dhcp;
mod keepalived;
mod programs;
mod ssh;
mod turnstile;

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub use containers::Podman;
pub use dhcp::{Dnsmasq, Family};
pub use keepalived::{Witness, keepalived_config, start_keepalived};
pub use programs::{program, programs_can_run};
pub use ssh::Sshd;
pub use turnstile::Turnstile;

use crate::plane::{Janitor, Process};
use crate::{Error, Result};

/// The interface of every station.
pub const INTERFACE: &str = "eth1";

/// Takes away the network with the name `$1` and its stations, with what runs there.
const CLEAN: &str = "cat >/dev/null
for ns in $(ip netns list 2>/dev/null | cut -d' ' -f1 | grep \"^$1-\"); do
  for pid in $(ip netns pids \"$ns\" 2>/dev/null); do kill -KILL \"$pid\" 2>/dev/null; done
  ip netns del \"$ns\" 2>/dev/null
done
true";

/// A network.
#[derive(Debug)]
pub struct Lan {
    name: String,
    _janitor: Janitor,
}

/// A machine on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    namespace: String,
}

impl Lan {
    /// A network without stations.
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("lan{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let janitor = Janitor::start(CLEAN, name.as_ref(), None)?;
        let lan = Self { name, _janitor: janitor };
        let bridge = lan.bridge();
        batch(&[], &format!("netns add {bridge}\n"))?;
        // Without a router nobody asks for members of multicast groups, and a bridge that snoops forgets them.
        batch(&["-n", &bridge], "link add br0 type bridge mcast_snooping 0\nlink set br0 up\n")?;
        Ok(lan)
    }

    fn bridge(&self) -> String {
        format!("{}-bridge", self.name)
    }

    /// A machine with these addresses, each with its prefix. Its name has at most a few letters.
    pub fn station(&self, name: &str, addresses: &[&str]) -> Result<Station> {
        let namespace = format!("{}-{name}", self.name);
        let bridge = self.bridge();
        batch(&[], &format!("netns add {namespace}\n"))?;
        batch(
            &["-n", &bridge],
            &format!(
                "link add to-{name} type veth peer name {INTERFACE} netns {namespace}\nlink set to-{name} master br0 up\n"
            ),
        )?;
        let station = Station { namespace };
        // A new address of IPv6 is otherwise of no use for a second.
        station.done(&["sysctl", "-qw", &format!("net.ipv6.conf.{INTERFACE}.accept_dad=0")])?;
        let mut lines = format!("link set lo up\nlink set {INTERFACE} up\n");
        for address in addresses {
            writeln!(lines, "address add {address} dev {INTERFACE}").expect("BUG: writing to a string fails");
        }
        batch(&["-n", &station.namespace], &lines)?;
        Ok(station)
    }
}

impl Station {
    /// Its network namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Runs a program there to its end.
    pub fn output(&self, command: &[&str]) -> Result<Output> {
        Command::new("ip")
            .args(["netns", "exec", &self.namespace])
            .args(command)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::Spawn { program: "ip".into(), source })
    }

    /// Runs a program there that must succeed, and returns what it prints.
    pub fn done(&self, command: &[&str]) -> Result<String> {
        let output = self.output(command)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Err(Error::Network { program: "ip netns exec", stderr })
    }

    /// Starts a program there that ends with the value; what it prints goes to `log`.
    pub fn start(&self, name: &'static str, command: &[&str], log: &Path) -> Result<Service> {
        let words = ["netns", "exec", &self.namespace].into_iter().chain(command.iter().copied());
        let process = Process::new(name, "ip".into(), words.map(Into::into).collect(), log.to_owned());
        process.start()?;
        Ok(Service(process))
    }

    /// The same for a program that sees the machine's control groups, which `ip netns exec` hides: containers need them.
    fn start_with_cgroups(&self, name: &'static str, command: &[&str], log: &Path) -> Result<Service> {
        let network = format!("--net=/run/netns/{}", self.namespace);
        let words = [network.as_str(), "--"].into_iter().chain(command.iter().copied());
        let process = Process::new(name, "nsenter".into(), words.map(Into::into).collect(), log.to_owned());
        process.start()?;
        Ok(Service(process))
    }

    /// Kills everything that runs there at once (SIGKILL), parents and children.
    pub fn kill_all(&self) -> Result<()> {
        let output = Command::new("sh")
            .args(["-c", "kill -KILL $(ip netns pids \"$1\")", "kill-all", &self.namespace])
            .output()
            .map_err(|source| Error::Spawn { program: "sh".into(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Network { program: "kill", stderr })
    }

    /// Gives its interface another hardware address.
    pub fn set_mac(&self, mac: &str) -> Result<()> {
        let lines = format!(
            "link set {INTERFACE} down\nlink set {INTERFACE} address {mac}\nlink set {INTERFACE} up\n"
        );
        batch(&["-n", &self.namespace], &lines)
    }
}

/// A program that runs on a station.
#[derive(Debug)]
pub struct Service(Process);

impl Service {
    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn stop(&self) -> Result<()> {
        self.0.signal(rustix::process::Signal::TERM)?;
        for _ in 0..STOP_LOOKS {
            if self.0.exited().is_some() {
                return Ok(());
            }
            std::thread::sleep(STOP_LOOK);
        }
        let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "it goes on");
        Err(Error::Signal { pid: self.0.pid().unwrap_or_default(), source })
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&self) {
        self.0.kill();
    }

    /// True where it has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.0.exited().is_some()
    }

    /// The end of what it printed.
    pub fn log_tail(&self) -> String {
        self.0.log_tail()
    }
}

/// How often, and after what time each, a program that was asked to end is looked at.
const STOP_LOOKS: u32 = 1_000;
const STOP_LOOK: std::time::Duration = std::time::Duration::from_millis(10);

/// Runs the lines of a batch of `ip`.
fn batch(options: &[&str], lines: &str) -> Result<()> {
    let failed = |source| Error::Spawn { program: "ip".into(), source };
    let mut child = Command::new("ip")
        .args(options)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that has ended without reading tells why on its standard error.
        std::io::Write::write_all(&mut stdin, lines.as_bytes()).ok();
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Network { program: "ip", stderr })
}
