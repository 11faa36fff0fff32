//! The real `clusterctl move` and ours on equal fixtures: what it moves we move, what it loses we keep.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use pivot_testbed::assets::{Assets, Program};
use pivot_testbed::assets_or_skip;
use pivot_testbed::dump::{Difference, Dump, Key};
use pivot_testbed::fixture::{Fixture, FixtureOptions, bystanders};
use pivot_testbed::kind::Gvk;
use tokio::process::Command;

use crate::content::{assert_same, contents, keys};
use crate::scene::Scene;

/// Kind and name: the two fixtures live in different namespaces.
type Name = (String, String, String);

fn names(keys: impl IntoIterator<Item = Key>) -> BTreeSet<Name> {
    keys.into_iter().map(|key| (key.group, key.kind, key.name)).collect()
}

#[tokio::test]
async fn what_clusterctl_moves_we_move_and_what_it_loses_we_keep() {
    let assets = assets_or_skip!();
    let (theirs, ours) = (Scene::new(&assets, "theirs").await, Scene::new(&assets, "ours").await);
    let load = async |scene: &Scene<'_>| -> Dump {
        let options = FixtureOptions::small().in_namespace(&scene.namespace).with_cluster_class();
        scene.load(&Fixture::new(options).with(bystanders(&scene.namespace))).await;
        scene.dumps().await.0
    };
    let (their_source, our_source) = (load(&theirs).await, load(&ours).await);
    assert_eq!(names(keys(&their_source)), names(keys(&our_source)));

    clusterctl_move(&assets, &theirs).await;
    ours.there().run().await.done();
    let ((their_rest, their_target), (our_rest, our_target)) = (theirs.dumps().await, ours.dumps().await);

    // Everything it brought to the target, and everything it took from the source.
    let (their_moved, our_moved) = (names(keys(&their_target)), names(keys(&our_target)));
    assert!(their_moved.len() > 20);
    let missed: Vec<_> = their_moved.difference(&our_moved).collect();
    assert!(missed.is_empty(), "clusterctl moved what we did not: {missed:#?}");
    let taken = |before: &Dump, after: &Dump| &names(keys(before)) - &names(keys(after));
    let (they_took, we_took) = (taken(&their_source, &their_rest), taken(&our_source, &our_rest));
    let left: Vec<_> = they_took.difference(&we_took).collect();
    assert!(left.is_empty(), "clusterctl took from the source what we did not: {left:#?}");

    // All of ours says in the target what it said in the source; the pause of the Cluster is news to nobody.
    let moved_before = our_source.filter(|key| our_target.get(key).is_some());
    assert_eq!(names(keys(&moved_before)), our_moved);
    let settled = |dump: &Dump, steps: i64| -> Dump {
        let objects = dump.iter().map(|(key, object)| {
            let mut object = object.clone();
            if key.kind == "Cluster" {
                let generation = object["metadata"]["generation"].as_i64().unwrap();
                object["metadata"]["generation"] = (generation - steps).into();
            }
            object
        });
        objects.collect()
    };
    assert_same(&moved_before, &settled(&our_target, 1));

    let lost = losses(&their_source, &their_target, &our_moved);
    println!("clusterctl lost, and pivotctl kept:");
    for ((_, kind, name), what) in &lost {
        println!("  {kind} {name}: {what}");
    }
    // What the comparison is there to see, so that it cannot pass by seeing nothing.
    let lost_of = |gvk: &Gvk, name: &str| {
        lost.get(&(gvk.group.to_string(), gvk.kind.to_string(), name.to_owned())).map(String::as_str)
    };
    for (gvk, name) in [
        (Gvk::CLUSTER, "test1"),
        (Gvk::MACHINE, "test1-cp-0000"),
        (Gvk::METAL3_MACHINE, "test1-cp-0000"),
        (Gvk::BARE_METAL_HOST, "test1-node-0"),
        (Gvk::IP_POOL, "test1-provisioning"),
    ] {
        assert!(lost_of(gvk, name).is_some_and(|what| what.contains("/status")), "{gvk} {name}: {lost:#?}");
    }
    for (gvk, name) in [
        (Gvk::SECRET, "test1-free-0-user-userdata"),
        (Gvk::SECRET, "test1-free-0-user-networkdata"),
        (Gvk::HOST_FIRMWARE_SETTINGS, "test1-node-0"),
        (Gvk::HOST_FIRMWARE_COMPONENTS, "test1-node-0"),
        (Gvk::HOST_UPDATE_POLICY, "test1-node-0"),
        (Gvk::DATA_IMAGE, "test1-node-0"),
        (Gvk::METAL3_REMEDIATION_TEMPLATE, "test1-remediation"),
    ] {
        assert_eq!(lost_of(gvk, name), Some("left behind"), "{gvk} {name}: {lost:#?}");
    }
}

/// What of our moved set clusterctl did not bring to the target, or brought with other content.
fn losses(before: &Dump, after: &Dump, moved: &BTreeSet<Name>) -> BTreeMap<Name, String> {
    let (before, after) = (contents(before), contents(after));
    let mut lost = BTreeMap::new();
    for difference in before.diff(&after) {
        let (key, what) = match difference {
            Difference::Removed(key) => (key, "left behind".to_owned()),
            Difference::Changed(key, paths) => (key, format!("differs at {}", paths.join(", "))),
            Difference::Added(_) => continue,
        };
        let name = (key.group, key.kind, key.name);
        if moved.contains(&name) {
            lost.insert(name, what);
        }
    }
    lost
}

async fn clusterctl_move(assets: &Assets, scene: &Scene<'_>) {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(assets.program(Program::Clusterctl).unwrap())
        .arg("move")
        .args(["--namespace", &scene.namespace])
        .arg("--kubeconfig")
        .arg(scene.pair.source.kubeconfig())
        .arg("--to-kubeconfig")
        .arg(scene.pair.target.kubeconfig())
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
