use serde_json::json;

use super::*;
use crate::inventory::Inventory;
use crate::kind::{GroupKind, KindCatalog};

const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io";
const CORE: &str = "cluster.x-k8s.io";

#[derive(Default)]
struct World(Vec<(GroupKind, Value)>);

impl World {
    /// A Cluster with its infrastructure, a control plane with one Machine, and one worker, each on a host.
    fn whole() -> Self {
        let mut world = Self::default();
        world.add(CORE, "Cluster", "c", json!({"spec": {
            "infrastructureRef": {"apiGroup": INFRASTRUCTURE, "kind": "Metal3Cluster", "name": "c"},
            "controlPlaneRef": {"apiVersion": "controlplane.cluster.x-k8s.io/v1beta1", "kind": "KubeadmControlPlane", "name": "cp"},
        }, "status": {
            "controlPlane": {"replicas": 1, "desiredReplicas": 1}, "workers": {"replicas": 1, "desiredReplicas": 2},
            "conditions": [{"type": "Ready", "status": "False"}, {"type": "Available", "status": "True"}],
        }}));
        world.add(INFRASTRUCTURE, "Metal3Cluster", "c", json!({}));
        world.add(
            "controlplane.cluster.x-k8s.io",
            "KubeadmControlPlane",
            "cp",
            json!({"spec": {"replicas": 1}}),
        );
        world.member("MachineDeployment", "md", json!({"spec": {"replicas": 2}, "status": {"replicas": 1}}));
        world.member("MachineSet", "ms", owned("MachineDeployment", "md"));
        world.machine("m0", json!({"metadata": {"labels": {"cluster.x-k8s.io/control-plane": ""}}}));
        world.machine("m1", owned("MachineSet", "ms"));
        world
    }

    fn add(&mut self, group: &str, kind: &str, name: &str, mut object: Value) {
        object["metadata"]["name"] = name.into();
        object["metadata"]["namespace"] = "n".into();
        object["metadata"]["uid"] = format!("{kind}-{name}").into();
        self.0.push((GroupKind::new(group, kind), object));
    }

    fn member(&mut self, kind: &str, name: &str, mut object: Value) {
        object["spec"]["clusterName"] = "c".into();
        self.add(CORE, kind, name, object);
    }

    /// With its Metal3Machine and its host.
    fn machine(&mut self, name: &str, mut object: Value) {
        object["spec"]["infrastructureRef"] =
            json!({"apiGroup": INFRASTRUCTURE, "kind": "Metal3Machine", "name": format!("{name}-infra")});
        self.member("Machine", name, object);
        let annotations = json!({"metal3.io/BareMetalHost": format!("n/{name}-host")});
        self.add(
            INFRASTRUCTURE,
            "Metal3Machine",
            &format!("{name}-infra"),
            json!({"metadata": {"annotations": annotations}}),
        );
        self.add(
            "metal3.io",
            "BareMetalHost",
            &format!("{name}-host"),
            json!({"status": {
            "operationalStatus": "OK", "poweredOn": true, "provisioning": {"state": "provisioned"}}}),
        );
    }

    fn get(&mut self, kind: &str, name: &str) -> &mut Value {
        let found =
            self.0.iter_mut().find(|(k, object)| k.kind == kind && object["metadata"]["name"] == name);
        &mut found.unwrap().1
    }

    fn remove(&mut self, kind: &str, name: &str) {
        self.0.retain(|(k, object)| k.kind != kind || object["metadata"]["name"] != name);
    }

    fn inventory(&self) -> Inventory {
        let mut inventory = Inventory::new("id", KindCatalog::default());
        for (kind, object) in &self.0 {
            inventory.add(kind, Manifest::new(object.clone()));
        }
        inventory
    }

    fn tree(&self) -> Node {
        tree(&self.inventory(), "n", "c").unwrap()
    }

    /// Each node on a line, indented by its depth.
    fn lines(&self) -> Vec<String> {
        fn write(node: &Node, depth: usize, lines: &mut Vec<String>) {
            let name = node.object.as_ref().map_or_else(
                || format!("{:?}", node.role.unwrap()),
                |key| format!("{}/{}", key.kind.kind, key.name),
            );
            let missing = if node.missing { " missing" } else { "" };
            lines.push(format!("{}{name}{missing}", "  ".repeat(depth)));
            node.children.iter().for_each(|child| write(child, depth + 1, lines));
        }
        let mut lines = Vec::new();
        write(&self.tree(), 0, &mut lines);
        lines
    }
}

fn owned(kind: &str, name: &str) -> Value {
    let owner = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": kind, "name": name, "uid": format!("{kind}-{name}")});
    json!({"metadata": {"ownerReferences": [owner]}})
}

