//! What `ip -j address` and `ip -j route get` print.

use std::net::IpAddr;

use serde::Deserialize;

use super::net::Net;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address; empty where it has none.
    pub mac: String,
    /// True where it is switched on.
    pub up: bool,
    /// True where somebody is at the other end.
    pub carrier: bool,
    /// The bridge or bond that it is a part of.
    pub master: Option<String>,
    /// What it carries.
    pub addresses: Vec<Assigned>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The address and its network.
    pub net: Net,
    /// True where a lease or a router advertisement brought it: it goes away by itself.
    pub dynamic: bool,
    /// True where it cannot be used beyond the link.
    pub link_local: bool,
    /// False while another machine is asked whether it has this address too, and where one has.
    pub usable: bool,
}

/// The way to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The interface.
    pub interface: String,
    /// The next machine on the way; `None` where the address is on the link itself.
    pub gateway: Option<IpAddr>,
}

#[derive(Deserialize)]
struct RawInterface {
    ifname: Option<String>,
    address: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
    master: Option<String>,
    #[serde(default)]
    addr_info: Vec<RawAddress>,
}

#[derive(Deserialize)]
struct RawAddress {
    local: Option<IpAddr>,
    prefixlen: Option<u8>,
    scope: Option<String>,
    #[serde(default)]
    dynamic: bool,
    #[serde(default)]
    tentative: bool,
    #[serde(default)]
    dadfailed: bool,
}

#[derive(Deserialize)]
struct RawRoute {
    dev: Option<String>,
    gateway: Option<IpAddr>,
    r#type: Option<String>,
}

/// Reads what `ip -j address show` printed.
pub fn interfaces(printed: &[u8]) -> Result<Vec<Interface>, serde_json::Error> {
    let raw: Vec<RawInterface> = serde_json::from_slice(printed)?;
    // A filter leaves empty entries for what it filters out.
    let named = raw
        .into_iter()
        .filter_map(|raw| Some((raw.ifname?, raw.address, raw.flags, raw.master, raw.addr_info)));
    Ok(named
        .map(|(name, mac, flags, master, addresses)| Interface {
            name,
            mac: mac.unwrap_or_default(),
            up: flags.iter().any(|flag| flag == "UP"),
            carrier: flags.iter().any(|flag| flag == "LOWER_UP"),
            master,
            addresses: addresses.iter().filter_map(assigned).collect(),
        })
        .collect())
}

fn assigned(raw: &RawAddress) -> Option<Assigned> {
    let net = Net { address: raw.local?, prefix: raw.prefixlen? };
    let link_local = raw.scope.as_deref() == Some("link");
    Some(Assigned { net, dynamic: raw.dynamic, link_local, usable: !raw.tentative && !raw.dadfailed })
}

/// Reads what `ip -j route get` printed; `None` where no route leads there.
pub fn route(printed: &[u8]) -> Result<Option<Route>, serde_json::Error> {
    let raw: Vec<RawRoute> = serde_json::from_slice(printed)?;
    let usable = raw.into_iter().find(|raw| {
        !matches!(raw.r#type.as_deref(), Some("unreachable" | "blackhole" | "prohibit" | "local"))
    });
    Ok(usable.and_then(|raw| Some(Route { interface: raw.dev?, gateway: raw.gateway })))
}

impl Interface {
    /// The addresses that stay: neither a lease nor a router brought them, and they reach beyond the link.
    pub fn statics(&self) -> impl Iterator<Item = &Assigned> {
        self.addresses.iter().filter(|assigned| !assigned.dynamic && !assigned.link_local)
    }

    /// The static address that the provisioning interface needs: one besides the endpoint's and in its network, where that is known.
    pub fn provisioning_address(&self, endpoint: Option<IpAddr>) -> Option<&Assigned> {
        self.statics().find(|assigned| match endpoint {
            // The endpoint itself comes and goes with keepalived, mostly alone in its network.
            Some(endpoint) => assigned.net.address != endpoint && assigned.net.contains(Net::host(endpoint)),
            None => !assigned.net.is_host(),
        })
    }

    /// Its addresses with their prefixes, in a line.
    pub fn told(&self) -> String {
        let net = |assigned: &Assigned| format!("{}/{}", assigned.net.address, assigned.net.prefix);
        let nets: Vec<String> = self.addresses.iter().map(net).collect();
        let nets = if nets.is_empty() { "no address".to_owned() } else { nets.join(", ") };
        format!("{}: {nets}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ip_prints_is_understood() {
        let printed = br#"[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"address":"00:00:00:00:00:00","addr_info":[
            {"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo","valid_life_time":4294967295}]},
            {},{"ifname":"eth2","flags":["BROADCAST"],"address":"52:54:00:00:00:01","master":"br0","addr_info":[{},
            {"family":"inet","local":"172.22.0.9","prefixlen":24,"scope":"global","dynamic":true,"valid_life_time":119},
            {"family":"inet6","local":"fd2e::9","prefixlen":64,"scope":"global","tentative":true},
            {"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}]}]"#;
        let read = interfaces(printed).unwrap();
        assert_eq!(read.len(), 2);
        let eth2 = &read[1];
        assert_eq!((eth2.up, eth2.master.as_deref(), eth2.addresses.len()), (false, Some("br0"), 3));
        assert!(read[0].carrier && !eth2.carrier);
        let statics: Vec<String> = eth2.statics().map(|assigned| assigned.net.to_string()).collect();
        assert_eq!(statics, ["fd2e::9/64"]);
        assert!(!eth2.addresses[1].usable && eth2.addresses[0].usable);
        assert!(interfaces(b"1: lo: <LOOPBACK>").is_err(), "an `ip` without -j");
        assert_eq!(interfaces(b"[]").unwrap(), []);
    }

    #[test]
    fn routes_lead_somewhere_or_nowhere() {
        let via = br#"[{"dst":"10.1.2.3","gateway":"192.168.111.1","dev":"eth0","prefsrc":"192.168.111.20","flags":[]}]"#;
        let gateway = Some("192.168.111.1".parse().unwrap());
        assert_eq!(route(via).unwrap(), Some(Route { interface: "eth0".to_owned(), gateway }));
        assert_eq!(route(br#"[{"type":"unreachable","dst":"10.1.2.3"}]"#).unwrap(), None);
        assert_eq!(route(b"[]").unwrap(), None);
    }
}
