//! Why Ironic could not be stopped or started.

use std::net::IpAddr;

use crate::host::{HostError, NetworkError};

/// Ironic is not as it was asked to be. What is stopped stays stopped, and what runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum IronicError {
    /// The machine.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Its addresses.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The machine runs no containers.
    #[error("{host} has neither podman nor docker")]
    NoEngine {
        /// How messages call the machine.
        host: String,
    },
    /// A container that is removed when it stops could not be started again.
    #[error("container {name} of {host} is removed when it stops (--rm): it could not be started again")]
    Vanishes {
        /// How messages call the machine.
        host: String,
        /// Its name.
        name: String,
    },
    /// A container that was saved is not there any more, or another has its name.
    #[error("container {name} of {host}, which ran before the stop, is not there any more")]
    Gone {
        /// How messages call the machine.
        host: String,
        /// Its name.
        name: String,
    },
    /// A container that will not stop.
    #[error("container {name} of {host} still runs (process {pid})")]
    Runs {
        /// How messages call the machine.
        host: String,
        /// Its name.
        name: String,
        /// Its first process.
        pid: u64,
    },
    /// A container that will not run.
    #[error("container {name} of {host} was started and does not run")]
    DoesNotRun {
        /// How messages call the machine.
        host: String,
        /// Its name.
        name: String,
    },
    /// All containers are gone, and somebody acts as Ironic nevertheless.
    #[error("{host} still has {what}")]
    Listens {
        /// How messages call the machine.
        host: String,
        /// What listens.
        what: String,
    },
    /// Before anything was started.
    #[error("nothing was started: {0}")]
    NotBegun(Box<Self>),
    /// No interface has a static address in the network of the endpoint.
    #[error("no interface of {host} has a static address in the network of {endpoint}")]
    NoStaticAddress {
        /// How messages call the machine.
        host: String,
        /// The endpoint address.
        endpoint: IpAddr,
        /// Interfaces and their addresses, a line each.
        there: Vec<String>,
    },
    /// Somebody else serves DHCP.
    #[error("DHCP is answered by {}, as seen from {interface} of {host}", servers.join(" and by "))]
    DhcpAnswered {
        /// How messages call the machine.
        host: String,
        /// Where it was asked.
        interface: String,
        /// Who answered: address, hardware address, and what they offer.
        servers: Vec<String>,
    },
    /// The DHCP server was started and does not listen.
    #[error("container {name} of {host} runs and serves no DHCP")]
    NotServed {
        /// How messages call the machine.
        host: String,
        /// Its name.
        name: String,
    },
    /// There are leases, and no DHCP server among what is to be started.
    #[error("of what is to be started on {host} nothing serves DHCP")]
    NoDnsmasq {
        /// How messages call the machine.
        host: String,
    },
    /// A DHCP server that runs would not read leases, and would overwrite them.
    #[error("container {name} of {host} runs, and reads leases only when it starts")]
    ReadsNoMore {
        /// How messages call the machine.
        host: String,
        /// Its name.
        name: String,
    },
    /// The endpoint address did not come.
    #[error("{host} does not carry {address}, and nobody else does")]
    NotCarried {
        /// How messages call the machine.
        host: String,
        /// The address.
        address: IpAddr,
    },
    /// Ironic was started and its API does not answer.
    #[error("Ironic's API at {address} does not answer, as seen from {host}; it said {said}")]
    ApiSilent {
        /// How messages call the machine.
        host: String,
        /// The address.
        address: String,
        /// What it said last.
        said: String,
    },
    /// The endpoint address is in use.
    #[error("{address} is answered by {mac}, as seen from {interface} of {host}")]
    Answered {
        /// How messages call the machine.
        host: String,
        /// The address.
        address: IpAddr,
        /// Who has it.
        mac: String,
        /// Where it was asked.
        interface: String,
    },
}
