//! What is saved of an Ironic that is stopped: enough to start it again exactly.

use serde::{Deserialize, Serialize};

use super::role::Role;

/// Version of the format.
pub const FORMAT: u32 = 1;

/// An Ironic that was stopped, or is about to be: it is saved before anything is stopped, so that a stop that was killed is known too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedIronic {
    /// Version of the format.
    pub format: u32,
    /// The machine, as its user names it.
    pub place: String,
    /// Its containers, in the order in which they are stopped.
    pub containers: Vec<SavedContainer>,
    /// The endpoint address, where it was taken off an interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<SavedAddress>,
    /// The lease file of its dnsmasq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leases: Option<String>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedContainer {
    /// `podman` or `docker`.
    pub engine: String,
    /// Its id: another container of the same name is another one.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// True where it ran.
    pub running: bool,
    /// When its engine started it by itself, where that was turned off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedAddress {
    /// The address with its prefix.
    pub address: String,
    /// The interface.
    pub interface: String,
}

/// A file that is no saved Ironic.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Not in this form.
    #[error("it does not describe a stopped Ironic: {0}")]
    Format(#[from] serde_json::Error),
    /// Of another version.
    #[error("it has format {found}, and this version knows {FORMAT}")]
    Version {
        /// What it says.
        found: u32,
    },
}

impl SavedIronic {
    /// Reads one.
    pub fn parse(text: &[u8]) -> Result<Self, SavedError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let Head { format: found } = serde_json::from_slice(text)?;
        if found != FORMAT {
            return Err(SavedError::Version { found });
        }
        Ok(serde_json::from_slice(text)?)
    }

    /// The text of one.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("BUG: what is saved does not serialize") + "\n"
    }

    /// The same with every container to be started, whether it ran before or not.
    #[must_use]
    pub fn all_running(mut self) -> Self {
        for container in &mut self.containers {
            container.running = true;
        }
        self
    }

    /// What holds of a stop that goes on where an earlier one was left: what ran before that one, runs again after a start.
    #[must_use]
    pub fn continued(mut self, earlier: Self) -> Self {
        for container in &mut self.containers {
            if let Some(before) = earlier.containers.iter().find(|before| before.id == container.id) {
                container.running |= before.running;
                container.restart = before.restart.clone().or_else(|| container.restart.take());
            }
        }
        // A container that was removed meanwhile is not forgotten: its start will say that it is gone.
        let is_there = |gone: &SavedContainer| self.containers.iter().any(|kept| kept.id == gone.id);
        let gone: Vec<_> = earlier.containers.into_iter().filter(|before| !is_there(before)).collect();
        self.containers.extend(gone);
        self.endpoint = earlier.endpoint.or(self.endpoint);
        self.leases = self.leases.filter(|leases| !leases.trim().is_empty()).or(earlier.leases);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, running: bool, restart: Option<&str>) -> SavedContainer {
        SavedContainer {
            engine: "podman".to_owned(),
            id: id.to_owned(),
            name: format!("name-{id}"),
            role: Role::Ironic,
            running,
            restart: restart.map(str::to_owned),
        }
    }

    fn saved(containers: Vec<SavedContainer>, leases: Option<&str>) -> SavedIronic {
        let leases = leases.map(str::to_owned);
        SavedIronic { format: FORMAT, place: "here".to_owned(), containers, endpoint: None, leases }
    }

    #[test]
    fn a_stop_that_goes_on_forgets_nothing() {
        let earlier =
            saved(vec![container("a", true, Some("always")), container("b", true, None)], Some("0 x"));
        let now = saved(vec![container("a", false, Some("no")), container("c", true, None)], Some(""));
        let both = now.continued(earlier);
        let ran: Vec<(&str, bool)> = both.containers.iter().map(|c| (c.id.as_str(), c.running)).collect();
        assert_eq!(ran, [("a", true), ("c", true), ("b", true)]);
        assert_eq!(both.containers[0].restart.as_deref(), Some("always"));
        assert_eq!(both.leases.as_deref(), Some("0 x"), "leases that died with the container are kept");
    }

    #[test]
    fn what_is_saved_is_read_again() {
        let one = saved(vec![container("a", true, None)], None);
        assert_eq!(SavedIronic::parse(one.text().as_bytes()).unwrap(), one);
        let said = |text: &str| SavedIronic::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            said(&one.text().replace("\"format\": 1", "\"format\": 2")),
            "it has format 2, and this version knows 1"
        );
        assert!(said("{}").starts_with("it does not describe a stopped Ironic"));
    }
}
