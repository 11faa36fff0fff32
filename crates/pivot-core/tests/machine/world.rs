//! Small clusters in random shape, and the blueprint of their move.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use pivot_core::kind::{GroupKind, KindCatalog, KindInfo, PROVIDER_LABEL, Scope};
use pivot_core::link::LinkRules;
use pivot_core::marks;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Kinds that move by themselves, that belong to others, that are paused and that are not, with a status apart and without.
const KINDS: [(&str, &str, bool); 6] = [
    ("cluster.x-k8s.io/v1beta2", "Cluster", true),
    ("cluster.x-k8s.io/v1beta2", "Machine", true),
    ("metal3.io/v1alpha1", "BareMetalHost", true),
    ("infrastructure.cluster.x-k8s.io/v1beta1", "Metal3MachineTemplate", false),
    ("v1", "Secret", false),
    ("v1", "ConfigMap", false),
];

const RULES: &str = r#"
apiVersion: pivot.metal3.io/v1alpha1
kind: LinkRules
rules:
- {name: test-needs, from: ["*"], path: "spec.testNeeds[*]", shape: ref, as: reference}
"#;

pub(crate) static LINK_RULES: LazyLock<Arc<LinkRules>> =
    LazyLock::new(|| Arc::new(LinkRules::builtin().extended(LinkRules::parse(RULES).unwrap())));

/// One object; others are named by any number, taken modulo their count.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    kind: usize,
    elsewhere: bool,
    owners: Vec<usize>,
    needs: Vec<usize>,
    finalizer: bool,
    /// Written by server-side apply, so that managed fields must be restored.
    applied: bool,
    /// Paused by the user before the pivot.
    paused: bool,
    /// Its controller has not yet seen the latest generation.
    behind: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    let others = |most: usize| prop::collection::vec(any::<usize>(), 0..=most);
    let flag = |probability| prop::bool::weighted(probability);
    (1..KINDS.len(), flag(0.2), others(2), others(1), flag(0.3), flag(0.2), flag(0.1), flag(0.2)).prop_map(
        |(kind, elsewhere, owners, needs, finalizer, applied, paused, behind)| Shape {
            kind,
            elsewhere,
            owners,
            needs,
            finalizer,
            applied,
            paused,
            behind,
        },
    )
}

/// Who acts in the clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Managers {
    /// Nobody.
    Nobody,
    /// Both clusters have managers: one that elects a leader, and one that does not.
    Both,
    /// The same, and the target's were stopped by an earlier pivot.
    Asleep,
}

/// A Cluster and what is around it; which namespaces the target has.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) shapes: Vec<Shape>,
    pub(crate) target_namespaces: BTreeSet<String>,
    pub(crate) managers: Managers,
    /// How many requests a policy takes to come into force.
    pub(crate) lag: u32,
    /// Ironic is handed over.
    pub(crate) ironic: bool,
}

/// Up to nine objects.
pub(crate) fn world() -> impl Strategy<Value = World> {
    world_of(9)
}

/// Up to four objects: what matters is when it fails.
pub(crate) fn small_world() -> impl Strategy<Value = World> {
    world_of(4)
}

fn world_of(most: usize) -> impl Strategy<Value = World> {
    let shapes = prop::collection::vec(shape(), 0..most).prop_map(|mut rest| {
        rest.insert(0, Shape { finalizer: true, ..Shape::of(0) });
        rest
    });
    let managers = prop_oneof![
        6 => Just(Managers::Nobody),
        2 => Just(Managers::Both),
        2 => Just(Managers::Asleep),
    ];
    (shapes, any::<[bool; 2]>(), managers, 0u32..4).prop_map(|(shapes, [here, there], managers, lag)| World {
        shapes,
        target_namespaces: [("here", here), ("there", there)]
            .into_iter()
            .filter(|(_, exists)| *exists)
            .map(|(name, _)| name.to_owned())
            .collect(),
        managers,
        lag,
        // As often as any other, without a draw of its own.
        ironic: lag == 3,
    })
}

impl Shape {
    fn of(kind: usize) -> Self {
        Self {
            kind,
            elsewhere: false,
            owners: Vec::new(),
            needs: Vec::new(),
            finalizer: false,
            applied: false,
            paused: false,
            behind: false,
        }
    }
}

/// Worlds in which every way of a pivot occurs, by what is special about each.
pub(crate) fn fixed_worlds() -> Vec<(&'static str, World)> {
    let cluster = || Shape { finalizer: true, ..Shape::of(0) };
    let host = || Shape { owners: vec![0], finalizer: true, behind: true, ..Shape::of(2) };
    let secret = |needed_by: usize| Shape { owners: vec![needed_by], ..Shape::of(4) };
    let here = || BTreeSet::from(["here".to_owned()]);
    let world = |shapes, target_namespaces| World {
        shapes,
        target_namespaces,
        managers: Managers::Nobody,
        lag: 1,
        ironic: false,
    };
    vec![
        ("a cluster alone", world(vec![cluster()], here())),
        (
            "a host with its secret, into a new namespace",
            world(vec![cluster(), host(), secret(1)], BTreeSet::new()),
        ),
        ("paused by the user", world(vec![cluster(), Shape { paused: true, ..host() }, host()], here())),
        (
            "owners in a circle, and server-side apply",
            world(
                vec![
                    cluster(),
                    Shape { owners: vec![2], applied: true, finalizer: true, ..Shape::of(1) },
                    Shape { owners: vec![1, 0], ..Shape::of(1) },
                ],
                here(),
            ),
        ),
        ("Ironic is handed over", World { ironic: true, ..world(vec![cluster(), host()], here()) }),
        (
            "managers on both sides",
            World { managers: Managers::Both, ..world(vec![cluster(), host()], here()) },
        ),
        (
            "managers that sleep in the target",
            World { managers: Managers::Asleep, ..world(vec![cluster(), host()], here()) },
        ),
    ]
}

