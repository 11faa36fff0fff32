//! `Test_objectMover_move`: the cases of `moveTests` from PLAN to RETIRE, between two clusters that do as they are told.
//!
//! What goes wrong between real ones is tried elsewhere; here everything is granted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pivot_core::check::{CheckId, Finding, Severity};
use pivot_core::inventory::Inventory;
use pivot_core::kind::KindCatalog;
use pivot_core::link::LinkRules;
use pivot_core::machine::{
    Act, End, Machine, OnFailure, Op, Options, Outcome, Past, Revision, Seen, Side, Write,
};
use pivot_core::object::{Manifest, ObjectKey, Uid};
use pivot_core::plan::{Blueprint, SourceFacts, TargetFacts};
use pivot_core::record::{FenceMode, Terms};
use pivot_core::select::Action;
use serde_json::{Value, json};

use crate::world::{World, everything, served};

/// A cluster without a will of its own.
struct Store {
    name: &'static str,
    kinds: KindCatalog,
    objects: BTreeMap<ObjectKey, Value>,
    written: u64,
}

impl Store {
    fn new(name: &'static str, kinds: &KindCatalog) -> Self {
        Self { name, kinds: kinds.clone(), objects: BTreeMap::new(), written: 0 }
    }

    fn keep(&mut self, key: &ObjectKey, mut object: Value) -> Revision {
        self.written += 1;
        object["metadata"]["resourceVersion"] = self.written.to_string().into();
        let revision = Revision::of(&Manifest::new(object.clone()));
        self.objects.insert(key.clone(), object);
        revision
    }

    fn write(&mut self, key: &ObjectKey, op: &Op) -> Outcome {
        let object = match op {
            Op::Create { body, .. } => {
                assert!(!self.objects.contains_key(key), "{key} is created twice");
                let mut object = body.clone();
                object["metadata"]["uid"] = format!("{}-{}", self.name, self.written).into();
                object
            }
            Op::Replace { body, .. } => body.clone(),
            Op::Status { body, .. } => {
                let mut object = self.objects[key].clone();
                object["status"] = body["status"].clone();
                object
            }
            Op::Merge { patch, .. } => {
                let mut object = self.objects[key].clone();
                merge(&mut object, patch);
                object
            }
            Op::Delete { uid, .. } => {
                let gone = self.objects.remove(key).unwrap();
                assert_eq!(gone["metadata"]["uid"], uid.0);
                return Outcome::Removed;
            }
        };
        Outcome::Written(self.keep(key, object))
    }

    fn inventory(&self) -> Inventory {
        let mut inventory = Inventory::new(self.name, self.kinds.clone());
        for (key, object) in &self.objects {
            if !is_records(key) {
                inventory.add(&key.kind, Manifest::new(object.clone()));
            }
        }
        inventory
    }

    fn glance(&self) -> Vec<Seen> {
        let seen = |object: &pivot_core::inventory::Object| Seen {
            key: object.key.clone(),
            uid: object.uid.clone(),
            resource_version: object.manifest.resource_version().to_owned(),
            owners: object.manifest.owner_references().into_iter().map(|owner| owner.uid).collect(),
            terminating: false,
        };
        self.inventory().iter().map(|(_, object)| seen(object)).collect()
    }

    fn uids(&self) -> BTreeSet<Uid> {
        self.objects.values().map(|object| Manifest::new(object.clone()).uid()).collect()
    }
}

fn is_records(key: &ObjectKey) -> bool {
    key.kind.kind == "Namespace" || key.namespace.as_deref() == Some("pivotctl-system")
}

fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else { return *into = patch.clone() };
    for (field, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(field);
        } else {
            if !into[field].is_object() {
                into[field] = json!({});
            }
            merge(&mut into[field], value);
        }
    }
}

/// As its controllers leave it once nothing is under way.
fn settled(mut object: Value) -> Value {
    match object["kind"].as_str() {
        Some("Cluster") => {
            object["status"] = json!({
                "initialization": {"infrastructureProvisioned": true, "controlPlaneInitialized": true},
                "conditions": [{"type": "ControlPlaneInitialized", "status": "True"}],
            });
        }
        Some("Machine") => object["status"]["nodeRef"] = json!({"name": "node"}),
        _ => {}
    }
    object
}

