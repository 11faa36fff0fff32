//! Asking a network who answers DHCP.
//!
//! The machine asks and listens by its own `python3`, so that it is the same here, in a network namespace and behind `ssh`. What is sent, and what
//! an answer means, is decided in [`pivot_core::dhcp`].

use std::hash::{BuildHasher, Hasher, RandomState};

use pivot_core::dhcp::{Answer, Family, Question, heard};

use super::{Host, HostError, NetworkError};

/// Given on standard input: a login shell takes no line of it for its own.
const SCRIPT: &str = include_str!("dhcp.py");
/// What sends and listens.
const PROGRAM: &str = "python3";

/// The network could not be asked: whether anybody answers DHCP there is not known.
#[derive(Debug, thiserror::Error)]
pub enum DhcpError {
    /// The machine, or its interface.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The machine has nothing to ask by.
    #[error("there is no `{PROGRAM}` on {host} to ask for DHCP servers by")]
    NoProgram {
        /// How messages call the machine.
        host: String,
    },
    /// The interface is switched off.
    #[error("{interface} of {host} is down: nobody can be asked there")]
    Down {
        /// How messages call the machine.
        host: String,
        /// The interface.
        interface: String,
    },
    /// No cable, or a bridge without a part that is up.
    #[error("{interface} of {host} has no carrier: nobody else can be asked there")]
    NoCarrier {
        /// How messages call the machine.
        host: String,
        /// The interface.
        interface: String,
    },
    /// DHCPv6 is spoken from an address of the link.
    #[error(
        "{interface} of {host} has no usable link-local address, without which DHCPv6 cannot be asked for"
    )]
    NoLinkLocal {
        /// How messages call the machine.
        host: String,
        /// The interface.
        interface: String,
    },
}

impl From<HostError> for DhcpError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::NoProgram { program, host } if program == PROGRAM => Self::NoProgram { host },
            error => Self::Network(error.into()),
        }
    }
}

impl Host {
    /// Asks the network of an interface for DHCP servers, and returns each that would give a client an address, after [`dhcp_wait`](Self::dhcp_wait).
    ///
    /// Nothing is requested, so that nothing is leased. A server that serves only clients that it knows does not answer. It takes the rights of
    /// root there.
    pub async fn dhcp_answers(&self, interface: &str, family: Family) -> Result<Vec<Answer>, DhcpError> {
        let there = self.interface(interface).await?;
        let (host, name) = (|| self.to_string(), || interface.to_owned());
        if !there.up {
            return Err(DhcpError::Down { host: host(), interface: name() });
        }
        if !there.carrier {
            return Err(DhcpError::NoCarrier { host: host(), interface: name() });
        }
        let speaks = there
            .addresses
            .iter()
            .any(|assigned| assigned.net.address.is_ipv6() && assigned.link_local && assigned.usable);
        if family == Family::V6 && !speaks {
            return Err(DhcpError::NoLinkLocal { host: host(), interface: name() });
        }
        let question = question(family);
        let version = if family == Family::V4 { "v4" } else { "v6" };
        let hex = question.datagram().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let seconds = self.dhcp_wait.as_secs_f64().to_string();
        // Apart from what the user's environment adds to Python.
        let command = [PROGRAM, "-I", "-", version, interface, &hex, &seconds];
        let ran = match self.within(self.timeout + self.dhcp_wait).run(&command, SCRIPT.as_bytes()).await {
            // Only on this machine itself nothing stands between us and the program.
            Err(HostError::Start { source, .. })
                if self.is_direct() && source.kind() == std::io::ErrorKind::NotFound =>
            {
                return Err(DhcpError::NoProgram { host: host() });
            }
            ran => ran?,
        };
        let shown = &command[..2];
        if ran.code != Some(0) {
            return Err(self.failed(shown, &ran).into());
        }
        let heard = heard(&ran.stdout).map_err(|error| HostError::Answer {
            command: shown.join(" "),
            host: host(),
            problem: error.to_string(),
        })?;
        Ok(question.answers(&heard))
    }
}

/// With numbers that nobody else has: the keys of a `RandomState` come from the operating system.
fn question(family: Family) -> Question {
    let draw = || RandomState::new().build_hasher().finish().to_be_bytes();
    let (mac, transaction) = (draw(), draw());
    let enough = "BUG: eight bytes are enough";
    let transaction = u32::from_be_bytes(*transaction.first_chunk().expect(enough));
    Question::new(family, *mac.first_chunk().expect(enough), transaction)
}
