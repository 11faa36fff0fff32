//! Machines on which commands are run: this one, one of its network namespaces, or one that `ssh` reaches.
//!
//! `ssh` is the user's own, with the user's configuration, keys and jump hosts. It never asks: who cannot log in without a question gets an
//! error. Every command has an end: what does not answer in time is given up, and what it may have done is not known.

mod connection;
mod containers;
mod dhcp;
mod error;
mod files;
mod network;
mod quote;
mod run;

pub use connection::Connection;
pub use containers::{Container, Engine};
pub use dhcp::DhcpError;
pub use error::HostError;
pub(crate) use files::{ABSENT, FIRST_FILE};
pub use files::{FoundFile, LEASE_FILES};
pub use network::{NetworkError, Removal};
pub use quote::quoted;
pub use run::{Output, Ran};

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a command may take where nobody says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A machine, or a network namespace of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Reached by `ssh`; this machine where `None`.
    pub ssh: Option<Ssh>,
    /// A network namespace there, by the name that `ip netns` knows.
    pub namespace: Option<String>,
    /// Run everything by `sudo`, which must not ask for a password.
    pub sudo: bool,
    /// How long a command may take.
    pub timeout: Duration,
    /// How long DHCP servers of its networks may take to answer: nobody answers where none did in that time.
    pub dhcp_wait: Duration,
    /// What its commands share, once it is [connected](Self::connected).
    pub connection: Option<Connection>,
}

/// How `ssh` reaches a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    /// Destination: what `ssh` takes, such as a name in its configuration.
    pub destination: String,
    /// Another configuration file than the user's.
    pub config: Option<PathBuf>,
}

impl Default for Host {
    /// This machine.
    fn default() -> Self {
        Self {
            ssh: None,
            namespace: None,
            sudo: false,
            timeout: DEFAULT_TIMEOUT,
            dhcp_wait: pivot_core::dhcp::DEFAULT_WAIT,
            connection: None,
        }
    }
}

/// As messages call it.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.ssh.as_ref().map_or("this machine", |ssh| ssh.destination.as_str());
        match &self.namespace {
            Some(name) => write!(f, "network namespace {name} of {machine}"),
            None => f.write_str(machine),
        }
    }
}
