//! An address, or a network.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address with a prefix, such as `172.22.0.2/24`. Without a prefix it is the address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Net {
    /// The address; bits behind the prefix may be set.
    pub address: IpAddr,
    /// How many bits name the network.
    pub prefix: u8,
}

/// A text that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The part before the slash.
    #[error("`{0}` is no IP address")]
    Address(String),
    /// The part behind it.
    #[error("`/{prefix}` is no prefix of {address}: it goes from 0 to {most}")]
    Prefix {
        /// What stands there.
        prefix: String,
        /// The address.
        address: IpAddr,
        /// The longest there is.
        most: u8,
    },
}

impl Net {
    /// An address alone.
    pub fn host(address: IpAddr) -> Self {
        Self { address, prefix: bits(address) }
    }

    /// True where it is an address and no network.
    pub fn is_host(self) -> bool {
        self.prefix == bits(self.address)
    }

    /// True where the other lies in this network.
    pub fn contains(self, other: Self) -> bool {
        self.prefix <= other.prefix
            && self.address.is_ipv4() == other.address.is_ipv4()
            && masked(self.address, self.prefix) == masked(other.address, self.prefix)
    }

    /// The network itself: the bits behind the prefix are zero.
    #[must_use]
    pub fn network(self) -> Self {
        let value = masked(self.address, self.prefix);
        let address = match self.address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(value).expect("BUG: 32 bits stay 32 bits").into()),
            IpAddr::V6(_) => IpAddr::V6(value.into()),
        };
        Self { address, prefix: self.prefix }
    }
}

/// Bits of an address of that family.
fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address as a number, with the bits behind the prefix zero.
fn masked(address: IpAddr, prefix: u8) -> u128 {
    let (value, width) = match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let behind = u32::from(width - prefix.min(width));
    value.checked_shr(behind).and_then(|high| high.checked_shl(behind)).unwrap_or(0)
}

impl FromStr for Net {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(one, two)| (one, Some(two)));
        let address: IpAddr = address.parse().map_err(|_| NetError::Address(address.to_owned()))?;
        let most = bits(address);
        let Some(prefix) = prefix else { return Ok(Self { address, prefix: most }) };
        let known = prefix.parse().ok().filter(|number| *number <= most);
        let prefix = known.ok_or_else(|| NetError::Prefix { prefix: prefix.to_owned(), address, most })?;
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_and_networks_are_told_apart() {
        assert!(net("172.22.0.2").is_host() && net("fd2e::2").is_host() && net("172.22.0.2/32").is_host());
        assert_eq!(net("172.22.0.2/24").to_string(), "172.22.0.2/24");
        assert_eq!(net("172.22.0.2/24").network().to_string(), "172.22.0.0/24");
        assert_eq!(net("fd2e:1::2/64").network().to_string(), "fd2e:1::/64");
        assert_eq!(net("10.0.0.1/0").network().to_string(), "0.0.0.0/0");
        let said = |text: &str| text.parse::<Net>().unwrap_err().to_string();
        assert_eq!(said("eth1"), "`eth1` is no IP address");
        assert_eq!(said("172.22.0.2/33"), "`/33` is no prefix of 172.22.0.2: it goes from 0 to 32");
        assert_eq!(
            said("172.22.0.2/255.255.255.0"),
            "`/255.255.255.0` is no prefix of 172.22.0.2: it goes from 0 to 32"
        );
        assert_eq!(said(""), "`` is no IP address");
    }

    #[test]
    fn a_network_contains_what_lies_in_it() {
        assert!(net("172.22.0.1/24").contains(net("172.22.0.200")));
        assert!(net("172.22.0.1/24").contains(net("172.22.0.128/25")));
        assert!(!net("172.22.0.1/24").contains(net("172.22.0.0/16")));
        assert!(!net("172.22.0.1/24").contains(net("172.22.1.1")));
        assert!(net("::/0").contains(net("fd00::1")) && !net("::/0").contains(net("10.0.0.1")));
        assert!(net("10.0.0.1").contains(net("10.0.0.1")) && !net("10.0.0.1").contains(net("10.0.0.2")));
    }
}
