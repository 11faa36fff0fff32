//! Checks: everything that can be known before the first write.

mod claims;
mod clusters;
mod fence;
mod finding;
mod host;
mod ironic;
mod objects;
mod rollout;
mod steadiness;
mod target;

pub use finding::{Category, CheckId, Finding, Severity};
pub(crate) use host::in_error;
pub(crate) use rollout::{under_way, unseen};
pub(crate) use target::cannot_stay;

use crate::machine::Side;
use crate::plan::{Blueprint, Permission};

/// Annotation that asks to leave an object where it is for now.
pub const BLOCK_MOVE: &str = "clusterctl.cluster.x-k8s.io/block-move";

/// Runs every check. Findings come in the order of [`CheckId::ALL`], errors first.
pub(crate) fn run(blueprint: &Blueprint, denied: &[(Side, Permission)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    clusters::check(blueprint, &mut findings);
    claims::check(blueprint, &mut findings);
    permissions(blueprint, denied, &mut findings);
    fence::check(blueprint, &mut findings);
    objects::check(blueprint, &mut findings);
    steadiness::check(blueprint, &mut findings);
    ironic::check(blueprint, &mut findings);
    if let Some(facts) = &blueprint.target {
        target::check(blueprint, facts, &mut findings);
    }
    findings.sort_by(|a, b| (a.severity, a.id, &a.object).cmp(&(b.severity, b.id, &b.object)));
    findings
}

fn permissions(blueprint: &Blueprint, denied: &[(Side, Permission)], findings: &mut Vec<Finding>) {
    for (side, permission) in denied {
        let id = match side {
            Side::Source => CheckId::SourcePermission,
            Side::Target => CheckId::TargetPermission,
        };
        let message = format!("you may not {permission} on the {side}");
        findings.push(Finding::error(
            id,
            None,
            message,
            "grant it with a Role or ClusterRole, or use another kubeconfig",
        ));
    }
    for kind in &blueprint.source.limited {
        let message = format!(
            "{kind} could be listed in the selected namespaces only: users of shared objects elsewhere are not seen"
        );
        let hint = "grant `list` in all namespaces to have sharing across namespaces checked";
        findings.push(Finding::warning(CheckId::LimitedView, None, message, hint));
    }
}
