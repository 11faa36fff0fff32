//! Interfaces and addresses of a machine: looking at them, and taking an address off one.

use std::net::IpAddr;

use pivot_core::network::{Assigned, FindError, Found, Interface, Net, find, interfaces, route};

use super::{Host, HostError};

/// An address that could not be found or taken off.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The machine.
    #[error(transparent)]
    Host(#[from] HostError),
    /// There is no one interface for it.
    #[error("{host}: {error}")]
    Find {
        /// How messages call the machine.
        host: String,
        /// Why.
        error: FindError,
        /// Interfaces and their addresses, a line each.
        there: Vec<String>,
    },
    /// There is no such interface.
    #[error("{host} has no interface {wanted}")]
    NoInterface {
        /// How messages call the machine.
        host: String,
        /// Its name.
        wanted: String,
        /// Interfaces and their addresses, a line each.
        there: Vec<String>,
    },
    /// The interface carries it in several networks.
    #[error("{interface} of {host} carries {address} as {}", nets.join(" and as "))]
    Ambiguous {
        /// How messages call the machine.
        host: String,
        /// The interface.
        interface: String,
        /// The address.
        address: IpAddr,
        /// With each prefix.
        nets: Vec<String>,
    },
    /// It is still there.
    #[error("{host}: {net} was taken off {interface} and is there again: somebody puts it back")]
    Back {
        /// How messages call the machine.
        host: String,
        /// The interface.
        interface: String,
        /// The address.
        net: Net,
    },
    /// Other addresses went along and could not be put back.
    #[error("{host}: with {net} the kernel took {} off {interface}, which could not be put back", lost.join(", "))]
    Lost {
        /// How messages call the machine.
        host: String,
        /// The interface.
        interface: String,
        /// The address that was to go.
        net: Net,
        /// Those that went along.
        lost: Vec<String>,
    },
}

/// What became of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// No interface carries it.
    WasNotThere,
    /// It was taken off, and is not there any more.
    Done {
        /// The interface that carried it.
        interface: String,
        /// With its network.
        net: Net,
        /// Addresses that the kernel took along, since they were in its network, and that were put back.
        put_back: Vec<Net>,
    },
}

impl Host {
    /// The interfaces and their addresses.
    pub async fn interfaces(&self) -> Result<Vec<Interface>, HostError> {
        let command = ["ip", "-j", "address", "show"];
        let printed = self.read(&command).await?;
        interfaces(&printed).map_err(|error| self.not_understood("ip -j address show", &error))
    }

    /// The interface that carries an address, is on its network, or leads there.
    pub async fn find_interface(&self, wanted: Net) -> Result<Found, NetworkError> {
        let all = self.interfaces().await?;
        let address = wanted.address.to_string();
        let ran = self.run(&["ip", "-j", "route", "get", &address], &[]).await?;
        // Exit code 2 says that no route leads there.
        let route = match ran.code {
            Some(0) => route(&ran.stdout).map_err(|error| self.not_understood("ip -j route get", &error))?,
            _ => None,
        };
        find(wanted, &all, route.as_ref()).map_err(|error| NetworkError::Find {
            host: self.to_string(),
            error,
            there: told(&all),
        })
    }

    /// The interface of that name.
    pub async fn interface(&self, name: &str) -> Result<Interface, NetworkError> {
        let all = self.interfaces().await?;
        match all.iter().find(|interface| interface.name == name) {
            Some(interface) => Ok(interface.clone()),
            None => Err(NetworkError::NoInterface {
                host: self.to_string(),
                wanted: name.to_owned(),
                there: told(&all),
            }),
        }
    }

    /// Takes an address off the interface that carries it (`on`, where it is told), and looks whether it is gone.
    ///
    /// With the first address of a network the kernel takes the others of that network along; those are put back.
    pub async fn remove_address(&self, address: IpAddr, on: Option<&str>) -> Result<Removal, NetworkError> {
        let all = match on {
            Some(name) => vec![self.interface(name).await?],
            None => self.interfaces().await?,
        };
        let carrying = |interface: &Interface| {
            let nets = interface.addresses.iter().map(|assigned| assigned.net);
            nets.filter(|net| net.address == address).collect::<Vec<_>>()
        };
        let mut carriers = all.iter().filter(|interface| !carrying(interface).is_empty());
        let Some(before) = carriers.next() else { return Ok(Removal::WasNotThere) };
        if let Some(second) = carriers.next() {
            let mut interfaces = vec![before.name.clone(), second.name.clone()];
            interfaces.extend(carriers.map(|interface| interface.name.clone()));
            return Err(NetworkError::Find {
                host: self.to_string(),
                error: FindError::Several { wanted: Net::host(address), interfaces },
                there: told(&all),
            });
        }
        let nets = carrying(before);
        let &[net] = nets.as_slice() else {
            return Err(NetworkError::Ambiguous {
                host: self.to_string(),
                interface: before.name.clone(),
                address,
                nets: nets.iter().map(|net| written(*net)).collect(),
            });
        };
        self.read(&["ip", "address", "del", &written(net), "dev", &before.name]).await?;
        let after = self.interface(&before.name).await?;
        if after.addresses.iter().any(|assigned| assigned.net == net) {
            return Err(NetworkError::Back { host: self.to_string(), interface: after.name, net });
        }
        let put_back = self.put_back(before, &after, net).await?;
        Ok(Removal::Done { interface: after.name, net, put_back })
    }

    /// Puts back what the kernel took along with `removed`.
    async fn put_back(
        &self,
        before: &Interface,
        after: &Interface,
        removed: Net,
    ) -> Result<Vec<Net>, NetworkError> {
        let went = |assigned: &&Assigned| {
            let stays = after.addresses.iter().any(|other| other.net == assigned.net);
            !stays && assigned.net != removed && removed.network().contains(assigned.net)
        };
        let gone: Vec<Net> = before.addresses.iter().filter(went).map(|assigned| assigned.net).collect();
        let mut back = Vec::new();
        for net in &gone {
            if self.read(&["ip", "address", "add", &written(*net), "dev", &before.name]).await.is_ok() {
                back.push(*net);
            }
        }
        let lost: Vec<String> =
            gone.iter().filter(|net| !back.contains(net)).map(|net| written(*net)).collect();
        if lost.is_empty() {
            return Ok(back);
        }
        let interface = before.name.clone();
        Err(NetworkError::Lost { host: self.to_string(), interface, net: removed, lost })
    }

    fn not_understood(&self, command: &str, error: &serde_json::Error) -> HostError {
        HostError::Answer {
            command: command.to_owned(),
            host: self.to_string(),
            problem: format!("{error}; an `ip` of iproute2 prints JSON"),
        }
    }
}

/// As `ip` takes it: with its prefix in any case.
fn written(net: Net) -> String {
    format!("{}/{}", net.address, net.prefix)
}

/// Interfaces and their addresses, a line each.
fn told(all: &[Interface]) -> Vec<String> {
    all.iter().map(Interface::told).collect()
}