#[test]
fn everything_has_its_place() {
    let world = World::whole();
    assert_eq!(
        world.lines(),
        [
            "Cluster/c",
            "  Metal3Cluster/c",
            "  KubeadmControlPlane/cp",
            "    Machine/m0",
            "      Metal3Machine/m0-infra",
            "      BareMetalHost/m0-host",
            "  Workers",
            "    MachineDeployment/md",
            "      Machine/m1",
            "        Metal3Machine/m1-infra",
            "        BareMetalHost/m1-host",
        ]
    );
    let root = world.tree();
    assert_eq!(root.replicas, Some(Replicas { has: 2, wants: 3 }));
    assert_eq!(root.condition.unwrap().r#type, "Available");
    let workers = &root.children[2].children[0];
    assert_eq!(workers.replicas, Some(Replicas { has: 1, wants: 2 }));
    let host = workers.children[0].children[1].host.clone().unwrap();
    assert_eq!((host.state.as_str(), host.powered_on), ("provisioned", Some(true)));
    assert!(tree(&world.inventory(), "n", "other").is_none());
    assert!(tree(&world.inventory(), "other", "c").is_none());
}

#[test]
fn what_is_named_and_gone_is_missing() {
    let mut world = World::whole();
    for (kind, name) in [("Metal3Cluster", "c"), ("Metal3Machine", "m0-infra"), ("BareMetalHost", "m1-host")]
    {
        world.remove(kind, name);
    }
    let lines = world.lines();
    let missing: Vec<_> =
        lines.iter().filter(|line| line.ends_with("missing")).map(|line| line.trim()).collect();
    assert_eq!(
        missing,
        ["Metal3Cluster/c missing", "Metal3Machine/m0-infra missing", "BareMetalHost/m1-host missing"]
    );
}

#[test]
fn a_host_that_is_not_named_is_found_by_its_consumer() {
    let mut world = World::whole();
    world.get("Metal3Machine", "m1-infra")["metadata"]["annotations"] = Value::Null;
    assert!(!world.lines().iter().any(|line| line.contains("m1-host")));
    world.get("BareMetalHost", "m1-host")["spec"]["consumerRef"] = json!({
        "apiVersion": format!("{INFRASTRUCTURE}/v1beta1"), "kind": "Metal3Machine", "name": "m1-infra", "namespace": "n"});
    assert!(world.lines().iter().any(|line| line.contains("m1-host")));
}

#[test]
fn machines_without_a_maker_are_not_lost() {
    let mut world = World::whole();
    world.remove("MachineSet", "ms");
    world.machine("m2", json!({}));
    // Two sets that own each other in a circle, and a Machine of one of them.
    world.member("MachineSet", "a", owned("MachineSet", "b"));
    world.member("MachineSet", "b", owned("MachineSet", "a"));
    world.machine("m3", owned("MachineSet", "b"));
    // One that owns itself.
    world.machine("m4", owned("Machine", "m4"));
    // A Machine of another Cluster.
    world.machine("m5", json!({}));
    world.get("Machine", "m5")["spec"]["clusterName"] = "d".into();
    let lines = world.lines();
    let at = |name: &str| lines.iter().position(|line| line.trim() == name);
    assert_eq!(at("Machine/m5"), None);
    let other = at("Other").unwrap();
    for orphan in ["Machine/m1", "Machine/m2", "Machine/m4"] {
        assert!(at(orphan).unwrap() > other, "{lines:#?}");
    }
    assert!(at("Machine/m3").unwrap() < other, "its set is there: {lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.trim().starts_with("Machine/")).count(), 5);
}

#[test]
fn without_a_control_plane_its_machines_stand_with_the_others() {
    let mut world = World::whole();
    world.remove("KubeadmControlPlane", "cp");
    let lines = world.lines();
    assert!(lines.contains(&"  KubeadmControlPlane/cp missing".to_owned()), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.trim() == "Machine/m0").count(), 1);
    assert!(lines.contains(&"  Other".to_owned()));
}

#[test]
fn objects_that_say_nothing_or_go_are_shown_so() {
    let mut world = World::whole();
    world.get("Cluster", "c")["status"] = Value::Null;
    world.get("Cluster", "c")["spec"]["paused"] = true.into();
    world.get("Machine", "m1")["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z".into();
    world.get("BareMetalHost", "m1-host")["status"] =
        json!({"errorType": "power management error", "errorMessage": "no answer"});
    let root = world.tree();
    assert!(root.paused && root.condition.is_none() && root.replicas.is_none());
    let machine = &root.children[2].children[0].children[0];
    assert!(machine.deleting && machine.condition.is_none());
    let host = machine.children[1].host.clone().unwrap();
    assert_eq!(
        (host.error_type.as_str(), host.error_message.as_str()),
        ("power management error", "no answer")
    );
    assert_eq!((host.state.as_str(), host.powered_on), ("", None));
}

#[test]
fn the_skeleton_names_the_other_kinds() {
    let kinds = |world: &World| {
        let mut skeleton = Inventory::new("id", KindCatalog::default());
        for (kind, object) in world.0.iter().filter(|(kind, _)| kind.group == CORE) {
            skeleton.add(kind, Manifest::new(object.clone()));
        }
        named_kinds(&skeleton).into_iter().map(|kind| kind.kind).collect::<Vec<_>>()
    };
    let mut world = World::whole();
    assert_eq!(kinds(&world), ["KubeadmControlPlane", "Metal3Cluster", "Metal3Machine", "BareMetalHost"]);
    world.remove("Machine", "m0");
    world.remove("Machine", "m1");
    assert_eq!(kinds(&world), ["KubeadmControlPlane", "Metal3Cluster"]);
}
