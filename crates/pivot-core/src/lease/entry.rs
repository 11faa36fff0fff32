//! One lease: a line of the file.

use std::fmt;
use std::net::IpAddr;

/// Longest words that dnsmasq reads, in bytes: one byte more and the rest is taken for the next word.
const LONGEST_WORD: usize = 255;
const LONGEST_ADDRESS: usize = 64;
const LONGEST_CLIENT_ID: usize = 764;

/// Bytes of a hardware address that dnsmasq keeps (`DHCP_CHADDR_MAX`).
const LONGEST_HARDWARE: usize = 16;

/// Until when a lease holds. A later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// Until a moment, in seconds since 1970.
    At(u64),
    /// For ever; `0` in the file.
    Never,
}

impl Expiry {
    /// True where it is over at that moment, in seconds since 1970.
    pub fn is_over(self, now: u64) -> bool {
        matches!(self, Self::At(end) if end < now)
    }
}

/// By what dnsmasq knows a client again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// IPv4.
    V4 {
        /// MAC address, with the hardware type before it where it is no Ethernet (`06-…`).
        hardware: String,
        /// What the client calls itself, which counts more than its MAC address.
        id: Option<String>,
    },
    /// IPv6.
    V6 {
        /// Identity association: the interface, as the client numbers it.
        iaid: u32,
        /// True for a temporary address.
        temporary: bool,
        /// DUID of the client.
        duid: Option<String>,
    },
}

impl Client {
    /// True where dnsmasq takes both for one client.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::V4 { hardware, id }, Self::V4 { hardware: other_hardware, id: other_id }) => {
                match (id, other_id) {
                    (Some(id), Some(other_id)) => id.eq_ignore_ascii_case(other_id),
                    _ => !hardware.ends_with('-') && hardware.eq_ignore_ascii_case(other_hardware),
                }
            }
            (
                Self::V6 { iaid, temporary, duid: Some(duid) },
                Self::V6 { iaid: other_iaid, temporary: other_temporary, duid: Some(other_duid) },
            ) => {
                // A client may hold several temporary addresses.
                !temporary && !other_temporary && iaid == other_iaid && duid.eq_ignore_ascii_case(other_duid)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4 { hardware, .. } => f.write_str(hardware),
            Self::V6 { duid, .. } => f.write_str(duid.as_deref().unwrap_or("a client without a DUID")),
        }
    }
}

/// A lease. Its words are kept as they stood, so that it is written as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    words: [String; 5],
    expiry: Expiry,
    address: IpAddr,
    client: Client,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// It is no text.
    #[error("it is not UTF-8")]
    NotText,
    /// Too few words or too many.
    #[error("it has {0} words where a lease has 5")]
    Words(usize),
    /// The first word.
    #[error("`{0}` is no time in seconds")]
    Expiry(String),
    /// The third word.
    #[error("`{0}` is no IP address")]
    Address(String),
    /// The second word of an IPv4 lease.
    #[error("`{0}` is no hardware address")]
    Hardware(String),
    /// The second word of an IPv6 lease.
    #[error("`{0}` is no IAID")]
    Iaid(String),
    /// The last word.
    #[error("`{0}` is neither a client id nor `*`")]
    ClientId(String),
    /// A word that dnsmasq cuts in two.
    #[error("one of its words is longer than the {0} bytes that dnsmasq reads")]
    Long(usize),
    /// A `duid` line.
    #[error("`{0}` is no DUID")]
    Duid(String),
    /// Another `duid` line.
    #[error("there is another DUID of the server before it")]
    SecondDuid,
    /// The address stands in another line too.
    #[error("another line gives {address} to {to}, for as long or longer")]
    Twice {
        /// The address.
        address: IpAddr,
        /// Who has it there.
        to: String,
    },
}

impl Lease {
    /// Reads a line of the file, of which the words are already told apart.
    pub(super) fn read(words: &[&str]) -> Result<Self, LineProblem> {
        let &[expiry, who, address, name, id] = words else { return Err(LineProblem::Words(words.len())) };
        let limits = [LONGEST_WORD, LONGEST_WORD, LONGEST_ADDRESS, LONGEST_WORD, LONGEST_CLIENT_ID];
        for (word, limit) in [expiry, who, address, name, id].into_iter().zip(limits) {
            if word.len() > limit {
                return Err(LineProblem::Long(limit));
            }
        }
        let parsed_expiry = match expiry.bytes().all(|b| b.is_ascii_digit()).then(|| expiry.parse()) {
            Some(Ok(0)) => Expiry::Never,
            Some(Ok(end)) => Expiry::At(end),
            Some(Err(_)) | None => return Err(LineProblem::Expiry(expiry.to_owned())),
        };
        let parsed: IpAddr = address.parse().map_err(|_| LineProblem::Address(address.to_owned()))?;
        let client_id = match id {
            "*" => None,
            id if is_hex(id, LONGEST_WORD) => Some(id.to_owned()),
            id => return Err(LineProblem::ClientId(id.to_owned())),
        };
        let client = match parsed {
            IpAddr::V4(_) if is_hardware(who) => Client::V4 { hardware: who.to_owned(), id: client_id },
            IpAddr::V4(_) => return Err(LineProblem::Hardware(who.to_owned())),
            IpAddr::V6(_) => {
                let (temporary, number) = who.strip_prefix('T').map_or((false, who), |rest| (true, rest));
                let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
                let iaid = digits.then(|| number.parse().ok()).flatten();
                let iaid = iaid.ok_or_else(|| LineProblem::Iaid(who.to_owned()))?;
                Client::V6 { iaid, temporary, duid: client_id }
            }
        };
        let words = [expiry, who, address, name, id].map(str::to_owned);
        Ok(Self { words, expiry: parsed_expiry, address: parsed, client })
    }

    /// Until when it holds.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// The address that is leased.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// To whom.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The name that the client gave itself or was given.
    pub fn hostname(&self) -> Option<&str> {
        Some(self.words[3].as_str()).filter(|name| *name != "*")
    }

    /// True where dnsmasq knows the client of the other by this one's address.
    pub fn is_v6(&self) -> bool {
        self.address.is_ipv6()
    }
}

/// As it stands in the file, without the end of the line.
impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// Pairs of hexadecimal digits with colons between them, no more than `most` of them.
pub(super) fn is_hex(text: &str, most: usize) -> bool {
    let mut count = 0;
    let pairs = text.split(':').all(|pair| {
        count += 1;
        pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit())
    });
    pairs && count <= most
}

/// `52:54:00:00:00:01`, or with a hardware type before it (`20-…`), behind which nothing need stand.
fn is_hardware(text: &str) -> bool {
    match text.split_once('-') {
        Some((kind, rest)) => is_hex(kind, 1) && (rest.is_empty() || is_hex(rest, LONGEST_HARDWARE)),
        None => is_hex(text, LONGEST_HARDWARE),
    }
}
