//! From what was listed to the tree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{HostState, Node, Replicas, Role};
use crate::condition::Condition;
use crate::host;
use crate::inventory::{Inventory, Object, ObjectId};
use crate::kind::{CLUSTER_NAME_LABEL, GroupKind};
use crate::object::{Manifest, ObjectKey};
use crate::pause::{CLUSTER_API_PAUSED, PauseField};

/// Kinds of `cluster.x-k8s.io` that hold the tree together; they name the others.
pub const SKELETON: [&str; 5] = ["Cluster", "MachineDeployment", "MachineSet", "MachinePool", "Machine"];

const GROUP: &str = "cluster.x-k8s.io";
const CONTROL_PLANE: &str = "cluster.x-k8s.io/control-plane";
/// Annotation of a Metal3Machine that names its host, as `namespace/name`.
const HOST: &str = "metal3.io/BareMetalHost";

/// Where the skeleton names objects of other kinds.
const REFERENCES: [&str; 5] = [
    "/spec/infrastructureRef",
    "/spec/controlPlaneRef",
    "/spec/bootstrap/configRef",
    "/spec/template/spec/infrastructureRef",
    "/spec/template/spec/bootstrap/configRef",
];

/// Kinds to list besides the skeleton: those that it names, and hosts where there may be some.
pub fn named_kinds(skeleton: &Inventory) -> BTreeSet<GroupKind> {
    let references = |object| REFERENCES.iter().filter_map(move |place| reference(object, place));
    let named = skeleton.iter().flat_map(|(_, object)| references(object)).map(|key| key.kind);
    let mut kinds: BTreeSet<GroupKind> = named.collect();
    if kinds.iter().any(|kind| kind.kind == "Metal3Machine") {
        kinds.insert(host::kind());
    }
    kinds
}

/// The tree of a Cluster; `None` where there is no such Cluster.
pub fn tree(inventory: &Inventory, namespace: &str, name: &str) -> Option<Node> {
    let key = ObjectKey::new(GroupKind::new(GROUP, "Cluster"), Some(namespace), name);
    let cluster = inventory.get(&key)?;
    Some(Tree::new(inventory, cluster).root())
}

/// What a reference names. Contract v1beta1 writes `apiVersion` and, at times, a namespace.
fn reference(from: &Object, place: &str) -> Option<ObjectKey> {
    let reference = from.manifest.pointer(place)?;
    let text = |field: &str| reference.get(field).and_then(Value::as_str);
    let kind = match text("apiGroup") {
        Some(group) => GroupKind::new(group, text("kind")?),
        None => GroupKind::from_api_version(text("apiVersion")?, text("kind")?),
    };
    let namespace = text("namespace").or(from.key.namespace.as_deref());
    Some(ObjectKey::new(kind, namespace, text("name")?))
}

fn number(manifest: &Manifest, pointer: &str) -> Option<i64> {
    manifest.pointer(pointer).and_then(Value::as_i64)
}

struct Tree<'a> {
    inventory: &'a Inventory,
    cluster: &'a Object,
    /// What belongs to the Cluster of each kind of the skeleton, by name.
    members: BTreeMap<&'a str, Vec<(ObjectId, &'a Object)>>,
    /// Hosts by the one that uses them.
    hosts: BTreeMap<ObjectKey, &'a Object>,
}

impl<'a> Tree<'a> {
    fn new(inventory: &'a Inventory, cluster: &'a Object) -> Self {
        let mut members: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        let mut hosts = BTreeMap::new();
        for (id, object) in inventory.iter() {
            let key = &object.key;
            if host::is_host(&key.kind) {
                hosts.extend(reference(object, "/spec/consumerRef").map(|consumer| (consumer, object)));
            } else if key.kind.group == GROUP && belongs(object, cluster) {
                members.entry(key.kind.kind.as_str()).or_default().push((id, object));
            }
        }
        for members in members.values_mut() {
            members.sort_by(|(_, a), (_, b)| a.key.cmp(&b.key));
        }
        Self { inventory, cluster, members, hosts }
    }