/// Two managers: the first elects a leader, the second is there once.
pub(crate) fn managers(asleep: bool) -> Vec<Value> {
    let deployment = |name: &str, leases: Option<&str>| {
        let mut deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": "managers", "labels": {PROVIDER_LABEL: format!("provider-{name}")}},
            "spec": {"replicas": 2}});
        if asleep {
            deployment["spec"]["replicas"] = 0.into();
            deployment["metadata"]["annotations"] = json!({marks::REPLICAS: "2"});
            if let Some(leases) = leases {
                deployment["metadata"]["annotations"][marks::LEASES] = leases.into();
            }
        }
        deployment
    };
    let holder = if asleep { "" } else { "electing-6d5-x_1" };
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "managers"}}),
        deployment("electing", Some("election")),
        deployment("single", None),
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "election", "namespace": "managers"},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}}),
    ]
}

impl World {
    fn namespace(&self, n: usize) -> &'static str {
        if self.shapes[n].elsewhere { "there" } else { "here" }
    }

    /// The objects of the source.
    pub(crate) fn objects(&self) -> Vec<Value> {
        (0..self.shapes.len()).map(|n| self.object(n)).collect()
    }

    /// One that a controller might add later on, owned by the Cluster.
    pub(crate) fn newcomer(&self, n: usize) -> Value {
        let mut world = self.clone();
        let newcomer = Shape { kind: 1 + n % 2, elsewhere: false, owners: vec![0], ..self.shapes[0].clone() };
        world.shapes.push(newcomer);
        let mut object = world.object(self.shapes.len());
        object["metadata"]["name"] = format!("new-{n}").into();
        object["metadata"]["uid"] = format!("source-new-{n}").into();
        object
    }

    fn object(&self, n: usize) -> Value {
        let shape = &self.shapes[n];
        let (api_version, kind, status_apart) = KINDS[shape.kind];
        let mut metadata = json!({"name": format!("o{n}"), "namespace": self.namespace(n), "uid": uid(n), "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {"note": "kept"}});
        let named = |others: &[usize]| -> BTreeSet<usize> {
            let others = others.iter().map(|other| other % self.shapes.len());
            others.filter(|&other| other != n && self.namespace(other) == self.namespace(n)).collect()
        };
        let reference = |other: usize| {
            let (api_version, kind, _) = KINDS[self.shapes[other].kind];
            json!({"apiVersion": api_version, "kind": kind, "name": format!("o{other}"), "uid": uid(other)})
        };
        let owners: Vec<Value> = named(&shape.owners).into_iter().map(reference).collect();
        if !owners.is_empty() {
            metadata["ownerReferences"] = owners.into();
        }
        if shape.finalizer {
            metadata["finalizers"] = json!(["test/holds"]);
        }
        if shape.applied {
            metadata["managedFields"] = json!([
                {"manager": "kubectl", "operation": "Apply", "apiVersion": api_version, "fieldsV1": {"f:spec": {}}},
                {"manager": "controller", "operation": "Update", "apiVersion": api_version, "fieldsV1": {"f:spec": {}}}]);
        }
        let needs: Vec<Value> = named(&shape.needs).into_iter().map(reference).collect();
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata,
            "spec": {"n": n, "testNeeds": needs}});
        match kind {
            "Cluster" => object["spec"]["paused"] = shape.paused.into(),
            "BareMetalHost" if shape.paused => {
                object["metadata"]["annotations"]["baremetalhost.metal3.io/paused"] = "by-user".into();
            }
            _ => {}
        }
        if status_apart {
            object["status"] = json!({"observedGeneration": if shape.behind { 2 } else { 3 },
                "initialization": {"infrastructureProvisioned": true},
                "conditions": [{"type": "ControlPlaneInitialized", "status": "True"}],
                "nodeRef": {"name": format!("node-{n}")}});
        }
        object
    }
}

fn uid(n: usize) -> String {
    // Not as the servers number what others put there.
    format!("object-{n}")
}

/// The kinds that both clusters serve.
pub(crate) static CATALOG: LazyLock<KindCatalog> = LazyLock::new(kinds);

fn kinds() -> KindCatalog {
    let info = |&(api_version, kind, status_apart): &(&str, &str, bool)| {
        let version = api_version.rsplit('/').next().unwrap().to_owned();
        KindInfo {
            kind: GroupKind::from_api_version(api_version, kind),
            plural: format!("{}s", kind.to_lowercase()),
            scope: Scope::Namespaced,
            storage_version: version.clone(),
            served: BTreeSet::from([version.clone()]),
            status_subresource: if status_apart { BTreeSet::from([version]) } else { BTreeSet::new() },
            labels: BTreeMap::new(),
            schemas: BTreeMap::new(),
        }
    };
    KINDS.iter().map(info).collect()
}
