//! The provisioning network: interface, endpoint address and DHCP ranges, which have to fit each other.

use std::net::IpAddr;

use super::range::DhcpRange;
use crate::lease::{Lease, LeaseFile};
use crate::network::Net;

/// Bytes of the name of an interface.
const LONGEST_NAME: usize = 15;

/// A provisioning network of which the parts fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioning {
    interface: String,
    endpoint: Net,
    network: Option<Net>,
    ranges: Vec<DhcpRange>,
    /// What the interface carries, where it was looked at.
    statics: Vec<Net>,
}

/// Parts that do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The interface.
    #[error(
        "`{0}` is no name of an interface: it has 1 to {LONGEST_NAME} letters, digits, dots, dashes and underscores"
    )]
    Interface(String),
    /// The endpoint is no address of a machine.
    #[error("{0} cannot be the endpoint address of a machine")]
    Endpoint(Net),
    /// The endpoint's network is not that of the interface.
    #[error("the endpoint is said to be in {said}, and {interface} has {carried}")]
    Prefix {
        /// The network behind the endpoint.
        said: Net,
        /// The interface.
        interface: String,
        /// Its address.
        carried: Net,
    },
    /// Nothing says in which network the endpoint is.
    #[error("{0} alone is in no network: dnsmasq would find no range to serve")]
    Alone(IpAddr),
    /// The endpoint would be handed out.
    #[error("the endpoint address {endpoint} is in the DHCP range {range}")]
    InRange {
        /// The endpoint.
        endpoint: IpAddr,
        /// The range.
        range: DhcpRange,
    },
    /// The endpoint was handed out.
    #[error("the endpoint address {endpoint} is leased to {client}")]
    Leased {
        /// The endpoint.
        endpoint: IpAddr,
        /// To whom.
        client: String,
    },
    /// Only one end of a range is in the network.
    #[error("the DHCP range {range} is not in one network: {network} holds one of its ends")]
    Split {
        /// The range.
        range: DhcpRange,
        /// The network of one of its ends.
        network: Net,
    },
    /// A range is in another network.
    #[error("the DHCP range {range} is not in the network {network} of the endpoint")]
    Elsewhere {
        /// The range.
        range: DhcpRange,
        /// The network of the endpoint.
        network: Net,
    },
    /// Two ranges hand out the same address.
    #[error("the DHCP ranges {one} and {other} overlap")]
    Overlap {
        /// The first.
        one: Box<DhcpRange>,
        /// The second.
        other: Box<DhcpRange>,
    },
}

impl Provisioning {
    /// Puts the parts together. `statics` are the addresses of the interface that stay, where somebody looked: the endpoint's network is
    /// theirs then, and behind the endpoint no prefix need stand.
    pub fn new(
        interface: &str,
        endpoint: Net,
        statics: &[Net],
        ranges: Vec<DhcpRange>,
    ) -> Result<Self, Unfit> {
        if !is_interface(interface) {
            return Err(Unfit::Interface(interface.to_owned()));
        }
        let address = endpoint.address;
        let carried = statics
            .iter()
            .filter(|net| !net.is_host() && net.address != address && net.contains(Net::host(address)))
            .max_by_key(|net| net.prefix)
            .copied();
        let network = match carried {
            Some(carried) if !endpoint.is_host() && carried.prefix != endpoint.prefix => {
                let (said, interface) = (endpoint.network(), interface.to_owned());
                return Err(Unfit::Prefix { said, interface, carried });
            }
            Some(carried) => Some(carried.network()),
            None => Some(endpoint.network()).filter(|network| !network.is_host()),
        };
        if !is_of_a_machine(address, network) {
            return Err(Unfit::Endpoint(endpoint));
        }
        match network {
            Some(network) => {
                for range in &ranges {
                    placed(range, network, statics)?;
                }
                // One for a relay names its own network.
                let serves = |range: &DhcpRange| {
                    network.contains(Net::host(range.begin())) || range.own_network().is_some()
                };
                if let Some(range) = ranges.first().filter(|_| !ranges.iter().any(serves)) {
                    return Err(Unfit::Elsewhere { range: range.clone(), network });
                }
            }
            None if ranges.is_empty() => {}
            None => return Err(Unfit::Alone(address)),
        }
        if let Some(range) = ranges.iter().find(|range| range.contains(address)) {
            return Err(Unfit::InRange { endpoint: address, range: range.clone() });
        }
        for (index, one) in ranges.iter().enumerate() {
            if let Some(other) = ranges[index + 1..].iter().find(|other| other.overlaps(one)) {
                return Err(Unfit::Overlap { one: Box::new(one.clone()), other: Box::new(other.clone()) });
            }
        }
        Ok(Self { interface: interface.to_owned(), endpoint, network, ranges, statics: statics.to_vec() })
    }

