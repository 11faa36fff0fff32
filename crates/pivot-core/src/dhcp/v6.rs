//! DHCPv6: RFC 8415.

use std::net::Ipv6Addr;

use super::with_colons;

const SOLICIT: u8 = 1;
const ADVERTISE: u8 = 2;

const CLIENT: u16 = 1;
const SERVER: u16 = 2;
const ADDRESSES: u16 = 3;
const ADDRESS: u16 = 5;
const WANTED: u16 = 6;
const ELAPSED: u16 = 8;
const NAME_SERVERS: u16 = 23;

/// A client that is known by its hardware address alone, which is one of Ethernet.
const DUID_OF_ADDRESS: [u8; 4] = [0, 3, 0, 1];
/// Bytes of an identity association before its options: its number, and two times.
const ASSOCIATION: usize = 12;

/// What an ADVERTISE says.
pub(super) struct Advertise {
    /// The server's DUID.
    pub(super) server: String,
    /// The address that it would give.
    pub(super) offered: Option<Ipv6Addr>,
}

/// A SOLICIT. It does not ask for a rapid commit, which would be a lease.
pub(super) fn solicit(mac: [u8; 6], transaction: u32) -> Vec<u8> {
    let mut message = head(SOLICIT, transaction).to_vec();
    push(&mut message, CLIENT, &duid(mac));
    let association = [&[mac[2], mac[3], mac[4], mac[5]], [0; 8].as_slice()].concat();
    push(&mut message, ADDRESSES, &association);
    push(&mut message, ELAPSED, &[0, 0]);
    push(&mut message, WANTED, &NAME_SERVERS.to_be_bytes());
    message
}

/// Reads an ADVERTISE to that client and question.
pub(super) fn advertise(message: &[u8], mac: [u8; 6], transaction: u32) -> Option<Advertise> {
    let (begin, options) = message.split_at_checked(4)?;
    if begin != head(ADVERTISE, transaction) {
        return None;
    }
    let mut is_ours = false;
    let mut server = None;
    let mut offered = None;
    for (code, value) in Options(options) {
        match code {
            CLIENT => is_ours = value == duid(mac),
            SERVER => server = Some(with_colons(value)),
            ADDRESSES => {
                let inner = value.get(ASSOCIATION..).unwrap_or_default();
                let first = Options(inner).find(|(code, _)| *code == ADDRESS);
                let address = first.and_then(|(_, value)| value.first_chunk::<16>());
                offered = offered.or(address.map(|address| Ipv6Addr::from(*address)));
            }
            _ => {}
        }
    }
    is_ours.then_some(Advertise { server: server?, offered })
}

fn head(kind: u8, transaction: u32) -> [u8; 4] {
    let [_, one, two, three] = transaction.to_be_bytes();
    [kind, one, two, three]
}

fn duid(mac: [u8; 6]) -> Vec<u8> {
    [DUID_OF_ADDRESS.as_slice(), &mac].concat()
}

fn push(message: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).expect("BUG: an option of ours is short");
    message.extend(code.to_be_bytes());
    message.extend(length.to_be_bytes());
    message.extend(value);
}

/// Options one after the other; what is cut off ends them.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[one, two, three, four], rest) = self.0.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(u16::from_be_bytes([three, four]).into())?;
        self.0 = rest;
        Some((u16::from_be_bytes([one, two]), value))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 1, 2, 3, 4, 5];

    /// As dnsmasq builds one; a status other than 0 says why there is no address.
    pub(in super::super) fn advertise(
        mac: [u8; 6],
        transaction: u32,
        server: &[u8],
        offered: Option<&str>,
        status: u16,
    ) -> Vec<u8> {
        let mut message = head(ADVERTISE, transaction).to_vec();
        push(&mut message, CLIENT, &duid(mac));
        push(&mut message, SERVER, server);
        let mut association = vec![0; ASSOCIATION];
        if let Some(offered) = offered {
            let address: Ipv6Addr = offered.parse().unwrap();
            push(&mut association, ADDRESS, &[address.octets().as_slice(), &[0; 8]].concat());
            push(&mut message, ADDRESSES, &association);
        }
        push(&mut message, 13, &status.to_be_bytes());
        message
    }

    #[test]
    fn a_solicit_asks_and_requests_nothing() {
        let message = solicit(MAC, 0xaa11_2233);
        assert_eq!(message[..4], [SOLICIT, 0x11, 0x22, 0x33]);
        let options: Vec<(u16, &[u8])> = Options(&message[4..]).collect();
        let codes: Vec<u16> = options.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [CLIENT, ADDRESSES, ELAPSED, WANTED], "no rapid commit (14), no server");
        assert_eq!(options[0].1, [0, 3, 0, 1, 2, 1, 2, 3, 4, 5]);
        assert_eq!(options[1].1.len(), ASSOCIATION, "it names no address");
    }

    #[test]
    fn an_advertise_is_read() {
        let read = |message: &[u8]| {
            super::advertise(message, MAC, 7).map(|advertise| (advertise.server, advertise.offered))
        };
        let whole = advertise(MAC, 7, &[0, 1, 9], Some("fd2e::10"), 0);
        let server = "00:01:09".to_owned();
        assert_eq!(read(&whole), Some((server.clone(), Some("fd2e::10".parse().unwrap()))));
        assert_eq!(read(&advertise(MAC, 7, &[0, 1, 9], None, 2)), Some((server, None)), "it has none left");
        assert_eq!(read(&advertise(MAC, 8, &[0, 1, 9], None, 0)), None);
        assert_eq!(read(&advertise([2, 9, 9, 9, 9, 9], 7, &[0, 1, 9], None, 0)), None);
        assert_eq!(read(&whole[..18]), None, "without a server");
        assert_eq!(read(&solicit(MAC, 7)), None, "what was asked, heard again");
    }
}
