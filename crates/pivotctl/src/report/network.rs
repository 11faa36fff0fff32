//! Interfaces and addresses as tables, or for machines.

use pivot_core::network::{Bearing, Found, Interface};
use serde::Serialize;

use super::table::table;

/// An interface that was looked for by an address.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundReport {
    interface: String,
    /// `carries`, `on-link` or `routed`.
    how: &'static str,
    /// The interface's own address in that network.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The next machine on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
}

impl From<&Found> for FoundReport {
    fn from(found: &Found) -> Self {
        let (how, address, gateway) = match &found.bearing {
            Bearing::Carries(net) => ("carries", Some(net.to_string()), None),
            Bearing::OnLink(net) => ("on-link", Some(net.to_string()), None),
            Bearing::Beyond(route) => ("routed", None, route.gateway.map(|gateway| gateway.to_string())),
        };
        Self { interface: found.interface.clone(), how, address, gateway }
    }
}

impl FoundReport {
    /// One row.
    pub(crate) fn text(&self) -> String {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "<none>".to_owned());
        let row =
            [self.interface.clone(), self.how.to_owned(), or_none(&self.address), or_none(&self.gateway)];
        table(["INTERFACE", "HOW", "ADDRESS", "GATEWAY"], &[row])
    }
}

/// An address of an interface.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressReport {
    interface: String,
    address: String,
    /// `static`, `dynamic` or `link-local`.
    kind: &'static str,
    /// False while it is not known whether another machine has it, and where one has.
    usable: bool,
    up: bool,
}

impl AddressReport {
    /// In one line.
    pub(crate) fn line(&self) -> String {
        format!("{} ({})", self.address, self.kind)
    }
}

/// All addresses of these interfaces.
pub(crate) fn addresses(interfaces: &[Interface]) -> Vec<AddressReport> {
    let of = |interface: &Interface| {
        let report = |assigned: &pivot_core::network::Assigned| AddressReport {
            interface: interface.name.clone(),
            address: format!("{}/{}", assigned.net.address, assigned.net.prefix),
            kind: match (assigned.dynamic, assigned.link_local) {
                (true, _) => "dynamic",
                (false, true) => "link-local",
                (false, false) => "static",
            },
            usable: assigned.usable,
            up: interface.up,
        };
        interface.addresses.iter().map(report).collect::<Vec<_>>()
    };
    interfaces.iter().flat_map(of).collect()
}

/// A row an address.
pub(crate) fn text(reports: &[AddressReport]) -> String {
    let row = |report: &AddressReport| {
        let state = match (report.up, report.usable) {
            (false, _) => "down",
            (true, true) => "up",
            (true, false) => "not usable",
        };
        [report.interface.clone(), report.address.clone(), report.kind.to_owned(), state.to_owned()]
    };
    table(["INTERFACE", "ADDRESS", "KIND", "STATE"], &reports.iter().map(row).collect::<Vec<_>>())
}
