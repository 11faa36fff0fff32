//! Who listens on the ports of Ironic, as the kernel tells it.

use std::fmt;

/// Ports by which Ironic acts. Web servers of images do no harm and may be anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// DHCP.
    Dhcp,
    /// DHCPv6.
    Dhcp6,
    /// Ironic's API.
    Api,
    /// The inspector's, until there was none.
    Inspector,
}

impl Port {
    const ALL: [(Self, Listener); 4] = [
        (Self::Dhcp, Listener { tcp: false, port: 67 }),
        (Self::Dhcp6, Listener { tcp: false, port: 547 }),
        (Self::Api, Listener { tcp: true, port: 6385 }),
        (Self::Inspector, Listener { tcp: true, port: 5050 }),
    ];
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dhcp => "a DHCP server (udp/67)",
            Self::Dhcp6 => "a DHCPv6 server (udp/547)",
            Self::Api => "Ironic's API (tcp/6385)",
            Self::Inspector => "the inspector (tcp/5050)",
        })
    }
}

/// A socket that waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// TCP, or UDP.
    pub tcp: bool,
    /// Its port.
    pub port: u16,
}

/// Which of Ironic's ports are open, of what `/proc/net` holds behind lines `# tcp`, `# tcp6`, `# udp` and `# udp6`.
pub fn listeners(printed: &str) -> Vec<Port> {
    let mut tcp = false;
    let mut open = Vec::new();
    for line in printed.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            tcp = name.starts_with("tcp");
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        // Number, own address, other's address, state.
        let &[_, own, _, state, ..] = words.as_slice() else { continue };
        let Some(port) = own.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok()) else {
            continue;
        };
        // TCP listens in state 0A; a UDP socket that speaks with nobody in particular is in state 07.
        if state == if tcp { "0A" } else { "07" } {
            let known = Port::ALL.iter().find(|(_, listener)| *listener == Listener { tcp, port });
            open.extend(known.map(|(port, _)| *port));
        }
    }
    open.sort_unstable();
    open.dedup();
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_ports_are_told_from_connections() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let printed = format!(
            "# tcp\n{head}   0: 00000000:18F1 00000000:0000 0A 00000000:00000000\n\
             \x20  1: 0100007F:13BA 0100007F:9999 01 00000000:00000000\n# udp\n{head}\
             \x20 11: 00000000:0043 00000000:0000 07 00000000:00000000\n# udp6\n{head}\
             \x20 12: 00000000000000000000000000000000:0223 00000000000000000000000000000000:0000 07 0\n"
        );
        assert_eq!(listeners(&printed), [Port::Dhcp, Port::Dhcp6, Port::Api]);
        assert_eq!(listeners(""), []);
    }
}
