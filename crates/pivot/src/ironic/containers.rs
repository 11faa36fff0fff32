//! Ironic as containers of a machine.

use std::net::IpAddr;
use std::time::Duration;

use pivot_core::ironic::{FORMAT, Port, Role, SavedAddress, SavedContainer, SavedIronic, belongs, listeners};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::IronicError;
use super::provisioning::{Owner, Place, Served, nobody_answers, nobody_serves};
use crate::host::{Container, Engine, Host, HostError, LEASE_FILES, Removal};

/// How long a container has to end by itself; after that its engine kills it. The scripts of Metal3 give as much.
const GRACE: u64 = 60;
/// How long a command may take that stops or starts a container.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(GRACE + 60);
/// How long the kernel may take to close the ports of a program that has ended.
const SETTLE: Duration = Duration::from_secs(5);
/// Between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// Prints what the kernel knows of sockets.
const SOCKETS: &str =
    "for name in tcp tcp6 udp udp6; do echo \"# $name\"; cat /proc/net/$name 2>/dev/null; done; true";

/// Ironic's containers, as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The containers, in the order in which they are stopped.
    pub containers: Vec<FoundContainer>,
    /// Ports that are open on the machine, whoever opened them.
    pub open: Vec<Port>,
    /// The lease file of dnsmasq: where it is and what stands in it.
    pub leases: Option<(String, Vec<u8>)>,
    /// The endpoint address, where the containers were told one.
    pub endpoint: Option<IpAddr>,
}

/// A container of Ironic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundContainer {
    /// What it does.
    pub role: Role,
    /// The container.
    pub container: Container,
}

/// What is seen once Ironic is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Still {
    /// Names of the containers that were seen to be gone.
    pub gone: Vec<String>,
    /// What became of the endpoint address on the machine's interfaces.
    pub removal: Option<Removal>,
    /// Who has the endpoint address now.
    pub owner: Option<Owner>,
    /// Who serves DHCP on the provisioning network now, where Ironic did.
    pub dhcp: Option<Served>,
    /// Containers that their engine starts again when the machine starts.
    pub at_boot: Vec<String>,
}

impl Found {
    /// True where one of them runs.
    pub fn runs(&self) -> bool {
        self.containers.iter().any(|found| found.container.running)
    }

    /// What is to be saved before anything is stopped.
    pub fn saved(&self, host: &Host) -> SavedIronic {
        let container = |found: &FoundContainer| SavedContainer {
            engine: found.container.engine.to_string(),
            id: found.container.id.clone(),
            name: found.container.name.clone(),
            role: found.role,
            running: found.container.running,
            restart: Some(policy(&found.container)).filter(|policy| policy != "no"),
        };
        let leases = self.leases.as_ref().map(|(_, text)| String::from_utf8_lossy(text).into_owned());
        SavedIronic {
            format: FORMAT,
            place: host.to_string(),
            containers: self.containers.iter().map(container).collect(),
            endpoint: None,
            leases,
        }
    }
}

/// The restart policy, as engines take it.
fn policy(container: &Container) -> String {
    match container.restart_retries {
        0 => container.restart.clone(),
        retries => format!("{}:{retries}", container.restart),
    }
}

/// Looks for Ironic's containers. `engine` is the one to ask, where not every one.
pub async fn find(host: &Host, engine: Option<Engine>) -> Result<Found, IronicError> {
    let engines = match engine {
        Some(engine) => vec![engine],
        None => host.engines().await?,
    };
    if engines.is_empty() {
        return Err(IronicError::NoEngine { host: host.to_string() });
    }
    let mut containers = Vec::new();
    let mut endpoint = None;
    for engine in engines {
        let (found, told) = of_engine(host, engine).await?;
        containers.extend(found);
        endpoint = endpoint.or(told);
    }
    containers
        .sort_by(|one, other| (one.role, &one.container.name).cmp(&(other.role, &other.container.name)));
    let mut leases = None;
    for dnsmasq in containers.iter().filter(|found| found.role == Role::Dnsmasq) {
        if leases.is_none() {
            let file = host.file_in(&dnsmasq.container, &LEASE_FILES).await?;
            leases = file.map(|file| (file.path, file.content));
        }
    }
    Ok(Found { containers, open: open_ports(host).await?, leases, endpoint })
}

/// The containers of one engine, and the endpoint address that they were told.
async fn of_engine(
    host: &Host,
    engine: Engine,
) -> Result<(Vec<FoundContainer>, Option<IpAddr>), IronicError> {
    let command = [engine.program(), "ps", "--all", "--format", "{{.Names}}"];
    let printed = host.read(&command).await?;
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let wanted: Vec<&str> = printed.split_whitespace().filter(|name| Role::NAMES.contains(name)).collect();
    let mut all = Vec::new();
    let mut told = None;
    for name in wanted {
        // It may have been removed since.
        if let Some((container, entry)) = host.inspected(engine, name).await? {
            told = told.or_else(|| told_endpoint(&entry));
            all.push(container);
        }
    }
    let named: Vec<(&str, &str)> =
        all.iter().map(|container| (container.name.as_str(), container.image.as_str())).collect();
    let roles = belongs(&named);
    let found = all.into_iter().zip(roles);
    let found = found.filter_map(|(container, role)| Some(FoundContainer { role: role?, container }));
    Ok((found.collect(), told))
}