    /// The interface.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The endpoint address, with the prefix with which keepalived is to carry it.
    pub fn endpoint(&self) -> Net {
        self.endpoint
    }

    /// The network of the endpoint; `None` where nothing tells, which is possible without DHCP alone.
    pub fn network(&self) -> Option<Net> {
        self.network
    }

    /// What is handed out.
    pub fn ranges(&self) -> &[DhcpRange] {
        &self.ranges
    }

    /// Addresses of the interface itself that lie in a range.
    pub fn statics_in_ranges(&self) -> impl Iterator<Item = IpAddr> {
        let addresses = self.statics.iter().map(|net| net.address);
        addresses.filter(|address| self.ranges.iter().any(|range| range.contains(*address)))
    }

    /// Leases of addresses that are in no range; an error where the endpoint is leased.
    pub fn outside<'a>(&self, leases: &'a LeaseFile) -> Result<Vec<&'a Lease>, Unfit> {
        let endpoint = self.endpoint.address;
        if let Some(lease) = leases.leases().find(|lease| lease.address() == endpoint) {
            return Err(Unfit::Leased { endpoint, client: lease.client().to_string() });
        }
        let is_outside = |lease: &&Lease| !self.ranges.iter().any(|range| range.contains(lease.address()));
        Ok(leases.leases().filter(is_outside).collect())
    }
}

/// Looks whether both ends of a range are in the one network that is served: the endpoint's, another one of the interface, or its own.
fn placed(range: &DhcpRange, network: Net, statics: &[Net]) -> Result<(), Unfit> {
    let own = range.own_network();
    let others = statics.iter().filter(|net| !net.is_host()).map(|net| net.network());
    let (begin, end) = (Net::host(range.begin()), Net::host(range.end()));
    let mut split = None;
    for network in own.into_iter().chain([network]).chain(others) {
        let (has_begin, has_end) = (network.contains(begin), network.contains(end));
        if has_begin && has_end && range.within(network).contains(end) {
            return Ok(());
        }
        if has_begin || has_end {
            split.get_or_insert(if has_begin { range.within(network) } else { network });
        }
    }
    match split {
        Some(network) => Err(Unfit::Split { range: range.clone(), network }),
        None => Err(Unfit::Elsewhere { range: range.clone(), network }),
    }
}

/// Ironic's scripts and keepalived's put the name between blanks and commas, and dnsmasq knows `*`.
fn is_interface(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_plain) && !name.starts_with(['-', '.'])
}

