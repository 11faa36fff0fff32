//! Small clusters in random shape, and the blueprint of their move.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use pivot_core::inventory::Inventory;
use pivot_core::kind::{GroupKind, KindCatalog, KindInfo, Scope};
use pivot_core::link::LinkRules;
use pivot_core::object::Manifest;
use pivot_core::plan::{Blueprint, SourceFacts, TargetFacts};
use pivot_core::select::Request;
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

static LINK_RULES: LazyLock<Arc<LinkRules>> =
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

/// A Cluster and what is around it; which namespaces the target has.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) shapes: Vec<Shape>,
    pub(crate) target_namespaces: BTreeSet<String>,
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let cluster = Shape {
        kind: 0,
        elsewhere: false,
        owners: Vec::new(),
        needs: Vec::new(),
        finalizer: true,
        applied: false,
        paused: false,
        behind: false,
    };
    let shapes = prop::collection::vec(shape(), 0..9).prop_map(move |mut rest| {
        rest.insert(0, cluster.clone());
        rest
    });
    (shapes, any::<[bool; 2]>()).prop_map(|(shapes, [here, there])| World {
        shapes,
        target_namespaces: [("here", here), ("there", there)]
            .into_iter()
            .filter(|(_, exists)| *exists)
            .map(|(name, _)| name.to_owned())
            .collect(),
    })
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

    /// The blueprint, as PLAN makes it from what the two servers hold.
    pub(crate) fn blueprint(&self, source: Inventory, target: Inventory) -> Blueprint {
        let namespace = |name: &str| {
            let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            (name.to_owned(), Manifest::new(value))
        };
        let source = SourceFacts {
            name: "source".to_owned(),
            inventory: source,
            namespaces: BTreeMap::from([namespace("here"), namespace("there")]),
            ..SourceFacts::default()
        };
        let target = TargetFacts {
            name: "target".to_owned(),
            inventory: target,
            namespaces: self.target_namespaces.iter().map(|name| namespace(name)).collect(),
            ..TargetFacts::default()
        };
        let versions = Blueprint::versions(&CATALOG, Some(&CATALOG));
        Blueprint::new(source, Some(Arc::new(target)), Arc::clone(&LINK_RULES), Request::default(), versions)
    }
}

fn uid(n: usize) -> String {
    format!("source-{n}")
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
