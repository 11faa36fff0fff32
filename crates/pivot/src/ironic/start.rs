//! Starting Ironic's containers, and seeing that they serve.

use std::net::IpAddr;
use std::time::Duration;

use pivot_core::dhcp::Family;
use pivot_core::ironic::{Port, Role, SavedAddress, SavedContainer, SavedIronic};
use pivot_core::lease::LeaseFile;
use pivot_core::network::Interface;
use tokio::time::{Instant, sleep};

use super::IronicError;
use super::containers::{LOOK, STOP_TIMEOUT, open_ports, set_policy, told_endpoint};
use super::provisioning::{Owner, Place, Served, answered, who_answers};
use super::seed::{Seeded, seed};
use crate::host::{Container, Engine, Host, HostError};

/// Port of Ironic's API.
const API: &str = "6385";
/// Asks it.
const ASK_API: &str = include_str!("api.py");
/// From here on an answer says that Ironic is not there yet.
const SERVER_ERROR: u16 = 500;
/// How often a DHCP server that listens is asked before it counts as one that serves only clients that it knows.
const QUESTIONS: u32 = 2;

/// How Ironic is to be started.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The endpoint address, where the containers were not told it.
    pub endpoint: Option<IpAddr>,
    /// How long each of endpoint, API and DHCP may take.
    pub wait: Duration,
    /// Leases with which DHCP begins, beside those that it has.
    pub leases: Option<&'a LeaseFile>,
}

/// An Ironic that was started, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Names of the containers, in the order in which they were started.
    pub names: Vec<String>,
    /// The endpoint address, where it is known.
    pub endpoint: Option<IpAddr>,
    /// Who has it, where a container or what was saved brings it.
    pub owner: Option<Owner>,
    /// How its API answers, where one was started.
    pub api: Option<ApiAnswer>,
    /// Who serves DHCP, where a server was started.
    pub dhcp: Option<Served>,
    /// The leases that were put into it before.
    pub seeded: Option<Seeded>,
    /// What could not be asked before the start, and why.
    pub unasked: Option<String>,
}

/// How an API answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiAnswer {
    /// By this protocol and status.
    Answers(String),
    /// The machine has nothing to ask by: its port is open.
    Listens,
}

/// A container that is to run, and what was saved of it.
type Planned<'a> = (&'a SavedContainer, Container);

/// Starts what ran before, in the other order, and waits until it serves: the endpoint address is carried, the API answers, and one DHCP server does.
///
/// Where somebody else has the address or serves DHCP, or the interface has no static address, nothing is started.
pub async fn start(host: &Host, saved: &SavedIronic, order: Order<'_>) -> Result<Started, IronicError> {
    let (containers, told) = planned(host, saved).await?;
    let Order { endpoint, wait, leases } = order;
    let endpoint = endpoint.or(told);
    let of = |role: Role| {
        containers.iter().find(|(before, _)| before.role == role).map(|(_, container)| container)
    };
    let unasked = may_begin(host, saved, &containers, endpoint).await.map_err(not_begun)?;
    let seeded = match (leases, of(Role::Dnsmasq)) {
        (Some(leases), Some(container)) => Some(seed(host, container, leases).await.map_err(not_begun)?),
        (Some(_), None) => return Err(not_begun(IronicError::NoDnsmasq { host: host.to_string() })),
        (None, _) => None,
    };
    put_back(host, saved).await?;
    let patient = host.within(STOP_TIMEOUT);
    for (before, container) in containers.iter().rev() {
        let engine = container.engine.program();
        if let Some(policy) = &before.restart {
            set_policy(&patient, engine, container, policy).await?;
        }
        if !container.running {
            patient.read(&[engine, "start", &container.id]).await?;
        }
    }
    // One that fetches something and ends has done its work.
    let staying = containers.iter().filter(|(before, _)| before.role != Role::Downloader);
    stay(host, staying.map(|(_, container)| container)).await?;
    let brings = of(Role::Keepalived).is_some() || saved.endpoint.is_some();
    let owner = match endpoint.filter(|_| brings) {
        Some(endpoint) => Some(carried(host, endpoint, wait).await?),
        None => None,
    };
    let api = match of(Role::Ironic) {
        Some(container) => Some(api_answers(host, container, endpoint, wait).await?),
        None => None,
    };
    let dhcp = match of(Role::Dnsmasq) {
        Some(container) => Some(serves(host, container, endpoint, wait).await?),
        None => None,
    };
    let names = containers.iter().rev().map(|(before, _)| before.name.clone()).collect();
    Ok(Started { names, endpoint, owner, api, dhcp, seeded, unasked })
}

