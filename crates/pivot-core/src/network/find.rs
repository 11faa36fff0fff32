//! From the address of a network to the interface that is on it.

use super::interface::{Interface, Route};
use super::net::Net;

/// An interface, and how it has to do with what was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub interface: String,
    /// How it has to do with it.
    pub bearing: Bearing,
}

/// How an interface has to do with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bearing {
    /// It carries the very address.
    Carries(Net),
    /// It is on the network, by this address of its own.
    OnLink(Net),
    /// The address is reached through it, but lies in a network that it is not on: no DHCP gets there.
    Beyond(Route),
}

/// No interface, or not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// None has to do with it.
    #[error("no interface has an address in the network of {wanted}, and no route leads there")]
    Nowhere {
        /// What was looked for.
        wanted: Net,
    },
    /// Several have as much to do with it.
    #[error("{wanted} is on {}", interfaces.join(" and on "))]
    Several {
        /// What was looked for.
        wanted: Net,
        /// Their names.
        interfaces: Vec<String>,
    },
}

/// Finds the interface of an address or a network. One that carries the address comes first, then the one with the smallest network that
/// holds it, then the way there. An interface that is a part of a bridge or bond carries addresses for nobody and does not count.
pub fn find(wanted: Net, interfaces: &[Interface], route: Option<&Route>) -> Result<Found, FindError> {
    let candidates = || {
        interfaces.iter().filter(|interface| interface.master.is_none()).flat_map(|interface| {
            interface.addresses.iter().map(move |assigned| (interface.name.as_str(), assigned.net))
        })
    };
    let carries = candidates().filter(|(_, net)| wanted.is_host() && net.address == wanted.address);
    if let Some((name, net)) = one(wanted, carries.collect())? {
        return Ok(Found { interface: name, bearing: Bearing::Carries(net) });
    }
    // An endpoint address alone (a /32 or /128) is on no network.
    let on: Vec<(&str, Net)> =
        candidates().filter(|(_, net)| !net.is_host() && net.contains(wanted)).collect();
    let narrowest = on.iter().map(|(_, net)| net.prefix).max();
    let on = on.into_iter().filter(|(_, net)| Some(net.prefix) == narrowest).collect();
    if let Some((name, net)) = one(wanted, on)? {
        return Ok(Found { interface: name, bearing: Bearing::OnLink(net) });
    }
    match route {
        Some(route) => {
            Ok(Found { interface: route.interface.clone(), bearing: Bearing::Beyond(route.clone()) })
        }
        None => Err(FindError::Nowhere { wanted }),
    }
}

/// The one interface of those; an error where there are several.
fn one(wanted: Net, candidates: Vec<(&str, Net)>) -> Result<Option<(String, Net)>, FindError> {
    let Some(&(first, net)) = candidates.first() else { return Ok(None) };
    let mut names: Vec<String> = candidates.into_iter().map(|(name, _)| name.to_owned()).collect();
    names.sort();
    names.dedup();
    if names.len() > 1 {
        Err(FindError::Several { wanted, interfaces: names })
    } else {
        Ok(Some((first.to_owned(), net)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::interface::Assigned;
    use super::*;

    fn interface(name: &str, nets: &[&str]) -> Interface {
        let assigned = |net: &&str| Assigned {
            net: net.parse().unwrap(),
            dynamic: false,
            link_local: net.starts_with("fe80"),
            usable: true,
        };
        Interface {
            name: name.to_owned(),
            mac: String::new(),
            up: true,
            carrier: true,
            master: None,
            addresses: nets.iter().map(assigned).collect(),
        }
    }

    fn found(wanted: &str, interfaces: &[Interface], route: Option<&Route>) -> String {
        match find(wanted.parse().unwrap(), interfaces, route) {
            Ok(Found { interface, bearing: Bearing::Carries(net) }) => format!("{interface} carries {net}"),
            Ok(Found { interface, bearing: Bearing::OnLink(net) }) => format!("{interface} by {net}"),
            Ok(Found { interface, bearing: Bearing::Beyond(_) }) => format!("{interface} beyond"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_nearest_interface_is_found() {
        let all = [
            interface("eth0", &["192.168.111.20/24", "fe80::1/64"]),
            interface("eth1", &["172.22.0.1/24", "fd2e::1/64"]),
            interface("eth2", &["172.22.0.2/32", "10.0.0.1/8"]),
            interface("eth3", &["10.1.0.1/16"]),
        ];
        assert_eq!(found("172.22.0.0/24", &all, None), "eth1 by 172.22.0.1/24");
        assert_eq!(found("172.22.0.77", &all, None), "eth1 by 172.22.0.1/24");
        assert_eq!(found("172.22.0.2", &all, None), "eth2 carries 172.22.0.2");
        assert_eq!(found("172.22.0.2/24", &all, None), "eth1 by 172.22.0.1/24");
        assert_eq!(found("fd2e::/64", &all, None), "eth1 by fd2e::1/64");
        assert_eq!(found("10.1.2.3", &all, None), "eth3 by 10.1.0.1/16");
        assert_eq!(found("10.2.2.3", &all, None), "eth2 by 10.0.0.1/8");
        assert_eq!(
            found("172.23.0.1", &all, None),
            "no interface has an address in the network of 172.23.0.1, and no route leads there"
        );
        let route = Route { interface: "eth0".to_owned(), gateway: Some("192.168.111.1".parse().unwrap()) };
        assert_eq!(found("172.23.0.1", &all, Some(&route)), "eth0 beyond");
    }

    #[test]
    fn two_interfaces_on_one_network_are_no_answer() {
        let mut all = [interface("eth1", &["172.22.0.1/24"]), interface("eth2", &["172.22.0.9/24"])];
        assert_eq!(found("172.22.0.0/24", &all, None), "172.22.0.0/24 is on eth1 and on eth2");
        assert_eq!(found("172.22.0.9", &all, None), "eth2 carries 172.22.0.9/24");
        all[0].master = Some("br0".to_owned());
        assert_eq!(found("172.22.0.0/24", &all, None), "eth2 by 172.22.0.9/24");
        let twice = [interface("eth1", &["172.22.0.1/24", "172.22.0.2/24"])];
        assert_eq!(found("172.22.0.0/24", &twice, None), "eth1 by 172.22.0.1/24");
    }
}