    fn members(&self, kind: &str) -> &[(ObjectId, &'a Object)] {
        self.members.get(kind).map_or(&[], Vec::as_slice)
    }

    fn root(&self) -> Node {
        let control_plane = reference(self.cluster, "/spec/controlPlaneRef");
        let mut makers: BTreeMap<ObjectId, Node> = BTreeMap::new();
        for kind in ["MachineDeployment", "MachinePool"] {
            makers.extend(self.members(kind).iter().map(|&(id, maker)| (id, self.maker(maker))));
        }
        for &(id, set) in self.members("MachineSet") {
            if self.maker_of(id, &makers).is_none() {
                makers.insert(id, self.maker(set));
            }
        }
        let mut control_planes = Vec::new();
        let mut others = Vec::new();
        let control_plane_id = control_plane.as_ref().and_then(|key| self.inventory.find(key));
        for &(id, machine) in self.members("Machine") {
            let node = self.machine(machine);
            let is_control_plane =
                machine.manifest.label(CONTROL_PLANE).is_some() && control_plane_id.is_some();
            if is_control_plane {
                control_planes.push(node);
            } else if let Some(maker) = self.maker_of(id, &makers).and_then(|maker| makers.get_mut(&maker)) {
                maker.children.push(node);
            } else {
                others.push(node);
            }
        }

        let mut root = found(self.cluster, None, &["Available", "Ready"]);
        root.replicas = cluster_replicas(&self.cluster.manifest);
        let infrastructure = reference(self.cluster, "/spec/infrastructureRef");
        root.children.extend(
            infrastructure
                .map(|key| self.node(key, Some(Role::ClusterInfrastructure), &["Ready", "Available"])),
        );
        root.children.extend(control_plane.map(|key| {
            let mut node = self.node(key.clone(), Some(Role::ControlPlane), &["Available", "Ready"]);
            node.replicas = self.inventory.get(&key).and_then(|object| replicas(&object.manifest));
            node.children = control_planes;
            node
        }));
        let mut workers: Vec<Node> = makers.into_values().collect();
        workers.sort_by(|a, b| a.object.cmp(&b.object));
        for (role, children) in [(Role::Workers, workers), (Role::Other, others)] {
            if !children.is_empty() {
                root.children.push(Node { role: Some(role), children, ..Node::default() });
            }
        }
        root
    }

    /// What made it, by its owners and theirs. They may be gone, or own each other in a circle.
    fn maker_of(&self, id: ObjectId, makers: &BTreeMap<ObjectId, Node>) -> Option<ObjectId> {
        let mut seen = BTreeSet::from([id]);
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            if makers.contains_key(&id) {
                return Some(id);
            }
            let owners = self.inventory.object(id).manifest.owner_references();
            let owners = owners.iter().filter_map(|owner| self.inventory.find_uid(&owner.uid));
            pending.extend(owners.filter(|owner| seen.insert(*owner)));
        }
        None
    }

    fn maker(&self, maker: &Object) -> Node {
        let mut node = found(maker, None, &["Available", "Ready"]);
        node.replicas = replicas(&maker.manifest);
        if maker.key.kind.kind == "MachinePool" {
            node.children = self.parts(maker, "/spec/template");
        }
        node
    }

    fn machine(&self, machine: &Object) -> Node {
        let mut node = found(machine, None, &["Ready", "Available"]);
        node.children = self.parts(machine, "");
        let infrastructure = reference(machine, "/spec/infrastructureRef");
        node.children.extend(infrastructure.and_then(|key| self.host(&key)));
        node
    }

    fn parts(&self, of: &Object, place: &str) -> Vec<Node> {
        let parts = [
            (Role::MachineInfrastructure, format!("{place}/spec/infrastructureRef")),
            (Role::Bootstrap, format!("{place}/spec/bootstrap/configRef")),
        ];
        let parts = parts.into_iter().filter_map(|(role, place)| Some((role, reference(of, &place)?)));
        parts.map(|(role, key)| self.node(key, Some(role), &["Ready", "Available"])).collect()
    }

    /// The host of a Metal3Machine: the one that it names, or else the one that names it.
    fn host(&self, user: &ObjectKey) -> Option<Node> {
        let named = self.inventory.get(user).and_then(|user| user.manifest.annotation(HOST));
        let named = named.and_then(|path| path.split_once('/'));
        let key = match named {
            Some((namespace, name)) => ObjectKey::new(host::kind(), Some(namespace), name),
            None => self.hosts.get(user)?.key.clone(),
        };
        let host = self.inventory.get(&key).map(|host| HostState::of(&host.manifest));
        Some(Node { host, ..self.node(key, Some(Role::Host), &["Ready"]) })
    }

    fn node(&self, key: ObjectKey, role: Option<Role>, conditions: &[&str]) -> Node {
        match self.inventory.get(&key) {
            Some(object) => found(object, role, conditions),
            None => Node { role, object: Some(key), missing: true, ..Node::default() },
        }
    }
}

/// An object with the first of these conditions that it has.
fn found(object: &Object, role: Option<Role>, conditions: &[&str]) -> Node {
    let manifest = &object.manifest;
    let by_field =
        PauseField::of(&object.key.kind).is_some_and(|field| field.is_paused(&field.read(manifest)));
    Node {
        role,
        object: Some(object.key.clone()),
        deleting: manifest.is_terminating(),
        paused: by_field || manifest.annotation(CLUSTER_API_PAUSED).is_some(),
        condition: conditions.iter().find_map(|name| Condition::find(manifest, name)),
        ..Node::default()
    }
}

fn belongs(object: &Object, cluster: &Object) -> bool {
    let name = object.manifest.pointer("/spec/clusterName").and_then(Value::as_str);
    let name = name.or_else(|| object.manifest.label(CLUSTER_NAME_LABEL));
    object.key.namespace == cluster.key.namespace && name == Some(&cluster.key.name)
}

fn replicas(manifest: &Manifest) -> Option<Replicas> {
    let wants = number(manifest, "/spec/replicas")?;
    Some(Replicas { has: number(manifest, "/status/replicas").unwrap_or_default(), wants })
}

/// Those of the control plane and the workers together; contract v1beta1 does not count them.
fn cluster_replicas(manifest: &Manifest) -> Option<Replicas> {
    let sum = |field: &str| {
        let of = |part: &str| number(manifest, &format!("/status/{part}/{field}"));
        match (of("controlPlane"), of("workers")) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or_default() + other.unwrap_or_default()),
        }
    };
    Some(Replicas { wants: sum("desiredReplicas")?, has: sum("replicas").unwrap_or_default() })
}
