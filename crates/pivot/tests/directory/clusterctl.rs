//! The real clusterctl writes what we read, and reads what we write.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Output, Stdio};

use pivot_core::bundle::{BundleManifest, MANIFEST_FILE};
use pivot_core::machine::Notice;
use pivot_testbed::assets::{Assets, Program};
use pivot_testbed::assets_or_skip;
use pivot_testbed::dump::Key;
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::Plane;
use serde_json::Value;
use tokio::process::Command;

use crate::content::keys;
use crate::desk::{Desk, assert_restored};

async fn clusterctl(
    assets: &Assets,
    desk: &Desk,
    plane: &Plane,
    kubeconfig: &str,
    directory: &str,
) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(assets.program(Program::Clusterctl).unwrap())
        .arg("move")
        .args(["--namespace", desk.namespace()])
        .arg(kubeconfig)
        .arg(plane.kubeconfig())
        .arg(directory)
        .arg(desk.path())
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn what_clusterctl_wrote_is_read_with_all_that_it_wrote() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "theirs", 1).await;
    let (before, _) = desk.dumps().await;
    let output = clusterctl(&assets, &desk, &desk.pair.source, "--kubeconfig", "--to-directory").await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written: BTreeSet<Key> = desk
        .files()
        .values()
        .map(|bytes| Key::of(&serde_json::from_slice::<Value>(bytes).unwrap()).unwrap())
        .collect();
    assert!(written.contains(&Key::new(Gvk::BARE_METAL_HOST, desk.namespace(), "test1-node-0")));

    let told = desk.imported().await;

    let warned = told.iter().any(
        |notice| matches!(notice, Notice::Warning { message, .. } if message.contains("has no manifest")),
    );
    assert!(warned, "{told:?}");
    let (_, target) = desk.dumps().await;
    assert_eq!(keys(&target), written);
    // What clusterctl itself leaves without status has it, and clusterctl's pause is gone.
    assert_restored(&before.filter(|key| written.contains(key)), &target);
    assert_eq!(target.dangling_owners(), []);
}

#[tokio::test]
async fn clusterctl_reads_what_we_wrote() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "ours", 1).await;
    desk.export().await.unwrap();
    let manifest = fs::read(desk.file(MANIFEST_FILE)).unwrap();

    let unfinished = BundleManifest::decode(&manifest).unwrap().writing(&[]);
    fs::write(desk.file(MANIFEST_FILE), unfinished.encode()).unwrap();
    let output = clusterctl(&assets, &desk, &desk.pair.target, "--to-kubeconfig", "--from-directory").await;
    assert!(!output.status.success(), "an export that did not finish is not taken for a whole one");
    assert!(keys(&desk.dumps().await.1).is_empty());

    fs::write(desk.file(MANIFEST_FILE), manifest).unwrap();
    let output = clusterctl(&assets, &desk, &desk.pair.target, "--to-kubeconfig", "--from-directory").await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (source, target) = desk.dumps().await;
    // What nobody owns clusterctl passes over, here as in a move.
    let (ours, theirs) = (keys(&source), keys(&target));
    assert!(theirs.is_subset(&ours));
    for gvk in [Gvk::CLUSTER, Gvk::MACHINE, Gvk::BARE_METAL_HOST, Gvk::METAL3_MACHINE] {
        let of_kind = |keys: &BTreeSet<Key>| keys.iter().filter(|key| key.kind == gvk.kind).count();
        assert!(of_kind(&theirs) > 0 && of_kind(&theirs) == of_kind(&ours), "{gvk}");
    }
    // clusterctl writes no status. baremetal-operator finds it where the host carries it.
    for (key, host) in target.iter().filter(|(key, _)| key.is_of(Gvk::BARE_METAL_HOST)) {
        let carried = host["metadata"]["annotations"]["baremetalhost.metal3.io/status"].as_str().unwrap();
        let carried: Value = serde_json::from_str(carried).unwrap();
        assert_eq!(carried, source.get(key).unwrap()["status"], "{key}");
    }
}
