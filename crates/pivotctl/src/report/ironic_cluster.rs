//! The Deployments of Ironic as a table, or for machines.

use pivot_core::ironic::{IronicDeployment, IronicPart};
use serde::Serialize;

use super::table::table;

/// One Deployment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentReport {
    namespace: String,
    name: String,
    /// `ironic` or `operator`.
    part: &'static str,
    replicas: i64,
    ready: i64,
    /// Replicas that it had before `ironic stop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<i64>,
    /// The container that serves DHCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    dhcp: Option<String>,
    /// The `Ironic` resource that it is made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
}

impl From<&IronicDeployment> for DeploymentReport {
    fn from(found: &IronicDeployment) -> Self {
        let (part, dhcp, resource) = match &found.part {
            IronicPart::Operator => ("operator", None, None),
            IronicPart::Ironic { dhcp, resource } => ("ironic", dhcp.clone(), resource.clone()),
        };
        Self {
            namespace: found.key.namespace.clone().unwrap_or_default(),
            name: found.key.name.clone(),
            part,
            replicas: found.replicas,
            ready: found.ready,
            stopped: found.stopped,
            dhcp,
            resource,
        }
    }
}

/// A line a Deployment.
pub(crate) fn text(reports: &[DeploymentReport]) -> String {
    let row = |report: &DeploymentReport| {
        let state = match (report.replicas, report.stopped) {
            (0, Some(_)) => "stopped by us",
            (0, None) => "stopped",
            _ if report.ready >= report.replicas => "running",
            _ => "not ready",
        };
        [
            report.namespace.clone(),
            report.name.clone(),
            report.part.to_owned(),
            format!("{}/{}", report.ready, report.replicas),
            state.to_owned(),
        ]
    };
    let rows: Vec<[String; 5]> = reports.iter().map(row).collect();
    table(["NAMESPACE", "NAME", "PART", "READY", "STATE"], &rows)
}
