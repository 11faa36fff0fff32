//! Errors of machines, their interfaces and the leases that are found there.

use pivot::host::{DhcpError, Host, HostError, NetworkError};
use pivot_core::network::{FindError, Net, NetError};

use super::CommandError;

/// What to do about a provisioning interface without an address that stays.
pub(super) const STATIC_ADDRESS: &str = "give it one before Ironic starts: keepalived needs it to carry the endpoint address, and an interface \
                                         that serves DHCP cannot be served by it";

impl From<HostError> for CommandError {
    fn from(error: HostError) -> Self {
        let message = error.to_string();
        let (id, hint) = match error {
            HostError::Start { program, .. } => {
                ("program-missing", format!("install `{program}` on this machine, or check the PATH"))
            }
            HostError::NoProgram { program, host } => (
                "program-missing",
                format!("install `{program}` on {host}, or check the PATH of a login there"),
            ),
            HostError::Unreachable { host, .. } => (
                "host-unreachable",
                format!(
                    "`ssh -o BatchMode=yes {host} true` must work without a question: check name, key and known hosts"
                ),
            ),
            HostError::Silent { .. } => {
                ("host-silent", "look at what holds the machine up, then run the command again".to_owned())
            }
            HostError::NoNamespace { .. } => {
                ("netns-missing", "`ip netns list` tells the names; those of containers have none".to_owned())
            }
            HostError::Denied { .. } => {
                ("host-denied", "log in as a user who may do this, or use --sudo".to_owned())
            }
            HostError::Failed { .. } => (
                "host-command-failed",
                "correct what the program says, then run the command again".to_owned(),
            ),
            HostError::Answer { .. } => {
                ("host-answer", "compare the program's version on that machine with others".to_owned())
            }
        };
        Self::failed(id, message).hinted(hint)
    }
}

impl From<NetworkError> for CommandError {
    fn from(error: NetworkError) -> Self {
        let message = error.to_string();
        match error {
            NetworkError::Host(error) => error.into(),
            NetworkError::Find { error: FindError::Nowhere { .. }, there, .. } => {
                Self::failed("interface-not-found", message).with_details(there).hinted(
                    "give the interface of that network an address in it, or look for another network",
                )
            }
            NetworkError::Find { error: FindError::Several { .. }, there, .. } => {
                Self::failed("interface-ambiguous", message)
                    .with_details(there)
                    .hinted("look for an address that only one of them carries, or name the interface")
            }
            NetworkError::NoInterface { there, .. } => {
                Self::failed("interface-unknown", message).with_details(there).hinted("name one of these")
            }
            NetworkError::Ambiguous { .. } => Self::failed("address-ambiguous", message)
                .hinted("take the one that is meant off with `ip address del`"),
            NetworkError::Back { .. } => Self::failed("address-back", message)
                .hinted("stop keepalived, or what else configures the interface, then run the command again"),
            NetworkError::Lost { .. } => {
                Self::failed("address-lost", message).hinted("put these back with `ip address add`, now")
            }
        }
    }
}

impl From<DhcpError> for CommandError {
    fn from(error: DhcpError) -> Self {
        let message = error.to_string();
        match error {
            DhcpError::Network(error) => error.into(),
            DhcpError::NoProgram { host } => Self::failed("program-missing", message)
                .hinted(format!("install `python3` on {host}, or ask from another machine on that network")),
            DhcpError::Down { .. } => Self::interface_down(message),
            DhcpError::NoCarrier { .. } => Self::failed("interface-no-carrier", message)
                .hinted("look at its cable, or at the parts of its bridge, or ask from another machine on that network"),
            DhcpError::NoLinkLocal { .. } => Self::failed("link-local-missing", message)
                .hinted("switch IPv6 on there, or ask for DHCP alone with --family v4"),
        }
    }
}

impl CommandError {
    /// An interface that is switched off.
    pub(crate) fn interface_down(message: String) -> Self {
        Self::failed("interface-down", message).hinted("switch it on with `ip link set`")
    }

    /// A network that an interface leads to and is not on.
    pub(crate) fn not_on_link(interface: &str, host: &Host, wanted: Net) -> Self {
        Self::failed(
            "interface-not-on-link",
            format!("{interface} of {host} leads to {wanted} and is not on that network"),
        )
        .hinted("no DHCP gets through a router: name a machine with an interface on that network")
    }

    /// What stands where an address or network should.
    pub(crate) fn no_network(flag: &str, error: &NetError) -> Self {
        Self::usage("address-malformed", format!("{flag}: {error}"))
            .hinted("write an address (172.22.0.2) or a network (172.22.0.0/24)")
    }

    /// An interface without an address that stays.
    pub(crate) fn no_static_address(interface: &str, host: &Host, there: Vec<String>) -> Self {
        Self::failed("static-address-missing", format!("{interface} of {host} has no static address"))
            .with_details(there)
            .hinted(STATIC_ADDRESS)
    }
}