/// Whatever it was, it was before anything was started.
fn not_begun(error: IronicError) -> IronicError {
    IronicError::NotBegun(Box::new(error))
}

/// The containers that ran, and the endpoint address that they were told.
async fn planned<'a>(
    host: &Host,
    saved: &'a SavedIronic,
) -> Result<(Vec<Planned<'a>>, Option<IpAddr>), IronicError> {
    let mut containers = Vec::new();
    let mut told = None;
    for before in saved.containers.iter().filter(|before| before.running) {
        let engine = Engine::ALL.into_iter().find(|engine| engine.program() == before.engine);
        let there = match engine {
            Some(engine) => host.inspected(engine, &before.id).await?,
            None => None,
        };
        let Some((container, entry)) = there else {
            return Err(IronicError::Gone { host: host.to_string(), name: before.name.clone() });
        };
        told = told.or_else(|| told_endpoint(&entry));
        containers.push((before, container));
    }
    Ok((containers, told))
}

/// Whether there will be one Ironic, one DHCP server and one owner of the endpoint address. Returns what could not be asked.
async fn may_begin(
    host: &Host,
    saved: &SavedIronic,
    containers: &[Planned<'_>],
    endpoint: Option<IpAddr>,
) -> Result<Option<String>, IronicError> {
    let begins =
        |role| containers.iter().any(|(before, container)| before.role == role && !container.running);
    let runs = |role| containers.iter().any(|(before, container)| before.role == role && container.running);
    if let Some(endpoint) = endpoint {
        // What runs already of this very Ironic is not in its own way.
        if !runs(Role::Keepalived)
            && let Owner::Another { mac, interface } = who_answers(host, endpoint).await?
        {
            return Err(IronicError::Answered { host: host.to_string(), address: endpoint, mac, interface });
        }
        if begins(Role::Keepalived) {
            has_static_address(host, endpoint).await?;
        }
    }
    if !begins(Role::Dnsmasq) {
        return Ok(None);
    }
    // An address that is to be put back tells the network too.
    let put_back =
        saved.endpoint.as_ref().and_then(|address| address.address.split('/').next()?.parse().ok());
    let place = Place::find(host, endpoint.or(put_back)).await?;
    match (&place, place.answers(host).await?) {
        (Place::On(interface, _), Ok(answers)) if !answers.is_empty() => {
            Err(answered(host, interface, &answers))
        }
        (_, Ok(_)) => Ok(None),
        (_, Err(why)) => Ok(Some(why)),
    }
}

/// The provisioning interface has a static address besides the endpoint's.
async fn has_static_address(host: &Host, endpoint: IpAddr) -> Result<(), IronicError> {
    let all = host.interfaces().await?;
    if all.iter().any(|interface| interface.up && interface.provisioning_address(Some(endpoint)).is_some()) {
        return Ok(());
    }
    let there = all.iter().map(Interface::told).collect();
    Err(IronicError::NoStaticAddress { host: host.to_string(), endpoint, there })
}

/// Puts an address back that was taken off.
async fn put_back(host: &Host, saved: &SavedIronic) -> Result<(), IronicError> {
    let Some(SavedAddress { address, interface }) = &saved.endpoint else { return Ok(()) };
    let there = host.interface(interface).await?;
    let is_there = there
        .addresses
        .iter()
        .any(|assigned| format!("{}/{}", assigned.net.address, assigned.net.prefix) == *address);
    if !is_there {
        host.read(&["ip", "address", "add", address, "dev", interface]).await?;
    }
    Ok(())
}

/// The containers run, and still do a moment later: a program that ends at once is seen to.
async fn stay<'a>(
    host: &Host,
    containers: impl Iterator<Item = &'a Container> + Clone,
) -> Result<(), IronicError> {
    for _ in 0..2 {
        for container in containers.clone() {
            runs(host, container).await?;
        }
        sleep(LOOK).await;
    }
    Ok(())
}