/// Moves everything, or tells why PLAN refuses.
fn moved(world: &World) -> Result<(Blueprint, [Store; 2]), Box<Finding>> {
    let kinds = served(&world.inventory);
    let (mut source, mut target) = (Store::new("source", &kinds), Store::new("target", &kinds));
    for (_, object) in world.inventory.iter() {
        source.keep(&object.key, settled(object.manifest.value().clone()));
    }
    let facts =
        SourceFacts { name: "source".to_owned(), inventory: source.inventory(), ..SourceFacts::default() };
    let versions = Blueprint::versions(&kinds, Some(&kinds));
    let there =
        TargetFacts { name: "target".to_owned(), inventory: target.inventory(), ..TargetFacts::default() };
    let rules = Arc::new(LinkRules::builtin());
    let blueprint = Blueprint::new(facts, Some(Arc::new(there)), rules, everything(), versions);
    let error = blueprint.findings(&[]).into_iter().find(|finding| finding.severity == Severity::Error);
    if let Some(error) = error {
        return Err(Box::new(error));
    }
    let mut machine = Machine::new(blueprint, options(), &Past::default());
    while machine.end().is_none() {
        for effect in machine.next(1) {
            let outcome = match effect.act {
                Act::Write(Write { side, key, op }) => match side {
                    Side::Source => source.write(&key, &op),
                    Side::Target => target.write(&key, &op),
                },
                Act::Inventory { .. } => Outcome::Inventory(Box::new(source.inventory())),
                Act::ListTarget(_) => Outcome::Inventory(Box::new(target.inventory())),
                Act::Glance { side: Side::Source, .. } => Outcome::Glance(source.glance()),
                Act::Glance { side: Side::Target, .. } => Outcome::Glance(target.glance()),
                Act::Watch | Act::Unwatch => Outcome::Watching,
                act @ (Act::Read { .. }
                | Act::Occupants(_)
                | Act::Pods { .. }
                | Act::Ironic { .. }
                | Act::Canary { .. }) => {
                    panic!("nothing asks for {act:?}")
                }
            };
            machine.apply(effect.id, outcome);
        }
    }
    assert!(matches!(machine.end(), Some(End::Done { .. })), "{:?}", machine.end());
    Ok((machine.blueprint().clone(), [source, target]))
}

fn options() -> Options {
    Options {
        pivot_id: "p1".to_owned(),
        tool: "test".to_owned(),
        coordinator: "test".to_owned(),
        token: "t1".to_owned(),
        terms: Terms { fence: FenceMode::Pause, ..Terms::default() },
        on_failure: OnFailure::Rollback,
        close: false,
        wait: Duration::from_secs(1),
        patience: Duration::from_secs(1),
        snapshots: 1,
        bulk: usize::MAX,
        live_providers: BTreeSet::new(),
        controllers: BTreeMap::new(),
    }
}

/// Everything that was to move is in the target, owned by what lives there, and gone from the source; the rest stayed.
#[track_caller]
pub(crate) fn check(world: &World) {
    let (blueprint, [source, target]) = match moved(world) {
        Ok(moved) => moved,
        Err(finding) => {
            let refused = matches!(finding.id, CheckId::AlreadyPaused | CheckId::NothingToMove);
            return assert!(refused, "{finding}");
        }
    };
    let live = target.uids();
    for (id, object) in world.inventory.iter() {
        let name = world.name(id);
        let action = world.select(&everything()).action(id);
        let arrived = target.objects.get(&object.key);
        assert_eq!(arrived.is_some(), matches!(action, Action::Move | Action::Copy), "{name} in the target");
        assert_eq!(source.objects.contains_key(&object.key), action != Action::Move, "{name} in the source");
        let owners = arrived.map(|object| Manifest::new(object.clone()).owner_references());
        for owner in owners.into_iter().flatten() {
            assert!(live.contains(&owner.uid), "{name} is owned by a {} of the source", owner.kind);
        }
    }
    assert!(blueprint.staged_objects().count() > 0);
}
