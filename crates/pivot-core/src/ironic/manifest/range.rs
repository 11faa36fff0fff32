//! A range of addresses that dnsmasq hands out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use crate::network::Net;

/// Shortest prefix that dnsmasq takes for a range of IPv6.
const SHORTEST_V6: u8 = 64;

/// A range as dnsmasq's option `dhcp-range` names it: `BEGIN,END`, and behind it perhaps a netmask or prefix and a lease time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpRange {
    begin: IpAddr,
    end: IpAddr,
    more: Vec<String>,
}

/// A text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Not two words with a comma between them.
    #[error("`{0}` is no range: it has not the form BEGIN,END")]
    Form(String),
    /// One of the two.
    #[error("`{0}` is no IP address")]
    Address(String),
    /// What follows them.
    #[error("`{0}` is nothing that dnsmasq takes behind a range")]
    More(String),
    /// One of each family.
    #[error("{begin} and {end} are not of one family")]
    Families {
        /// The first address.
        begin: IpAddr,
        /// The last one.
        end: IpAddr,
    },
    /// The wrong way round.
    #[error("the range begins at {begin}, behind its end {end}")]
    Reversed {
        /// The first address.
        begin: IpAddr,
        /// The last one.
        end: IpAddr,
    },
}

impl DhcpRange {
    /// The first address.
    pub fn begin(&self) -> IpAddr {
        self.begin
    }

    /// The last address.
    pub fn end(&self) -> IpAddr {
        self.end
    }

    /// What stands behind the addresses.
    pub fn more(&self) -> &[String] {
        &self.more
    }

    /// True where the address may be handed out.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.begin.is_ipv4() && (self.begin..=self.end).contains(&address)
    }

    /// True where both hand out some address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.begin) || other.contains(self.begin)
    }

    /// The network that the range names itself, as one must that is reached through a relay.
    pub fn own_network(&self) -> Option<Net> {
        let prefix = self.more.iter().find_map(|word| match self.begin {
            IpAddr::V4(_) => prefix_of(word.parse().ok()?),
            IpAddr::V6(_) => word.parse().ok().filter(|prefix| (1..=128).contains(prefix)),
        })?;
        Some(Net { address: self.begin, prefix }.network())
    }

    /// The network in which both ends have to be, of that of an interface.
    pub(super) fn within(&self, network: Net) -> Net {
        let prefix = if self.begin.is_ipv6() { network.prefix.max(SHORTEST_V6) } else { network.prefix };
        Net { address: self.begin, prefix }.network()
    }

    /// The option's value on an interface of that network: dnsmasq takes a range of IPv6 for one of a /64 where nothing is said.
    pub(super) fn option(&self, network: Net) -> String {
        let unsaid = self.begin.is_ipv6()
            && self.own_network().is_none()
            && network.prefix > SHORTEST_V6
            && network.contains(Net::host(self.begin));
        let mut words = vec![self.begin.to_string(), self.end.to_string()];
        words.extend(unsaid.then(|| network.prefix.to_string()));
        words.extend(self.more.iter().cloned());
        words.join(",")
    }
}

/// The prefix of a netmask.
fn prefix_of(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    let is_mask = bits != 0 && bits.leading_ones() + bits.trailing_zeros() >= u32::BITS;
    is_mask.then(|| u8::try_from(bits.leading_ones()).ok()).flatten()
}

impl FromStr for DhcpRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let mut words = text.split(',').map(str::trim);
        let (Some(begin), Some(end)) = (words.next(), words.next()) else {
            return Err(RangeError::Form(text.to_owned()));
        };
        let address = |word: &str| word.parse().map_err(|_| RangeError::Address(word.to_owned()));
        let (begin, end): (IpAddr, IpAddr) = (address(begin)?, address(end)?);
        if begin.is_ipv4() != end.is_ipv4() {
            return Err(RangeError::Families { begin, end });
        }
        if begin > end {
            return Err(RangeError::Reversed { begin, end });
        }
        let more: Vec<String> = words.map(str::to_owned).collect();
        let is_plain =
            |word: &&String| !word.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_".contains(&b));
        match more.iter().find(|word| word.is_empty() || is_plain(word)) {
            Some(word) => Err(RangeError::More(word.clone())),
            None => Ok(Self { begin, end, more }),
        }
    }
}