async fn runs(host: &Host, container: &Container) -> Result<(), IronicError> {
    let now = host.container(container.engine, &container.id).await?;
    if now.is_some_and(|now| now.running) {
        return Ok(());
    }
    Err(IronicError::DoesNotRun { host: host.to_string(), name: container.name.clone() })
}

/// The machine carries the endpoint address.
async fn carried(host: &Host, address: IpAddr, wait: Duration) -> Result<Owner, IronicError> {
    let deadline = Instant::now() + wait;
    loop {
        match who_answers(host, address).await? {
            owner @ Owner::Itself { .. } => return Ok(owner),
            Owner::Another { mac, interface } => {
                return Err(IronicError::Answered { host: host.to_string(), address, mac, interface });
            }
            Owner::Nobody | Owner::NotOnLink if Instant::now() >= deadline => {
                return Err(IronicError::NotCarried { host: host.to_string(), address });
            }
            Owner::Nobody | Owner::NotOnLink => sleep(LOOK).await,
        }
    }
}

/// The API answers.
async fn api_answers(
    host: &Host,
    container: &Container,
    endpoint: Option<IpAddr>,
    wait: Duration,
) -> Result<ApiAnswer, IronicError> {
    let deadline = Instant::now() + wait;
    // An endpoint that nobody brings is another machine's, or nobody's.
    let carried = match endpoint {
        Some(endpoint) => matches!(who_answers(host, endpoint).await?, Owner::Itself { .. }),
        None => false,
    };
    let endpoint = endpoint.filter(|_| carried);
    let address = endpoint.map_or_else(|| "localhost".to_owned(), |endpoint| endpoint.to_string());
    loop {
        let said = match ask_api(host, &address).await? {
            Some(said) => said,
            None if open_ports(host).await?.contains(&Port::Api) => return Ok(ApiAnswer::Listens),
            None => String::new(),
        };
        let status = said.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        if status.is_some_and(|status| status < SERVER_ERROR) {
            return Ok(ApiAnswer::Answers(said));
        }
        runs(host, container).await?;
        if Instant::now() >= deadline {
            let said = if said.is_empty() { "nothing".to_owned() } else { said };
            return Err(IronicError::ApiSilent { host: host.to_string(), address, said });
        }
        sleep(LOOK).await;
    }
}

/// What the API says; `None` where the machine has nothing to ask by.
async fn ask_api(host: &Host, address: &str) -> Result<Option<String>, IronicError> {
    let ran = match host.run(&["python3", "-I", "-", address, API], ASK_API.as_bytes()).await {
        Ok(ran) if ran.code == Some(0) => ran,
        Ok(_) | Err(HostError::NoProgram { .. } | HostError::Start { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(String::from_utf8_lossy(&ran.stdout).trim().to_owned()))
}

/// This machine serves DHCP, and nobody else.
async fn serves(
    host: &Host,
    container: &Container,
    endpoint: Option<IpAddr>,
    wait: Duration,
) -> Result<Served, IronicError> {
    let deadline = Instant::now() + wait;
    let place = Place::find(host, endpoint).await?;
    let wanted = match &place {
        Place::On(_, Family::V6) => Port::Dhcp6,
        _ => Port::Dhcp,
    };
    while !open_ports(host).await?.contains(&wanted) {
        runs(host, container).await?;
        if Instant::now() >= deadline {
            return Err(IronicError::NotServed { host: host.to_string(), name: container.name.clone() });
        }
        sleep(LOOK).await;
    }
    for _ in 0..QUESTIONS {
        let (interface, answers) = match (&place, place.answers(host).await?) {
            (Place::On(interface, _), Ok(answers)) => (interface, answers),
            (Place::Unknown(why), Ok(_)) => return Ok(Served::NotAsked { why: why.clone() }),
            (_, Err(why)) => return Ok(Served::NotAsked { why }),
        };
        // By its hardware address, or by one that never left the machine.
        let is_own = |mac: &Option<String>| mac.as_ref().is_none_or(|mac| *mac == interface.mac);
        let (own, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| is_own(&answer.mac));
        if !others.is_empty() {
            return Err(answered(host, interface, &others));
        }
        if let Some(own) = own.first() {
            return Ok(Served::ByItself { interface: interface.name.clone(), server: own.server });
        }
        runs(host, container).await?;
    }
    Ok(Served::NotAsked {
        why: "the DHCP server of this machine answers no client that it does not know, and so may others"
            .to_owned(),
    })
}
