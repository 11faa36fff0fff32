//! A plan made by hand, for the tests of reports.

use pivot_core::check::{CheckId, Finding};
use pivot_core::digest::Digest;
use pivot_core::kind::GroupKind;
use pivot_core::machine::Side;
use pivot_core::object::{ObjectKey, Uid};
use pivot_core::plan::{
    ClusterIdentity, FORMAT, PlanController, PlanFence, PlanItem, PlanKind, PlanLink, PlanReport, PlanRole,
    Treatment,
};
use pivot_core::record::FenceMode;
use pivot_core::select::Action;

pub(crate) fn key(kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey::new(kind.parse::<GroupKind>().unwrap(), namespace, name)
}

fn item(action: Action, key: ObjectKey, cluster: Option<&str>, reason: &str) -> PlanItem {
    PlanItem {
        uid: Uid(format!("uid-{}", key.name)),
        content: Digest::of(key.name.as_bytes()),
        key,
        action,
        reason: reason.to_owned(),
        cluster: cluster.map(str::to_owned),
    }
}

fn link(from: usize, to: usize, rule: &str, role: PlanRole) -> PlanLink {
    PlanLink { from, to, rule: rule.to_owned(), role }
}

fn controller(side: Side, name: &str, treatment: Treatment) -> PlanController {
    PlanController { side, deployment: key("Deployment.apps", Some("managers"), name), treatment }
}

/// One Cluster with a host, an identity, a token that stays, a free host, and a namespace that is not selected.
pub(crate) fn plan() -> PlanReport {
    let cluster = Some("metal3/test1");
    let metal3 = Some("metal3");
    let host = "BareMetalHost.metal3.io";
    let items = vec![
        item(
            Action::Move,
            key("Cluster.cluster.x-k8s.io", metal3, "test1"),
            cluster,
            "every object of this kind moves",
        ),
        item(Action::Move, key(host, metal3, "node-0"), cluster, "every object of this kind moves"),
        item(Action::Move, key(host, metal3, "spare"), None, "every object of this kind moves"),
        item(
            Action::Move,
            key("Secret", metal3, "node-0-bmc"),
            cluster,
            "needed by BareMetalHost metal3/node-0 (bmc credentials)",
        ),
        item(
            Action::Copy,
            key("Metal3ClusterIdentity.infrastructure.cluster.x-k8s.io", None, "shared"),
            None,
            "needed by Cluster metal3/test1 (identity); cluster-scoped, so the source keeps its own",
        ),
        item(
            Action::Skip,
            key("Secret", metal3, "bootstrap-token-a"),
            None,
            "bootstrap token, valid in this cluster only",
        ),
        item(Action::Keep, key("ConfigMap", metal3, "own"), None, "nothing that moves owns or names it"),
        item(Action::Keep, key(host, Some("other"), "a"), None, "outside the selected namespaces"),
        item(Action::Keep, key(host, Some("other"), "b"), None, "outside the selected namespaces"),
    ];
    let test1 = key("Cluster.cluster.x-k8s.io", metal3, "test1");
    PlanReport {
        format: FORMAT,
        tool: "0.0.0-test".to_owned(),
        source: ClusterIdentity { name: "boot (127.0.0.1:6443)".to_owned(), id: "uid-of-boot".to_owned() },
        target: Some(ClusterIdentity {
            name: "mgmt (127.0.0.1:7443)".to_owned(),
            id: "uid-of-mgmt".to_owned(),
        }),
        namespaces: Some(vec!["metal3".to_owned()]),
        clusters: vec![],
        ironic: None,
        fence: PlanFence {
            mode: FenceMode::Full,
            controllers: vec![
                controller(Side::Source, "capi-controller-manager", Treatment::LosesLease),
                controller(Side::Source, "baremetal-operator", Treatment::Stopped),
                controller(Side::Target, "capi-controller-manager", Treatment::Started),
            ],
        },
        kinds: vec![
            PlanKind { kind: host.parse().unwrap(), version: "v1alpha1".to_owned() },
            PlanKind { kind: "Secret".parse().unwrap(), version: "v1".to_owned() },
        ],
        items,
        links: vec![
            link(1, 0, "host of a Cluster", PlanRole::Part),
            link(1, 3, "bmc credentials", PlanRole::Reference),
            link(0, 4, "identity", PlanRole::Owner),
            link(7, 8, "between what stays", PlanRole::Owner),
        ],
        findings: vec![
            Finding::error(
                CheckId::TargetConflict,
                Some(&test1),
                "the target has another object of this name",
                "delete it in the target, or move it away",
            ),
            Finding::warning(
                CheckId::LimitedView,
                None,
                "objects of other namespaces cannot be listed",
                "ask for the permission to list in all namespaces",
            ),
        ],
        digest: Digest::of(b""),
    }
    .sealed()
}