impl fmt::Display for DhcpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.begin, self.end)?;
        self.more.iter().try_for_each(|word| write!(f, ",{word}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(text: &str) -> DhcpRange {
        text.parse().unwrap()
    }

    fn net(text: &str) -> Net {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_range_is_told() {
        let said = |text: &str| text.parse::<DhcpRange>().unwrap_err().to_string();
        assert_eq!(said("172.22.0.10"), "`172.22.0.10` is no range: it has not the form BEGIN,END");
        assert_eq!(said("172.22.0.10,"), "`` is no IP address");
        assert_eq!(
            said("172.22.0.10-172.22.0.100,172.22.0.200"),
            "`172.22.0.10-172.22.0.100` is no IP address"
        );
        assert_eq!(
            said("172.22.0.100,172.22.0.10"),
            "the range begins at 172.22.0.100, behind its end 172.22.0.10"
        );
        assert_eq!(said("172.22.0.10,fd2e::10"), "172.22.0.10 and fd2e::10 are not of one family");
        assert_eq!(
            said("172.22.0.10,172.22.0.20,1h\nuser=root"),
            "`1h\nuser=root` is nothing that dnsmasq takes behind a range"
        );
        assert_eq!(said("172.22.0.10,172.22.0.20,"), "`` is nothing that dnsmasq takes behind a range");
    }

    #[test]
    fn a_range_may_name_its_network() {
        let own = |text: &str| range(text).own_network().map(|net| net.to_string());
        assert_eq!(own("172.23.0.10,172.23.0.20,255.255.0.0,1h").as_deref(), Some("172.23.0.0/16"));
        assert_eq!(own("172.23.0.10,172.23.0.20,1h"), None);
        assert_eq!(own("172.23.0.10,172.23.0.20,255.0.255.0"), None);
        assert_eq!(own("fd2e::10,fd2e::20,112").as_deref(), Some("fd2e::/112"));
        assert_eq!(own("fd2e::10,fd2e::20,3600"), None);
    }

    #[test]
    fn dnsmasq_is_told_a_prefix_that_it_would_not_guess() {
        let option = |text: &str, on: &str| range(text).option(net(on));
        assert_eq!(option("172.22.0.10, 172.22.0.20", "172.22.0.0/24"), "172.22.0.10,172.22.0.20");
        assert_eq!(option("fd2e::10,fd2e::20", "fd2e::/64"), "fd2e::10,fd2e::20");
        assert_eq!(option("fd2e::10,fd2e::20,1h", "fd2e::/112"), "fd2e::10,fd2e::20,112,1h");
        assert_eq!(option("fd2e::10,fd2e::20,112", "fd2e::/112"), "fd2e::10,fd2e::20,112");
        assert_eq!(range("fd2e::10,fd2e::20").within(net("fd2e::/48")), net("fd2e::/64"));
    }

    proptest! {
        #[test]
        fn a_range_is_written_as_it_was_read(low in any::<u32>(), count in any::<u8>(), more in prop::option::of("[1-9][0-9]{0,3}[hm]")) {
            let end = low.saturating_add(count.into());
            let mut text = format!("{},{}", Ipv4Addr::from(low), Ipv4Addr::from(end));
            text.extend(more.into_iter().flat_map(|more| [",".to_owned(), more]));
            let read: DhcpRange = text.parse().unwrap();
            prop_assert_eq!(read.to_string(), text);
            prop_assert!(read.contains(read.end()) && read.overlaps(&read));
        }

        #[test]
        fn no_text_does_harm(text in any::<String>()) {
            // Whatever it is: an answer.
            let _ = text.parse::<DhcpRange>();
        }
    }
}
