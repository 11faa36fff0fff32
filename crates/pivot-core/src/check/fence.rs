//! Whether the full fence can be raised, where it is asked for.

use super::{CheckId, Finding};
use crate::fence::FenceFacts;
use crate::machine::Side;
use crate::plan::{Blueprint, Claim};

const INSTEAD: &str = "--fence=pause does without: controllers that run obey the pause, but writes of others are only watched for, \
     not refused, and a late one may be lost";

pub(super) fn check(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    let source = &blueprint.source;
    let target = blueprint.target.as_ref();
    let sides = [
        (Side::Source, source.fence.as_ref(), source.claim.as_ref()),
        (Side::Target, target.and_then(|t| t.fence.as_ref()), target.and_then(|t| t.claim.as_ref())),
    ];
    for (side, facts, claim) in sides {
        let Some(facts) = facts else { continue };
        // The fence of the pivot that is taken up again is no obstacle, and that of an open pivot goes with it.
        let known = match claim {
            Some(Claim::OpenPivot(id)) => Some(id),
            Some(Claim::Unreadable(_)) | None => blueprint.pivot.as_ref(),
        };
        one_side(side, facts, known, findings);
        if side == Side::Source {
            rescaled(facts, findings);
        }
    }
}

/// One that elects a leader goes on running without leading, whoever counts its replicas; it is stopped when all is done.
fn rescaled(facts: &FenceFacts, findings: &mut Vec<Finding>) {
    for controller in &facts.controllers {
        let Some(rescaler) = &controller.rescaler else { continue };
        let object = Some(&controller.deployment);
        let id = CheckId::ControllerRescaled;
        findings.push(if controller.elects() {
            let message =
                format!("{rescaler} starts it again after the pivot, which leaves it stopped in the source");
            let hint = format!("{}; it has nothing to act on there any more", rescaler.remedy());
            Finding::warning(id, object, message, hint)
        } else {
            let message = format!("{rescaler} starts it again while the pivot has it stopped");
            Finding::error(id, object, message, rescaler.remedy())
        });
    }
}

fn one_side(side: Side, facts: &FenceFacts, known: Option<&String>, findings: &mut Vec<Finding>) {
    let mut find = |id, message: String, hint: String| findings.push(Finding::error(id, None, message, hint));
    for pivot in facts.fences.iter().filter(|&pivot| Some(pivot) != known) {
        find(
            CheckId::FenceLeftBehind,
            format!("the fence of pivot {pivot} stands on the {side}"),
            format!(
                "finish that pivot with `pivotctl resume --id {pivot}`, or undo it with `pivotctl rollback --id {pivot}`"
            ),
        );
    }
    if !facts.supported {
        find(
            CheckId::FenceUnsupported,
            format!(
                "the {side} does not serve ValidatingAdmissionPolicy in admissionregistration.k8s.io/v1 (Kubernetes 1.30)"
            ),
            format!("upgrade it, or use another fence: {INSTEAD}"),
        );
        return;
    }
    for permission in &facts.denied {
        find(
            CheckId::FencePermission,
            format!("you may not {permission} on the {side}, which the full fence takes"),
            format!("grant it with a ClusterRole, or use another kubeconfig; {INSTEAD}"),
        );
    }
    if let Some(words) = &facts.refused {
        find(
            CheckId::FencePermission,
            format!("you may not impersonate yourself on the {side}, which the full fence takes: {words}"),
            format!(
                "reach the API server without a proxy that impersonates, or use another kubeconfig; {INSTEAD}"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use std::collections::BTreeSet;

    use super::super::Severity;
    use super::*;
    use crate::fence::controllers;
    use crate::object::Manifest;
    use crate::plan::Permission;

    fn found(facts: &FenceFacts) -> Vec<String> {
        let mut findings = Vec::new();
        one_side(Side::Target, facts, None, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_missing_is_named_and_the_other_fence_with_it() {
        assert!(found(&FenceFacts { supported: true, ..FenceFacts::default() }).is_empty());
        let old = found(&FenceFacts::default());
        assert!(old[0].starts_with("[fence-unsupported] the target does not serve"), "{old:?}");
        let permission = Permission {
            verb: "impersonate".to_owned(),
            group: String::new(),
            resource: "users".to_owned(),
            subresource: None,
            name: Some("kim".to_owned()),
            namespace: None,
        };
        let facts = FenceFacts {
            supported: true,
            denied: vec![permission],
            refused: Some("no".to_owned()),
            fences: BTreeSet::from(["p0".to_owned()]),
            ..FenceFacts::default()
        };
        assert_eq!(
            found(&facts),
            [
                "[fence-left-behind] the fence of pivot p0 stands on the target",
                "[fence-permission] you may not impersonate users `kim` on the target, which the full fence takes",
                "[fence-permission] you may not impersonate yourself on the target, which the full fence takes: no",
            ]
        );
        let mut findings = Vec::new();
        one_side(Side::Target, &facts, Some(&"p0".to_owned()), &mut findings);
        assert!(findings.iter().all(|finding| finding.id != CheckId::FenceLeftBehind), "that is our own");
        findings.clear();
        one_side(Side::Source, &facts, Some(&"p1".to_owned()), &mut findings);
        assert!(findings[0].hint.contains("pivotctl rollback --id p0"));
        assert!(findings[1..].iter().all(|finding| finding.hint.contains("--fence=pause")));
    }

    #[test]
    fn what_is_started_again_by_somebody_else_must_not_be_stopped() {
        let deployment = Manifest::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
            "name": "capm3", "namespace": "capm3-system",
            "labels": {"cluster.x-k8s.io/provider": "infrastructure-metal3", "argocd.argoproj.io/instance": "mgmt"}}}));
        let lease = Manifest::new(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "election", "namespace": "capm3-system"}, "spec": {"holderIdentity": "capm3-1-2_3"}}));
        let severity = |leases: &[Manifest]| {
            let facts = FenceFacts {
                supported: true,
                controllers: controllers(std::slice::from_ref(&deployment), leases),
                ..FenceFacts::default()
            };
            let mut findings = Vec::new();
            rescaled(&facts, &mut findings);
            assert!(findings[0].hint.contains("argocd app set mgmt"), "{}", findings[0].hint);
            findings[0].severity
        };
        assert_eq!(severity(&[]), Severity::Error);
        assert_eq!(severity(&[lease]), Severity::Warning);
    }
}
