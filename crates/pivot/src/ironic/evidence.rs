//! What was seen of a stop or a start, in words: a line each, for people and for the records of a pivot.

use std::net::IpAddr;

use super::containers::Still;
use super::provisioning::{Owner, Served};
use super::start::{ApiAnswer, Started};

impl Still {
    /// What was seen of the end. `endpoint` is the address that was asked for.
    pub fn evidence(&self, endpoint: Option<IpAddr>) -> Vec<String> {
        let mut lines = vec![
            format!("stopped, and no process left: {}", self.gone.join(", ")),
            "closed: Ironic's API, the inspector, DHCP, DHCPv6".to_owned(),
        ];
        let address = endpoint.map(|address| address.to_string()).unwrap_or_default();
        lines.extend(self.owner.as_ref().map(|owner| match owner {
            Owner::Nobody => format!("answered by nobody: {address}"),
            Owner::NotOnLink => format!("not asked: {address} is on no network of this machine"),
            Owner::Itself { interface } => format!("{address} is on {interface}"),
            Owner::Another { mac, .. } => format!("{address} is answered by {mac}"),
        }));
        lines.extend(self.dhcp.as_ref().and_then(served));
        lines
    }
}

impl Started {
    /// What was seen to serve.
    pub fn evidence(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.seeded.as_ref().map(|seeded| {
            let paths = seeded.paths.join(" and ");
            format!("leases that it began with: {} in {paths}", seeded.merged.file.len())
        }));
        if let (Some(endpoint), Some(Owner::Itself { interface })) = (self.endpoint, &self.owner) {
            lines.push(format!("carried: {endpoint} on {interface}"));
        }
        lines.extend(self.api.as_ref().map(|api| match api {
            ApiAnswer::Answers(how) => format!("answers: Ironic's API ({how})"),
            ApiAnswer::Listens => {
                "listens: Ironic's API, which could not be asked without `python3`".to_owned()
            }
        }));
        lines.extend(self.dhcp.as_ref().and_then(served));
        lines
    }
}

/// Who serves DHCP, where it was asked.
fn served(served: &Served) -> Option<String> {
    match served {
        Served::ByNobody { interface } => Some(format!("answered by nobody: DHCP on {interface}")),
        Served::ByItself { interface, server } => {
            Some(format!("answered by {server} alone: DHCP on {interface}"))
        }
        Served::NotAsked { .. } => None,
    }
}
