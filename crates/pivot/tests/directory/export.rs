//! Into a directory.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pivot::directory::DirectoryError;
use pivot_core::bundle::{BundleManifest, MANIFEST_FILE, object_file};
use pivot_core::machine::Notice;
use pivot_core::object::Manifest;
use pivot_testbed::assets_or_skip;
use pivot_testbed::dump::Key;
use pivot_testbed::fixture::{self, CANARY_BASE64, bystanders};
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::content::keys;
use crate::desk::{Desk, quiet};

/// Takes the annotation in which a host carries its status; what it says.
fn take_carried_status(host: &mut Value) -> Value {
    let metadata = host["metadata"].as_object_mut().unwrap();
    let annotations = metadata["annotations"].as_object_mut().unwrap();
    let carried = annotations.remove("baremetalhost.metal3.io/status").unwrap();
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    serde_json::from_str(carried.as_str().unwrap()).unwrap()
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn an_export_is_whole_private_and_leaves_no_trace_in_the_source() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "export", 1).await;
    let expected = keys(&desk.dumps().await.0);
    fixture::load(&desk.source, &bystanders(desk.namespace())).await.unwrap();
    let (before, _) = desk.dumps().await;

    let mut told = Vec::new();
    let exported = desk.export_heard(&mut |notice| told.push(notice.clone())).await.unwrap();

    let (after, _) = desk.dumps().await;
    assert_eq!(before.uids_and_resource_versions(), after.uids_and_resource_versions());
    let files = desk.files();
    let manifest = BundleManifest::decode(&files[MANIFEST_FILE]).unwrap();
    assert_eq!((exported.objects, &exported.digest), (files.len() - 1, &manifest.digest));
    let mut found = BTreeSet::new();
    for (name, bytes) in files.iter().filter(|(name, _)| *name != MANIFEST_FILE) {
        assert_eq!(mode(&desk.file(name)), 0o600, "{name}");
        let mut object: Value = serde_json::from_slice(bytes).unwrap();
        let key = Key::of(&object).unwrap();
        assert_eq!(*name, object_file(&Manifest::new(object.clone()).key()));
        if key.is_of(Gvk::BARE_METAL_HOST) {
            assert_eq!(take_carried_status(&mut object), object["status"], "{key} carries its status");
        }
        assert_eq!(Some(&object), before.get(&key), "{key} is written whole");
        found.insert(key);
    }
    assert_eq!(found, expected, "everything of the cluster, and no bystander");
    assert_eq!(mode(&desk.file(MANIFEST_FILE)), 0o600);
    assert!(!told.iter().any(|notice| matches!(notice, Notice::Warning { .. })), "{told:?}");
    assert!(!format!("{told:?}").contains(CANARY_BASE64));
    assert!(!String::from_utf8_lossy(&files[MANIFEST_FILE]).contains(CANARY_BASE64));
}

#[tokio::test]
async fn an_object_that_changes_meanwhile_is_written_as_it_was_last() {
    let assets = assets_or_skip!();
    let desk = Arc::new(Desk::new(&assets, "changing", 1).await);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (desk, stop) = (Arc::clone(&desk), Arc::clone(&stop));
        async move {
            let mut last = Value::Null;
            for count in 0_u64.. {
                let note = json!({"metadata": {"annotations": {"count": count.to_string()}}});
                last = desk.patch(Gvk::BARE_METAL_HOST, "test1-node-0", &note).await;
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            last
        }
    });
    let mut changed = Vec::new();
    let outcome = desk
        .export_heard(&mut |notice| {
            if let Notice::Resnapshot { objects } = notice {
                changed.extend(objects.iter().map(|key| key.name.clone()));
                stop.store(true, Ordering::Relaxed);
            }
        })
        .await;
    stop.store(true, Ordering::Relaxed);
    let last = writer.await.unwrap();
    outcome.unwrap();
    assert_eq!(changed.first().map(String::as_str), Some("test1-node-0"));
    let name = format!("BareMetalHost_{}_test1-node-0.yaml", desk.namespace());
    let mut written: Value = serde_json::from_slice(&desk.files()[&name]).unwrap();
    take_carried_status(&mut written);
    assert_eq!(written, last);
}

/// Upstream: Test_objectMover_toDirectory, "Cluster is paused". clusterctl refuses; here the pause is the user's, and is kept.
#[tokio::test]
async fn cluster_is_paused() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "paused", 1).await;
    desk.pause_cluster().await;
    desk.export().await.unwrap();
    desk.imported().await;
    let (_, target) = desk.dumps().await;
    let cluster = target.get(&Key::new(Gvk::CLUSTER, desk.namespace(), "test1")).unwrap();
    assert_eq!(cluster["spec"]["paused"], true);
}