/// The endpoint address in a container's environment. Nothing else of it is looked at: there are passwords in it.
pub(super) fn told_endpoint(entry: &Value) -> Option<IpAddr> {
    let variables = entry.pointer("/Config/Env").and_then(Value::as_array)?;
    let values = variables.iter().filter_map(Value::as_str);
    let value =
        |name: &str| values.clone().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
    value("PROVISIONING_IP").or_else(|| value("IRONIC_IP"))
}

/// Which of Ironic's ports are open on a machine.
pub(super) async fn open_ports(host: &Host) -> Result<Vec<Port>, HostError> {
    let printed = host.read(&["sh", "-c", SOCKETS]).await?;
    Ok(listeners(&String::from_utf8_lossy(&printed)))
}

/// Stops the containers and proves that nothing of Ironic is left: no process, no open port, nobody who answers for the endpoint address, and nobody
/// who serves DHCP where Ironic did.
///
/// An address that is left on an interface, as after keepalived was killed, is taken off; `saved` learns of it, and says what restart
/// policies were turned off. The caller saves it before and after.
pub async fn stop(
    host: &Host,
    found: &Found,
    endpoint: Option<IpAddr>,
    saved: &mut SavedIronic,
) -> Result<Still, IronicError> {
    if let Some(vanishing) = found.containers.iter().find(|found| found.container.auto_remove) {
        let name = vanishing.container.name.clone();
        return Err(IronicError::Vanishes { host: host.to_string(), name });
    }
    let served =
        saved.containers.iter().any(|container| container.role == Role::Dnsmasq && container.running);
    // As long as the endpoint is carried it tells the interface.
    let place = if served { Some(Place::find(host, endpoint).await?) } else { None };
    let patient = host.within(STOP_TIMEOUT);
    let mut at_boot = Vec::new();
    for FoundContainer { container, .. } in &found.containers {
        if !set_policy(&patient, container.engine.program(), container, "no").await?
            && matches!(container.restart.as_str(), "always" | "unless-stopped")
        {
            at_boot.push(container.name.clone());
        }
    }
    for FoundContainer { container, .. } in found.containers.iter().filter(|found| found.container.running) {
        let grace = GRACE.to_string();
        patient.read(&[container.engine.program(), "stop", "--time", &grace, &container.id]).await?;
    }
    let mut gone = Vec::new();
    for FoundContainer { container, .. } in &found.containers {
        is_gone(host, container).await?;
        gone.push(container.name.clone());
    }
    let removal = match endpoint {
        Some(address) => Some(remove(host, address, saved).await?),
        None => None,
    };
    nobody_listens(host).await?;
    let owner = match endpoint {
        Some(address) => Some(nobody_answers(host, address).await?),
        None => None,
    };
    let dhcp = match place {
        Some(place) => Some(nobody_serves(host, place).await?),
        None => None,
    };
    Ok(Still { gone, removal, owner, dhcp, at_boot })
}

/// Changes the restart policy where there is one. False where the engine cannot.
pub(super) async fn set_policy(
    host: &Host,
    engine: &str,
    container: &Container,
    policy: &str,
) -> Result<bool, IronicError> {
    if container.restart == "no" && policy == "no" {
        return Ok(true);
    }
    // podman before 5.1 does not know how.
    let ran = host.run(&[engine, "update", &format!("--restart={policy}"), &container.id], &[]).await?;
    Ok(ran.code == Some(0))
}

/// The container does not run, and its first process is no more.
async fn is_gone(host: &Host, before: &Container) -> Result<(), IronicError> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let now = host.container(before.engine, &before.id).await?;
        let runs = now.is_some_and(|now| now.running);
        let process = format!("/proc/{}", before.pid);
        let lives = before.pid != 0 && host.run(&["test", "-e", &process], &[]).await?.code == Some(0);
        if !runs && !lives {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let (host, name) = (host.to_string(), before.name.clone());
            return Err(IronicError::Runs { host, name, pid: before.pid });
        }
        sleep(LOOK).await;
    }
}

async fn nobody_listens(host: &Host) -> Result<(), IronicError> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let open = open_ports(host).await?;
        if open.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let what = open.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            return Err(IronicError::Listens { host: host.to_string(), what });
        }
        sleep(LOOK).await;
    }
}

/// Takes the endpoint address off the machine.
async fn remove(host: &Host, address: IpAddr, saved: &mut SavedIronic) -> Result<Removal, IronicError> {
    let removal = host.remove_address(address, None).await?;
    if let Removal::Done { interface, net, .. } = &removal {
        // keepalived puts its address there by itself; one beside it was somebody's, and is put back.
        let held =
            saved.containers.iter().any(|container| container.role == Role::Keepalived && container.running);
        if !held {
            let address = format!("{}/{}", net.address, net.prefix);
            saved.endpoint = Some(SavedAddress { address, interface: interface.clone() });
        }
    }
    Ok(removal)
}
