//! What the full fence takes: of the servers, and of the user.

use std::collections::BTreeSet;

use super::controllers::Controller;
use crate::machine::Side;
use crate::plan::Permission;
use crate::record::NAMESPACE;

/// What PLAN has to know of one side where the full fence is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FenceFacts {
    /// True where the server serves `ValidatingAdmissionPolicy` in `admissionregistration.k8s.io/v1`.
    pub supported: bool,
    /// What of [`permissions`] and of [`Identity::permissions`](super::Identity::permissions) is missing.
    pub denied: Vec<Permission>,
    /// The server's words, where it does not let the user act under the tool's identity, whatever the rights say.
    pub refused: Option<String>,
    /// Pivots whose fence is there.
    pub fences: BTreeSet<String>,
    /// Controllers to stop: all that they act on moves.
    pub controllers: Vec<Controller>,
    /// Controllers that go on running for what stays, or have nothing to do with the move.
    pub running: Vec<Controller>,
}

/// What the user must be allowed to do on one side to raise the fence and to take it away again.
pub fn permissions(side: Side, controllers: &[Controller]) -> Vec<Permission> {
    let permission = |verb: &str, group: &str, resource: &str, namespace: Option<&str>| Permission {
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        subresource: None,
        name: None,
        namespace: namespace.map(str::to_owned),
    };
    let mut needed = Vec::new();
    for resource in ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
        for verb in ["get", "create", "update", "delete"] {
            needed.push(permission(verb, "admissionregistration.k8s.io", resource, None));
        }
    }
    needed.push(permission("create", "", "configmaps", Some(NAMESPACE)));
    let mut in_their_namespaces =
        |which: &dyn Fn(&Controller) -> bool, verbs: &[&str], group: &str, resource: &str| {
            let theirs = controllers.iter().filter(|controller| which(controller));
            let namespaces: BTreeSet<&str> =
                theirs.filter_map(|controller| controller.deployment.namespace.as_deref()).collect();
            let all = namespaces.iter().flat_map(|namespace| verbs.iter().map(|verb| (*verb, *namespace)));
            needed.extend(all.map(|(verb, namespace)| permission(verb, group, resource, Some(namespace))));
        };
    // The source's stay down once the target acts; of the target's those are started that an earlier pivot stopped.
    let is_scaled = |controller: &Controller| side == Side::Source || controller.asleep.is_some();
    let change = ["get", "patch"];
    in_their_namespaces(&Controller::elects, &change, "coordination.k8s.io", "leases");
    in_their_namespaces(&is_scaled, &change, "apps", "deployments");
    if side == Side::Source {
        in_their_namespaces(&is_scaled, &["list"], "apps", "replicasets");
        in_their_namespaces(&is_scaled, &["list"], "", "pods");
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::super::controllers::tests::controller;
    use super::*;

    #[test]
    fn rights_follow_how_controllers_are_stopped() {
        let controllers = [
            controller("capi-system", "capi", true),
            controller("metal3", "ironic", false),
            controller("metal3", "bmo", false),
        ];
        let shown =
            |side| permissions(side, &controllers).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(Side::Target).len(), 8 + 1 + 2, "{:#?}", shown(Side::Target));
        let shown = shown(Side::Source);
        assert_eq!(shown.len(), 8 + 1 + 2 + 4 + 4, "{shown:#?}");
        for expected in [
            "create validatingadmissionpolicies.admissionregistration.k8s.io",
            "delete validatingadmissionpolicybindings.admissionregistration.k8s.io",
            "create configmaps in namespace pivotctl-system",
            "patch leases.coordination.k8s.io in namespace capi-system",
            "patch deployments.apps in namespace metal3",
            "patch deployments.apps in namespace capi-system",
            "list pods in namespace metal3",
        ] {
            assert!(shown.iter().any(|permission| permission == expected), "{expected}: {shown:#?}");
        }
    }
}
