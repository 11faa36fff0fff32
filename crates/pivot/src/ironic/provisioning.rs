//! The provisioning network: who has the endpoint address there, and who serves DHCP.

use std::net::IpAddr;
use std::time::Duration;

use pivot_core::dhcp::{Answer, Family};
use pivot_core::network::{Interface, Net, find};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::IronicError;
use super::containers::LOOK;
use crate::host::{DhcpError, Host, HostError, NetworkError};

/// How long somebody who has an address may take to say so. The kernel asks three times, a second apart.
const ANSWER: Duration = Duration::from_secs(6);

/// Who has an address, as a machine on its network sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody answered.
    Nobody,
    /// The machine that asks carries it itself.
    Itself {
        /// On this interface.
        interface: String,
    },
    /// Another machine.
    Another {
        /// Its hardware address.
        mac: String,
        /// The interface that it was asked from.
        interface: String,
    },
    /// No interface of the machine that asks is on its network.
    NotOnLink,
}

/// Who serves DHCP on the provisioning network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// Nobody answered.
    ByNobody {
        /// The interface that was asked from.
        interface: String,
    },
    /// This machine alone.
    ByItself {
        /// The interface that was asked from.
        interface: String,
        /// The server's address.
        server: IpAddr,
    },
    /// Nobody could be asked, which proves nothing.
    NotAsked {
        /// Why.
        why: String,
    },
}

/// Where DHCP is asked for.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// On this interface, by the protocol of the endpoint address.
    On(Interface, Family),
    /// Nowhere, and why.
    Unknown(String),
}

impl Place {
    /// The interface that carries the endpoint address, or is on its network.
    pub(super) async fn find(host: &Host, endpoint: Option<IpAddr>) -> Result<Self, HostError> {
        let Some(endpoint) = endpoint else {
            return Ok(Self::Unknown("the endpoint address is not known".to_owned()));
        };
        let family = Family::of(endpoint);
        let all = host.interfaces().await?;
        Ok(match find(Net::host(endpoint), &all, None) {
            Ok(found) => match all.into_iter().find(|interface| interface.name == found.interface) {
                Some(interface) => Self::On(interface, family),
                None => Self::Unknown(format!("{} is no interface of {host}", found.interface)),
            },
            Err(error) => Self::Unknown(error.to_string()),
        })
    }

    /// Who answers there; the reason where nobody can be asked.
    pub(super) async fn answers(&self, host: &Host) -> Result<Result<Vec<Answer>, String>, IronicError> {
        let (interface, family) = match self {
            Self::On(interface, family) => (interface, *family),
            Self::Unknown(why) => return Ok(Err(why.clone())),
        };
        match host.dhcp_answers(&interface.name, family).await {
            Ok(answers) => Ok(Ok(answers)),
            Err(DhcpError::Network(NetworkError::Host(
                error @ (HostError::Unreachable { .. } | HostError::Silent { .. }),
            ))) => Err(error.into()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

/// The error for servers that should not be there.
pub(super) fn answered(host: &Host, interface: &Interface, answers: &[Answer]) -> IronicError {
    let server = |answer: &Answer| {
        let mac = answer.mac.as_deref().map(|mac| format!(" ({mac})")).unwrap_or_default();
        let offered = answer.offered.map(|address| format!(", which offers {address}")).unwrap_or_default();
        format!("{}{mac}{offered}", answer.server)
    };
    let servers = answers.iter().map(server).collect();
    IronicError::DhcpAnswered { host: host.to_string(), interface: interface.name.clone(), servers }
}

/// Nobody serves DHCP.
pub(super) async fn nobody_serves(host: &Host, place: Place) -> Result<Served, IronicError> {
    let heard = place.answers(host).await?;
    match (place, heard) {
        (Place::On(interface, _), Ok(answers)) if answers.is_empty() => {
            Ok(Served::ByNobody { interface: interface.name })
        }
        (Place::On(interface, _), Ok(answers)) => Err(answered(host, &interface, &answers)),
        (_, Err(why)) | (Place::Unknown(why), _) => Ok(Served::NotAsked { why }),
    }
}

/// Nobody has the endpoint address.
pub(super) async fn nobody_answers(host: &Host, address: IpAddr) -> Result<Owner, IronicError> {
    match who_answers(host, address).await? {
        Owner::Another { mac, interface } => {
            Err(IronicError::Answered { host: host.to_string(), address, mac, interface })
        }
        Owner::Itself { interface } => {
            let mac = "this very machine".to_owned();
            Err(IronicError::Answered { host: host.to_string(), address, mac, interface })
        }
        owner @ (Owner::Nobody | Owner::NotOnLink) => Ok(owner),
    }
}

/// Asks by ARP, or by neighbour discovery, who has an address. The kernel asks, so that the machine needs no program but `ip`.
pub async fn who_answers(host: &Host, address: IpAddr) -> Result<Owner, IronicError> {
    let wanted = Net::host(address);
    let all = host.interfaces().await?;
    let carries = |net: Net| net.address == address;
    if let Some(itself) =
        all.iter().find(|interface| interface.addresses.iter().any(|assigned| carries(assigned.net)))
    {
        return Ok(Owner::Itself { interface: itself.name.clone() });
    }
    let on_link =
        all.iter().filter(|interface| interface.up && interface.master.is_none()).find(|interface| {
            interface
                .addresses
                .iter()
                .any(|assigned| !assigned.net.is_host() && assigned.net.contains(wanted))
        });
    let Some(interface) = on_link.map(|interface| interface.name.clone()) else {
        return Ok(Owner::NotOnLink);
    };
    let (text, name) = (address.to_string(), interface.as_str());
    // What was known of it may be of yesterday. There may be nothing to forget.
    host.run(&["ip", "neighbor", "del", &text, "dev", name], &[]).await?;
    host.read(&["ip", "neighbor", "replace", &text, "dev", name, "use"]).await?;
    let deadline = Instant::now() + ANSWER;
    loop {
        let printed = host.read(&["ip", "-j", "neighbor", "show", "to", &text, "dev", name]).await?;
        let entries: Vec<Value> = serde_json::from_slice(&printed).unwrap_or_default();
        let entry = entries.first();
        if let Some(mac) = entry.and_then(|entry| entry.get("lladdr")).and_then(Value::as_str) {
            return Ok(Owner::Another { mac: mac.to_owned(), interface });
        }
        let failed = entry
            .and_then(|entry| entry.pointer("/state/0"))
            .and_then(Value::as_str)
            .is_some_and(|state| state == "FAILED");
        if failed || Instant::now() >= deadline {
            return Ok(Owner::Nobody);
        }
        sleep(LOOK).await;
    }
}
