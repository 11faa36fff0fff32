//! Who answers DHCP on a network: the question, and the answers that count.
//!
//! A client that looks for a server sends a DISCOVER (RFC 2131), or for IPv6 a SOLICIT (RFC 8415), and every server that would serve it answers
//! with an offer. It has an address only once it requests one; that is never done here, so that no server leases anything. Answers come from
//! anybody on the network: what is not understood, or was not asked for, is passed over.

mod heard;
mod v4;
mod v6;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

pub use heard::{Heard, HeardError, heard};

/// How long servers may take to answer where nobody says otherwise: dnsmasq looks for three seconds whether the address that it is about to
/// offer is free.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(6);

/// Which of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// DHCP.
    V4,
    /// DHCPv6.
    V6,
}

impl Family {
    /// By which an address of this kind is given.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V4 => "DHCP",
            Self::V6 => "DHCPv6",
        })
    }
}

/// A question, by which its answers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which protocol.
    pub family: Family,
    /// Hardware address of the client that there is not.
    mac: [u8; 6],
    /// Number that every answer repeats. Of DHCPv6 only the lower three bytes count.
    transaction: u32,
}

/// A server that would serve a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which protocol.
    pub family: Family,
    /// The server: what it calls itself, or whom the answer came from.
    pub server: IpAddr,
    /// DUID by which a server of IPv6 is known, in hexadecimal with colons.
    pub duid: Option<String>,
    /// Hardware address that the answer came from, where it was seen: that of a router where the server is behind one.
    pub mac: Option<String>,
    /// The address that it would give; `None` where it has none left or gives only other things.
    pub offered: Option<IpAddr>,
}

/// As messages name it.
impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.server)?;
        if let Some(mac) = &self.mac {
            write!(f, " ({mac})")?;
        }
        match self.offered {
            Some(offered) => write!(f, ", which offers {offered}"),
            None => f.write_str(", which offers nothing"),
        }
    }
}

impl Question {
    /// A question with any two numbers that nobody else has: of `mac` five bytes are kept, in an address that no vendor gives.
    pub fn new(family: Family, mac: [u8; 6], transaction: u32) -> Self {
        // Locally administered, and no group.
        Self { family, mac: [0x02, mac[1], mac[2], mac[3], mac[4], mac[5]], transaction }
    }

    /// What is sent.
    pub fn datagram(&self) -> Vec<u8> {
        match self.family {
            Family::V4 => v4::discover(self.mac, self.transaction),
            Family::V6 => v6::solicit(self.mac, self.transaction),
        }
    }

    /// What a datagram that was heard answers to it; `None` where it is something else.
    pub fn answer(&self, heard: &Heard) -> Option<Answer> {
        let mac = heard.mac.clone();
        let (server, duid, offered) = match self.family {
            Family::V4 => {
                let offer = v4::offer(&heard.datagram, self.mac, self.transaction)?;
                (offer.server.map_or(heard.from, IpAddr::from), None, offer.offered.map(IpAddr::from))
            }
            Family::V6 => {
                let advertise = v6::advertise(&heard.datagram, self.mac, self.transaction)?;
                (heard.from, Some(advertise.server), advertise.offered.map(IpAddr::from))
            }
        };
        Some(Answer { family: self.family, server, duid, mac, offered })
    }

    /// Who answered, each server once, in order of their addresses.
    pub fn answers(&self, heard: &[Heard]) -> Vec<Answer> {
        let mut servers = BTreeMap::<(Option<String>, Option<IpAddr>), Answer>::new();
        for answer in heard.iter().filter_map(|heard| self.answer(heard)) {
            // A server of IPv6 may answer from several addresses, and is one.
            let server = Some(answer.server).filter(|_| answer.duid.is_none());
            let known = servers.entry((answer.duid.clone(), server)).or_insert_with(|| answer.clone());
            // Heard twice, it was seen only once where it came from.
            known.mac = known.mac.take().or(answer.mac);
            known.offered = known.offered.or(answer.offered);
        }
        let mut answers: Vec<Answer> = servers.into_values().collect();
        answers.sort_by_key(|answer| answer.server);
        answers
    }
}

