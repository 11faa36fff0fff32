//! The network of a plane's pods: a bridge with a subnet of its own, and a network namespace for each pod.
//!
//! The API server listens on the bridge's address. A pod's default route leads there and no further: the machine forwards
//! nothing, so that pods reach their plane, each other and the bridge of another plane, and nothing else.
//!
//! Names and subnet carry a number that a file lock reserves for all test processes of the machine. The lock is held by a
//! shell that takes everything away when the plane is dropped or its test process ends; where that shell was killed too, the
//! next network takes away what it finds under a number that nobody holds.

use std::{
    fs::{self, File},
    io::Write,
    net::Ipv4Addr,
    path::Path,
    process::Stdio,
    sync::{Mutex, PoisonError},
};

use tokio::{io::AsyncWriteExt, process::Command};

use super::process::Janitor;
use crate::{Error, Result};

/// The locks stand where the network's own names do: in a place that the whole machine shares.
const LOCKS: &str = "/run/pivot-testbed-networks";

/// Begins the names of bridges and, with a number of their own behind a dash, of pods' namespaces and links.
const PREFIX: &str = "pivot";
const LAST: u8 = 250;

/// The addresses of pods, the last byte; the bridge has the first.
const HOSTS: std::ops::RangeInclusive<u8> = 2..=253;

/// The address that no pod is given, the last byte.
const ENDPOINT: u8 = 254;

