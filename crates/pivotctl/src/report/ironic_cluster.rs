//! The Deployments of Ironic, and resources without one, as a table or for machines.

use pivot_core::ironic::{IronicDeployment, IronicPart, IronicResource};
use serde::Serialize;

use super::table::table;

/// How a resource without a Deployment is called.
const RESOURCE: &str = "resource";

/// One Deployment, or a resource for which none was made yet.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentReport {
    namespace: String,
    name: String,
    /// `ironic`, `operator` or `resource`.
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

impl From<&IronicResource> for DeploymentReport {
    fn from(resource: &IronicResource) -> Self {
        Self {
            namespace: resource.key.namespace.clone().unwrap_or_default(),
            name: resource.key.name.clone(),
            part: RESOURCE,
            replicas: 0,
            ready: 0,
            stopped: None,
            dhcp: None,
            resource: None,
        }
    }
}

/// What there is, in the order in which it is stopped; behind an operator the resources for which it has made nothing yet.
pub(crate) fn reports(found: &[IronicDeployment]) -> Vec<DeploymentReport> {
    let all = found.iter().flat_map(|one| {
        let awaited = one.awaited(found).map(DeploymentReport::from);
        [DeploymentReport::from(one)].into_iter().chain(awaited).collect::<Vec<_>>()
    });
    all.collect()
}

/// A line each.
pub(crate) fn text(reports: &[DeploymentReport]) -> String {
    let row = |report: &DeploymentReport| {
        let state = match (report.replicas, report.stopped) {
            _ if report.part == RESOURCE => "no Deployment yet",
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