/// False for addresses that name a network, everybody or nobody, and for those that hold on one link only.
fn is_of_a_machine(address: IpAddr, network: Option<Net>) -> bool {
    let names_all = network.is_some_and(|network| match address {
        IpAddr::V4(address) if network.prefix < 31 => {
            let host_bits = u32::MAX >> network.prefix;
            let host = u32::from(address) & host_bits;
            host == 0 || host == host_bits
        }
        IpAddr::V6(_) if network.prefix < 127 => network.address == address,
        _ => false,
    });
    let is_special = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(names_all || is_special || address.is_unspecified() || address.is_loopback() || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(
        interface: &str,
        endpoint: &str,
        statics: &[&str],
        ranges: &[&str],
    ) -> Result<Provisioning, Unfit> {
        let statics: Vec<Net> = statics.iter().map(|net| net.parse().unwrap()).collect();
        let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
        Provisioning::new(interface, endpoint.parse().unwrap(), &statics, ranges)
    }

    #[track_caller]
    fn unfit(endpoint: &str, statics: &[&str], ranges: &[&str]) -> String {
        put("eth2", endpoint, statics, ranges).unwrap_err().to_string()
    }

    const RANGE: &str = "172.22.0.10,172.22.0.100";

    #[test]
    fn the_network_is_that_of_the_interface_or_the_one_behind_the_endpoint() {
        let network = |endpoint: &str, statics: &[&str], ranges: &[&str]| {
            put("eth2", endpoint, statics, ranges).unwrap().network().map(|net| net.to_string())
        };
        assert_eq!(network("172.22.0.2/24", &[], &[RANGE]).as_deref(), Some("172.22.0.0/24"));
        assert_eq!(
            network("172.22.0.2", &["10.0.0.1/8", "172.22.0.1/16"], &[RANGE]).as_deref(),
            Some("172.22.0.0/16")
        );
        assert_eq!(network("172.22.0.2", &[], &[]), None, "without DHCP nobody needs it");
        assert_eq!(network("fd2e::2/64", &[], &["fd2e::10,fd2e::ff"]).as_deref(), Some("fd2e::/64"));
        assert_eq!(
            unfit("172.22.0.2/24", &["172.22.0.1/16"], &[RANGE]),
            "the endpoint is said to be in 172.22.0.0/24, and eth2 has 172.22.0.1/16"
        );
        assert_eq!(
            unfit("172.22.0.2/32", &[], &[RANGE]),
            "172.22.0.2 alone is in no network: dnsmasq would find no range to serve"
        );
        // The endpoint itself, left behind by another keepalived, is no network of the interface's.
        assert!(matches!(put("eth2", "172.22.0.2", &["172.22.0.2/24"], &[RANGE]), Err(Unfit::Alone(_))));
    }

    #[test]
    fn ranges_lie_in_the_network_that_is_served() {
        assert_eq!(
            unfit("172.22.0.2/24", &[], &["172.23.0.10,172.23.0.100"]),
            "the DHCP range 172.23.0.10,172.23.0.100 is not in the network 172.22.0.0/24 of the endpoint"
        );
        assert_eq!(
            unfit("172.22.0.2/24", &[], &["172.22.0.10,172.22.1.100"]),
            "the DHCP range 172.22.0.10,172.22.1.100 is not in one network: 172.22.0.0/24 holds one of its ends"
        );
        assert_eq!(
            unfit("fd2e::2/64", &[], &[RANGE]),
            "the DHCP range 172.22.0.10,172.22.0.100 is not in the network fd2e::/64 of the endpoint"
        );
        assert_eq!(
            unfit("fd2e::2/48", &[], &["fd2e::10,fd2e:0:0:1::10"]),
            "the DHCP range fd2e::10,fd2e:0:0:1::10 is not in one network: fd2e::/64 holds one of its ends"
        );
        // Both families, where the interface has both; never the other alone.
        let both = ["172.22.0.1/24", "fd2e::1/64"];
        put("eth2", "172.22.0.2", &both, &[RANGE, "fd2e::10,fd2e::ff"]).unwrap();
        assert!(unfit("fd2e::2", &both, &[RANGE]).contains("not in the network fd2e::/64"));
        // Through a relay.
        put("eth2", "172.22.0.2/24", &[], &[RANGE, "172.23.0.10,172.23.0.20,255.255.255.0"]).unwrap();
        assert_eq!(
            unfit("172.22.0.2/24", &[], &[RANGE, "172.22.0.100,172.22.0.110"]),
            "the DHCP ranges 172.22.0.10,172.22.0.100 and 172.22.0.100,172.22.0.110 overlap"
        );
    }

    #[test]
    fn the_endpoint_is_handed_out_to_nobody() {
        assert_eq!(
            unfit("172.22.0.50/24", &[], &[RANGE]),
            "the endpoint address 172.22.0.50 is in the DHCP range 172.22.0.10,172.22.0.100"
        );
        for endpoint in
            ["172.22.0.0/24", "172.22.0.255/24", "fd2e::/64", "127.0.0.1", "224.0.0.1", "fe80::1/64", "::"]
        {
            assert!(unfit(endpoint, &[], &[]).contains("cannot be the endpoint"), "{endpoint}");
        }
        let provisioning = put("eth2", "172.22.0.2/24", &["172.22.0.11/24"], &[RANGE]).unwrap();
        assert_eq!(provisioning.statics_in_ranges().count(), 1);
        let leases =
            LeaseFile::parse(b"0 52:54:00:00:00:01 172.22.0.10 * *\n0 52:54:00:00:00:02 172.22.0.101 * *\n");
        let outside: Vec<String> =
            provisioning.outside(&leases).unwrap().iter().map(|lease| lease.address().to_string()).collect();
        assert_eq!(outside, ["172.22.0.101"]);
        let taken = LeaseFile::parse(b"0 52:54:00:00:00:01 172.22.0.2 * *\n");
        assert_eq!(
            provisioning.outside(&taken).unwrap_err().to_string(),
            "the endpoint address 172.22.0.2 is leased to 52:54:00:00:00:01"
        );
    }

    #[test]
    fn an_interface_has_a_plain_name() {
        for name in ["eth2", "ironicendpoint", "eno1.100", "br-prov_0"] {
            put(name, "172.22.0.2/24", &[], &[RANGE]).unwrap();
        }
        for name in
            ["", "eth*", "eth 1", "eth1,eth2", "-i", "..", "sixteen-letters-", "eth1\nuser=root", "eth0@if3"]
        {
            assert_eq!(put(name, "172.22.0.2/24", &[], &[RANGE]), Err(Unfit::Interface(name.to_owned())));
        }
    }
}
