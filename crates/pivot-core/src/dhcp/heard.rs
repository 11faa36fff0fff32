//! What was heard on a network, as the program that listens there prints it.

use std::net::IpAddr;

/// A datagram that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whom it came from.
    pub from: IpAddr,
    /// By which hardware address, where that was seen.
    pub mac: Option<String>,
    /// What it says.
    pub datagram: Vec<u8>,
}

/// A line of another form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no datagram")]
pub struct HeardError {
    /// Its number, from 1.
    line: usize,
}

/// Reads lines of three words: an address, a hardware address or `-`, and the datagram in hexadecimal.
pub fn heard(printed: &[u8]) -> Result<Vec<Heard>, HeardError> {
    let text = String::from_utf8_lossy(printed);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, line)| read(line).ok_or(HeardError { line: index + 1 })).collect()
}

fn read(line: &str) -> Option<Heard> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[from, mac, hex] = words.as_slice() else { return None };
    // An address of a link may name its interface.
    let from = from.split('%').next()?.parse().ok()?;
    let is_mac = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
    let mac = match mac {
        "-" => None,
        mac if mac.bytes().all(is_mac) => Some(mac.to_owned()),
        _ => return None,
    };
    Some(Heard { from, mac, datagram: bytes(hex)? })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if !hex.len().is_multiple_of(2) {
        return None;
    }
    let pair = |pair: &[u8]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    hex.as_bytes().chunks_exact(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read() {
        let read = heard(b"172.22.0.1 52:54:00:00:00:01 02fF\n\nfe80::1%eth1 - 00\n").unwrap();
        let mac = Some("52:54:00:00:00:01".to_owned());
        assert_eq!(read[0], Heard { from: "172.22.0.1".parse().unwrap(), mac, datagram: vec![2, 255] });
        assert_eq!(read[1], Heard { from: "fe80::1".parse().unwrap(), mac: None, datagram: vec![0] });
        for bad in
            ["172.22.0.1 -", "nobody - 00", "172.22.0.1 - 0", "172.22.0.1 - 0g", "172.22.0.1 \u{1b}[1m 00"]
        {
            let error = heard(format!("172.22.0.1 - 00\n{bad}").as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "line 2 is no datagram", "{bad}");
        }
        assert_eq!(heard(b""), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn whatever_is_printed_does_no_harm(printed in prop::collection::vec(any::<u8>(), 0..200)) {
            heard(&printed).ok();
        }
    }
}