/// Upstream: Test_objectMover_toDirectory, "ClusterClass is paused". As above.
#[tokio::test]
async fn cluster_class_is_paused() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "pausedclass", 1).await;
    let pause = json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": "by-me"}}});
    desk.patch(Gvk::CLUSTER_CLASS, "test1-class", &pause).await;
    desk.export().await.unwrap();
    desk.imported().await;
    let (_, target) = desk.dumps().await;
    let class = target.get(&Key::new(Gvk::CLUSTER_CLASS, desk.namespace(), "test1-class")).unwrap();
    assert_eq!(class["metadata"]["annotations"]["cluster.x-k8s.io/paused"], "by-me");
}

#[tokio::test]
async fn an_earlier_export_is_replaced_as_a_whole() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "again", 1).await;
    desk.export().await.unwrap();
    let first = desk.files();
    let gone = format!("Secret_{}_test1-free-0-user-userdata.yaml", desk.namespace());
    assert!(first.contains_key(&gone));
    desk.source.delete(Gvk::SECRET, Some(desk.namespace()), "test1-free-0-user-userdata").await.unwrap();
    // As an export leaves it that was killed.
    fs::write(desk.file(".pivotctl-7.tmp"), "half a file").unwrap();

    desk.export().await.unwrap();

    let second = desk.files();
    assert!(!second.contains_key(&gone) && !second.contains_key(".pivotctl-7.tmp"), "{:?}", second.keys());
    let manifest = BundleManifest::decode(&second[MANIFEST_FILE]).unwrap();
    assert_eq!(manifest.mismatches(&second), []);
    desk.imported().await;
}

#[tokio::test]
async fn an_export_that_was_interrupted_is_no_import_but_can_be_made_again() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "killed", 1).await;
    desk.export().await.unwrap();
    let manifest = BundleManifest::decode(&desk.files()[MANIFEST_FILE]).unwrap();
    fs::write(desk.file(MANIFEST_FILE), manifest.writing(&[]).encode()).unwrap();
    fs::write(desk.file(&manifest.files[0].file), "of the one export or the other").unwrap();

    assert!(desk.refused().await.ends_with("the export export-1 into it did not finish"));
    desk.export().await.unwrap();
    desk.imported().await;
}

async fn export_refused(desk: &Desk) -> String {
    let before = desk.files();
    let error = desk.export().await.unwrap_err();
    assert_eq!(before, desk.files(), "nothing in the directory is touched");
    quiet(&error)
}

#[tokio::test]
async fn an_export_touches_nothing_foreign() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "foreign", 1).await;
    fs::write(desk.file("notes.txt"), "mine").unwrap();
    let message = export_refused(&desk).await;
    assert!(
        message.ends_with("is neither empty nor an export of pivotctl: notes.txt does not belong there"),
        "{message}"
    );
    fs::remove_file(desk.file("notes.txt")).unwrap();

    // Named as we would name it, but not ours.
    let name = format!("Cluster_{}_test1.yaml", desk.namespace());
    fs::write(desk.file(&name), "{}").unwrap();
    assert!(export_refused(&desk).await.contains(&name));
    fs::remove_file(desk.file(&name)).unwrap();

    desk.export().await.unwrap();
    fs::write(desk.file(&name), "changed by hand").unwrap();
    assert!(export_refused(&desk).await.contains(&format!("{name} was changed")));
    fs::remove_file(desk.file(&name)).unwrap();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    symlink(elsewhere.path(), desk.file(&name)).unwrap();
    assert!(export_refused(&desk).await.contains(&format!("{name} is a symbolic link")));
    assert_eq!(fs::read(elsewhere.path()).unwrap(), b"");
}

#[tokio::test]
async fn an_export_needs_a_directory_and_something_to_write() {
    let assets = assets_or_skip!();
    let mut desk = Desk::new(&assets, "nothing", 1).await;
    let fixture_namespace = std::mem::replace(&mut desk.namespaces, vec!["nobody-lives-here".to_owned()]);
    let error = desk.export().await.unwrap_err();
    assert!(matches!(error, DirectoryError::Checks { .. }), "{error}");
    assert!(quiet(&error).starts_with("[nothing-to-move]"), "{error}");
    assert!(desk.files().is_empty());

    desk.namespaces = fixture_namespace;
    fs::remove_dir(desk.path()).unwrap();
    let error = desk.export().await.unwrap_err();
    assert!(matches!(error, DirectoryError::Io { action: "open", .. }), "{error}");
    assert!(!desk.path().exists(), "it is not made, since clusterctl makes none");
    fs::create_dir(desk.path()).unwrap();

    // A directory that others may look into is told of.
    fs::set_permissions(desk.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut warnings = Vec::new();
    desk.export_heard(&mut |notice| {
        if let Notice::Warning { message, .. } = notice {
            warnings.push(message.clone());
        }
    })
    .await
    .unwrap();
    assert!(warnings.iter().any(|warning| warning.starts_with("others than its owner")), "{warnings:?}");
}
