//! Ironic as a table, or for machines.

use std::net::IpAddr;

use pivot::host::Host;
use pivot::ironic::{Found, FoundContainer, Served};
use pivot_core::lease::LeaseFile;
use serde::Serialize;

use super::amount::Amount;
use super::append::append;
use super::table::table;

/// What is found of Ironic on a machine.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IronicReport {
    /// The machine.
    host: String,
    /// True where one of the containers runs.
    running: bool,
    containers: Vec<ContainerReport>,
    /// Who listens on Ironic's ports.
    open: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leases: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<IpAddr>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerReport {
    name: String,
    role: String,
    running: bool,
    engine: String,
    image: String,
    restart: String,
}

impl IronicReport {
    /// As it was found.
    pub(crate) fn of(host: &Host, found: &Found) -> Self {
        let container = |FoundContainer { role, container }: &FoundContainer| ContainerReport {
            name: container.name.clone(),
            role: role.to_string(),
            running: container.running,
            engine: container.engine.to_string(),
            image: container.image.clone(),
            restart: container.restart.clone(),
        };
        Self {
            host: host.to_string(),
            running: found.runs(),
            containers: found.containers.iter().map(container).collect(),
            open: found.open.iter().map(ToString::to_string).collect(),
            leases: found.leases.as_ref().map(|(_, text)| LeaseFile::parse(text).len()),
            lease_file: found.leases.as_ref().map(|(path, _)| path.clone()),
            endpoint: found.endpoint,
        }
    }

    /// A line a container, and what there is besides.
    pub(crate) fn text(&self) -> String {
        let row = |container: &ContainerReport| {
            let state = if container.running { "running" } else { "stopped" };
            [&container.name, &container.role, state, &container.engine, &container.restart, &container.image]
                .map(ToOwned::to_owned)
        };
        let rows: Vec<[String; 6]> = self.containers.iter().map(row).collect();
        let mut text = table(["NAME", "ROLE", "STATE", "ENGINE", "RESTART", "IMAGE"], &rows);
        if let (Some(leases), Some(path)) = (self.leases, &self.lease_file) {
            append(&mut text, format_args!("leases: {leases} in {path}\n"));
        }
        if let Some(endpoint) = self.endpoint {
            append(&mut text, format_args!("endpoint: {endpoint}\n"));
        }
        for open in &self.open {
            append(&mut text, format_args!("open: {open}\n"));
        }
        text
    }
}

/// Why nobody was asked for DHCP.
pub(crate) fn unasked(dhcp: Option<&Served>) -> Option<String> {
    match dhcp {
        Some(Served::NotAsked { why }) => {
            Some(format!("whether another server answers DHCP is not known: {why}"))
        }
        _ => None,
    }
}

/// How many leases were saved, in words.
pub(crate) fn leases(text: Option<&str>) -> String {
    match text {
        Some(text) => Amount(LeaseFile::parse(text.as_bytes()).len(), "lease").to_string(),
        None => "no lease file".to_owned(),
    }
}