/// Takes away the network with the name `$1`: whatever runs in its namespaces, the namespaces, the bridge.
const CLEAN: &str = "
for ns in $(ip netns list 2>/dev/null | cut -d' ' -f1 | grep \"^$1-\"); do
  ip link del \"$ns\" 2>/dev/null
  for pid in $(ip netns pids \"$ns\" 2>/dev/null); do kill -KILL \"$pid\" 2>/dev/null; done
  ip netns del \"$ns\" 2>/dev/null
done
if [ -e \"/sys/class/net/$1\" ]; then ip link del \"$1\"; fi
true";

/// What a pod needs of the machine, tried in namespaces that end with the trial.
const TRIAL: &str = "
command -v ip nsenter setpriv >/dev/null &&
ip link add trial0 type bridge && ip link add trial1 type veth peer name trial2 &&
mount -t tmpfs trial /tmp && mkdir /tmp/upper /tmp/work &&
mount -t overlay trial -o lowerdir=/run,upperdir=/tmp/upper,workdir=/tmp/work /run";

/// The network of one plane's pods. It ends with its last user.
#[derive(Debug)]
pub(crate) struct PodNetwork {
    number: u8,
    hosts: Mutex<Hosts>,
    _janitor: Janitor,
}

/// The addresses in use. The next one is looked for behind the last one given, so that an address rests before it is used again.
#[derive(Debug)]
struct Hosts {
    last: u8,
    used: Vec<u8>,
}

impl Hosts {
    fn take(&mut self) -> Option<u8> {
        let later = (self.last..=*HOSTS.end()).skip(1);
        let host = later.chain(HOSTS).find(|host| !self.used.contains(host))?;
        self.used.push(host);
        self.last = host;
        Some(host)
    }
}

/// What links a pod to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodLink {
    /// The name of its network namespace, and of the bridge's end of its link.
    pub(crate) namespace: String,
    /// Its address.
    pub(crate) address: Ipv4Addr,
}

impl PodNetwork {
    /// Reserves a subnet and sets up its bridge.
    pub(crate) async fn new() -> Result<Self> {
        let (number, lock) = reserve().await?;
        let bridge = bridge_name(number);
        let script = format!("cat >/dev/null; {CLEAN}");
        let janitor = Janitor::start(&script, bridge.as_ref(), Some(lock))?;
        let network =
            Self { number, hosts: Mutex::new(Hosts { last: 1, used: Vec::new() }), _janitor: janitor };
        let gateway = network.gateway();
        let lines = format!(
            "link add {bridge} type bridge\naddress add {gateway}/24 dev {bridge}\nlink set {bridge} up\n"
        );
        ip(&[], &lines).await?;
        Ok(network)
    }

    /// The bridge's address.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// An address that no pod is given: the pod that serves something takes it by itself.
    pub(crate) fn endpoint(&self) -> Ipv4Addr {
        self.address(ENDPOINT)
    }

    fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 200, self.number, host)
    }

    /// Makes a network namespace with an address on the bridge.
    pub(crate) async fn join(&self) -> Result<PodLink> {
        let host = self.hosts().take().ok_or(Error::NoAddress)?;
        let bridge = bridge_name(self.number);
        let link = PodLink { namespace: format!("{bridge}-{host}"), address: self.address(host) };
        let (name, address, gateway) = (&link.namespace, link.address, self.gateway());
        let outside = format!(
            "netns add {name}\nlink add {name} type veth peer name eth0 netns {name}\n\
             link set {name} master {bridge} up\n"
        );
        let inside = format!(
            "link set lo up\naddress add {address}/24 dev eth0\nlink set eth0 up\nroute add default via {gateway}\n"
        );
        ip(&[], &outside).await?;
        ip(&["-n", name], &inside).await?;
        Ok(link)
    }

    /// Ends whatever still runs in a pod's namespace and takes the namespace away.
    pub(crate) async fn leave(&self, link: &PodLink) -> Result<()> {
        let name = &link.namespace;
        let script = "for pid in $(ip netns pids \"$1\"); do kill -KILL \"$pid\"; done; \
                      ip link del \"$1\" && ip netns del \"$1\"";
        run("ip", Command::new("sh").args(["-c", script, "leave", name]), "").await?;
        let host = link.address.octets()[3];
        self.hosts().used.retain(|used| *used != host);
        Ok(())
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bridge_name(number: u8) -> String {
    format!("{PREFIX}{number}")
}

/// Finds a number that nobody holds and whose subnet nobody uses, and takes away what killed tests left under any number.
async fn reserve() -> Result<(u8, File)> {
    let locks = Path::new(LOCKS);
    fs::create_dir_all(locks).map_err(Error::file(locks))?;
    for left in left_overs() {
        if let Some(_lock) = try_lock(left)? {
            clean(left).await?;
        }
    }
    let addresses = run("ip", Command::new("ip").args(["-4", "-oneline", "address"]), "").await?;
    for number in 1..=LAST {
        let Some(lock) = try_lock(number)? else { continue };
        if !addresses.contains(&format!(" 10.200.{number}.")) {
            return Ok((number, lock));
        }
    }
    Err(Error::NoSubnet { last: LAST })
}

/// The numbers of the networks of which something is there.
fn left_overs() -> Vec<u8> {
    let folders = [Path::new("/sys/class/net"), Path::new("/run/netns")];
    let entries = folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut numbers: Vec<u8> = entries.filter_map(|entry| number_of(entry.file_name().to_str()?)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The number in the name of a bridge, a link or a namespace.
fn number_of(name: &str) -> Option<u8> {
    let rest = name.strip_prefix(PREFIX)?;
    rest.split_once('-').map_or(rest, |(number, _)| number).parse().ok()
}

fn try_lock(number: u8) -> Result<Option<File>> {
    let path = Path::new(LOCKS).join(number.to_string());
    let file = File::options().create(true).append(true).open(&path).map_err(Error::file(&path))?;
    Ok(file.try_lock().is_ok().then_some(file))
}

async fn clean(number: u8) -> Result<()> {
    run("ip", Command::new("sh").args(["-c", CLEAN, "clean", &bridge_name(number)]), "").await.map(drop)
}

/// Runs the lines of a batch of `ip`, in the namespace that `options` name.
async fn ip(options: &[&str], lines: &str) -> Result<()> {
    run("ip", Command::new("ip").args(options).args(["-batch", "-"]), lines).await.map(drop)
}

/// Runs a program to its end, and returns what it prints.
async fn run(program: &'static str, command: &mut Command, input: &str) -> Result<String> {
    let failed = |source| Error::Spawn { program: program.into(), source };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that has ended without reading tells why on its standard error.
        stdin.write_all(input.as_bytes()).await.ok();
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Network { program, stderr })
    }
}

/// Why pods cannot run on this machine, or `None` where they can.
fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    let trial = std::process::Command::new("unshare")
        .args(["--net", "--mount", "sh", "-c", TRIAL])
        .stdin(Stdio::null())
        .output();
    match trial {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

/// True where pods can run; otherwise says loudly why not.
///
/// Use it through [`pods_or_skip!`](crate::pods_or_skip).
pub fn pods_can_run(test: &str) -> bool {
    let Some(reason) = missing() else { return true };
    // Not `eprintln!`: the test harness captures that and shows it only when a test fails.
    let line = format!("SKIPPED: {test}: pods cannot run on this machine: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
    false
}

/// Ends the surrounding test with a loud line where the machine allows no pods: they need root, network and mount
/// namespaces, bridges and overlays.
#[macro_export]
macro_rules! pods_or_skip {
    () => {
        if !$crate::plane::pods_can_run(concat!(module_path!(), ":", line!())) {
            return;
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_rests_before_it_is_used_again() {
        let mut hosts = Hosts { last: 1, used: Vec::new() };
        assert_eq!(hosts.take(), Some(2));
        hosts.used.clear();
        assert_eq!(hosts.take(), Some(3));
        hosts.last = 253;
        hosts.used = vec![2, 3];
        assert_eq!(hosts.take(), Some(4));
        hosts.used = HOSTS.collect();
        assert_eq!(hosts.take(), None);
    }

    #[test]
    fn names_tell_the_number() {
        assert_eq!(number_of("pivot7"), Some(7));
        assert_eq!(number_of("pivot17-254"), Some(17));
        assert_eq!(number_of("pivotal"), None);
        assert_eq!(number_of("eth0"), None);
    }
}
