//! DHCP: RFC 2131 and 2132.

use std::net::Ipv4Addr;

/// Bytes before the options: the fixed fields and the magic cookie.
const HEAD: usize = 240;
/// What the options begin with.
const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// Servers may drop what is shorter than a BOOTP message.
const SHORTEST: usize = 300;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const ETHERNET: u8 = 1;
/// The answer is to be a broadcast: there is no client that has the address it would be sent to.
const BROADCAST: [u8; 2] = [0x80, 0x00];

const PAD: u8 = 0;
const MESSAGE_TYPE: u8 = 53;
const SERVER: u8 = 54;
const WANTED: u8 = 55;
const CLIENT: u8 = 61;
const END: u8 = 255;
/// Mask and router: what any client asks for.
const USUAL: [u8; 2] = [1, 3];

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;

/// What an OFFER says.
pub(super) struct Offer {
    /// What the server calls itself.
    pub(super) server: Option<Ipv4Addr>,
    /// The address that it would give.
    pub(super) offered: Option<Ipv4Addr>,
}

/// A DISCOVER.
pub(super) fn discover(mac: [u8; 6], transaction: u32) -> Vec<u8> {
    let mut message = vec![REQUEST, ETHERNET, 6, 0];
    message.extend(transaction.to_be_bytes());
    // No time has passed.
    message.extend([0, 0]);
    message.extend(BROADCAST);
    // No address of the client, of a server or of a relay.
    message.extend([0; 16]);
    message.extend(mac);
    message.resize(HEAD - COOKIE.len(), 0);
    message.extend(COOKIE);
    message.extend([MESSAGE_TYPE, 1, DISCOVER]);
    message.extend([CLIENT, 7, ETHERNET]);
    message.extend(mac);
    message.extend([WANTED, 2]);
    message.extend(USUAL);
    message.push(END);
    message.resize(message.len().max(SHORTEST), PAD);
    message
}

/// Reads an OFFER to that client and question.
pub(super) fn offer(message: &[u8], mac: [u8; 6], transaction: u32) -> Option<Offer> {
    let head = message.get(..HEAD)?;
    let is_ours = head[0] == REPLY
        && head[4..8] == transaction.to_be_bytes()
        && head[28..34] == mac
        && head[236..] == COOKIE;
    if !is_ours {
        return None;
    }
    let mut kind = None;
    let mut server = None;
    let mut rest = &message[HEAD..];
    while let Some((&code, behind)) = rest.split_first() {
        match code {
            PAD => rest = behind,
            END => break,
            _ => {
                // What is cut off is passed over with all behind it.
                let Some((&length, behind)) = behind.split_first() else { break };
                let Some((value, behind)) = behind.split_at_checked(length.into()) else { break };
                match code {
                    MESSAGE_TYPE => kind = value.first().copied(),
                    SERVER => server = <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from),
                    _ => {}
                }
                rest = behind;
            }
        }
    }
    let given = |address: Ipv4Addr| Some(address).filter(|address| !address.is_unspecified());
    let offered = Ipv4Addr::new(head[16], head[17], head[18], head[19]);
    (kind == Some(OFFER)).then(|| Offer { server: server.and_then(given), offered: given(offered) })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 1, 2, 3, 4, 5];

    /// As dnsmasq builds one.
    pub(in super::super) fn offer(
        mac: [u8; 6],
        transaction: u32,
        server: Option<[u8; 4]>,
        offered: [u8; 4],
    ) -> Vec<u8> {
        let mut message = discover(mac, transaction);
        message[0] = REPLY;
        message[16..20].copy_from_slice(&offered);
        message.truncate(HEAD);
        message.extend([PAD, MESSAGE_TYPE, 1, OFFER, 51, 4, 0, 0, 14, 16]);
        if let Some(server) = server {
            message.extend([SERVER, 4]);
            message.extend(server);
        }
        message.push(END);
        message
    }

    #[test]
    fn a_discover_asks_and_requests_nothing() {
        let message = discover(MAC, 0x1122_3344);
        assert_eq!(message.len(), SHORTEST);
        assert_eq!(&message[..12], &[1, 1, 6, 0, 0x11, 0x22, 0x33, 0x44, 0, 0, 0x80, 0]);
        assert_eq!(&message[28..34], &MAC);
        assert_eq!(&message[236..243], &[0x63, 0x82, 0x53, 0x63, MESSAGE_TYPE, 1, DISCOVER]);
        // Neither "requested address" nor "server": with these a server would take it for more.
        assert!(!message[HEAD..].windows(2).any(|pair| pair == [50, 4] || pair == [SERVER, 4]));
    }

    #[test]
    fn an_offer_is_read() {
        let read = |message: &[u8]| super::offer(message, MAC, 7).map(|offer| (offer.server, offer.offered));
        let whole = offer(MAC, 7, Some([172, 22, 0, 1]), [172, 22, 0, 10]);
        let (server, offered) = (Ipv4Addr::new(172, 22, 0, 1), Ipv4Addr::new(172, 22, 0, 10));
        assert_eq!(read(&whole), Some((Some(server), Some(offered))));
        assert_eq!(read(&offer(MAC, 7, None, [0; 4])), Some((None, None)));
        for (place, value) in [(0, REQUEST), (7, 8), (33, 9), (236, 0), (243, 5)] {
            let mut other = whole.clone();
            other[place] = value;
            assert_eq!(read(&other), None, "{place}");
        }
        assert_eq!(read(&whole[..HEAD]), None, "nothing says that it is an offer");
        assert_eq!(read(&discover(MAC, 7)), None, "what was asked, heard again");
    }
}