/// Bytes in hexadecimal with colons.
fn with_colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: [u8; 6] = [0x02, 1, 2, 3, 4, 5];

    fn heard(from: &str, mac: Option<&str>, datagram: Vec<u8>) -> Heard {
        Heard { from: from.parse().unwrap(), mac: mac.map(str::to_owned), datagram }
    }

    #[test]
    fn the_client_that_asks_is_nobody() {
        let asked = Question::new(Family::V4, [0xff; 6], 7);
        assert_eq!(asked.mac[0] & 0b11, 0b10, "local, and no group");
        assert_eq!(&asked.datagram()[28..34], &[0x02, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn each_server_counts_once() {
        let asked = Question::new(Family::V4, MAC, 7);
        let offer = |server: [u8; 4], last: u8| v4::tests::offer(MAC, 7, Some(server), [172, 22, 0, last]);
        let all = [
            heard("172.22.0.9", Some("52:54:00:00:00:09"), offer([172, 22, 0, 9], 11)),
            heard("172.22.0.1", None, offer([172, 22, 0, 1], 10)),
            heard("172.22.0.1", Some("52:54:00:00:00:01"), offer([172, 22, 0, 1], 10)),
            // To another client, or by one that answers another question.
            heard("172.22.0.8", None, v4::tests::offer([2, 9, 9, 9, 9, 9], 7, None, [172, 22, 0, 12])),
            heard("172.22.0.8", None, v4::tests::offer(MAC, 8, None, [172, 22, 0, 12])),
        ];
        let answers = asked.answers(&all);
        let told: Vec<String> = answers
            .iter()
            .map(|answer| format!("{} {:?} {:?}", answer.server, answer.mac.as_deref(), answer.offered))
            .collect();
        assert_eq!(
            told,
            [
                "172.22.0.1 Some(\"52:54:00:00:00:01\") Some(172.22.0.10)",
                "172.22.0.9 Some(\"52:54:00:00:00:09\") Some(172.22.0.11)"
            ]
        );
    }

    #[test]
    fn a_server_of_ipv6_is_known_by_its_duid() {
        let asked = Question::new(Family::V6, MAC, 0xaabb_ccdd);
        let from = |from: &str, duid: &[u8]| {
            heard(from, None, v6::tests::advertise(MAC, 0xaabb_ccdd, duid, Some("fd2e::10"), 0))
        };
        let all = [from("fe80::1", &[0, 1, 9]), from("fe80::2", &[0, 1, 9]), from("fe80::3", &[0, 1, 8])];
        let answers = asked.answers(&all);
        let told: Vec<_> = answers.iter().map(|answer| (answer.server, answer.duid.as_deref())).collect();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(told, [(address("fe80::1"), Some("00:01:09")), (address("fe80::3"), Some("00:01:08"))]);
        assert_eq!(answers[0].offered, Some(address("fd2e::10")));
    }

    proptest! {
        #[test]
        fn whatever_is_heard_does_no_harm(
            datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..4),
            cut in 0usize..300,
            at in 0usize..300,
            byte in any::<u8>(),
        ) {
            let real = [
                v4::tests::offer(MAC, 7, Some([172, 22, 0, 1]), [172, 22, 0, 10]),
                v6::tests::advertise(MAC, 7, &[0, 1, 9], Some("fd2e::10"), 0),
            ];
            let damaged = real.iter().map(|whole| {
                let mut damaged = whole[..cut.min(whole.len())].to_vec();
                if let Some(place) = damaged.get_mut(at) {
                    *place = byte;
                }
                damaged
            });
            let all: Vec<Heard> =
                datagrams.into_iter().chain(damaged).map(|datagram| heard("172.22.0.1", None, datagram)).collect();
            for family in [Family::V4, Family::V6] {
                prop_assert!(Question::new(family, MAC, 7).answers(&all).len() <= all.len());
            }
        }
    }
}
