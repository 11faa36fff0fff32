//! Out of a directory.

use std::collections::BTreeSet;
use std::fs;

use pivot::directory::DirectoryError;
use pivot_core::machine::{End, Phase};
use pivot_core::record::FenceMode;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::Patch;
use pivot_testbed::dump::Dump;
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::content::{assert_same, keys};
use crate::desk::{Desk, assert_restored, connect, quiet};

fn only(dump: &Dump, names: &BTreeSet<pivot_testbed::dump::Key>) -> Dump {
    dump.filter(|key| names.contains(key))
}

/// Upstream: backupRestoreTests, "Cluster". Status is there too, and owners live.
#[tokio::test]
async fn cluster() {
    let assets = assets_or_skip!();
    let mut desk = Desk::new(&assets, "restore", 1).await;
    desk.fence = FenceMode::Full;
    let marked = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}});
    desk.source.patch(Gvk::NAMESPACE, None, desk.namespace(), Patch::Merge, &marked, "test").await.unwrap();
    let exported = desk.export().await.unwrap();
    let told = desk.imported().await;

    let (source, target) = desk.dumps().await;
    assert_restored(&source, &target);
    assert_eq!(target.dangling_owners(), []);
    assert_eq!(keys(&target).len(), exported.objects);
    let namespace = desk.target.get(Gvk::NAMESPACE, None, desk.namespace()).await.unwrap().unwrap();
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "privileged");
    let skipped: Vec<Phase> = told
        .iter()
        .filter_map(|notice| match notice {
            pivot_core::machine::Notice::PhaseSkipped { phase, .. } => Some(*phase),
            _ => None,
        })
        .collect();
    assert!(skipped.contains(&Phase::Quiesce) && skipped.contains(&Phase::Retire), "{skipped:?}");

    // Once more: everything is there and equal, so that nothing is written.
    desk.imported().await;
    assert_eq!(target.uids_and_resource_versions(), desk.dumps().await.1.uids_and_resource_versions());
}

/// Upstream: backupRestoreTests, "Many namespace cluster".
#[tokio::test]
async fn many_namespace_cluster() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "many", 2).await;
    desk.export().await.unwrap();
    desk.imported().await;
    let (source, target) = desk.dumps().await;
    assert_restored(&source, &target);
    assert_eq!(target.dangling_owners(), []);
    for namespace in &desk.namespaces {
        assert!(!keys(&target.in_namespace(namespace)).is_empty(), "{namespace}");
    }
}

#[tokio::test]
async fn the_cluster_that_an_export_came_from_can_take_it_back() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "lost", 1).await;
    let (before, _) = desk.dumps().await;
    desk.export().await.unwrap();
    let (lost, kept) = ("test1-free-0-user-userdata", desk.namespace());
    desk.source.delete(Gvk::SECRET, Some(kept), lost).await.unwrap();

    let source = connect(&desk.pair.source).await;
    let end = desk.import_into(&source, &mut |_| {}).await;

    assert!(matches!(end, Ok(End::Done { .. })), "{end:?}");
    let (after, _) = desk.dumps().await;
    assert_same(&before, &after);
    let names: BTreeSet<_> = keys(&before).into_iter().filter(|key| key.name != lost).collect();
    assert_eq!(
        only(&before, &names).uids_and_resource_versions(),
        only(&after, &names).uids_and_resource_versions(),
        "what was there is left as it is"
    );
}

#[tokio::test]
async fn what_differs_in_the_target_is_a_conflict() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "conflict", 1).await;
    desk.export().await.unwrap();
    desk.target.ensure_namespace(desk.namespace()).await.unwrap();
    let other = json!({"apiVersion": "v1", "kind": "Secret", "data": {"value": "b3RoZXI="},
        "metadata": {"name": "test1-kubeconfig", "namespace": desk.namespace()}});
    desk.target.create(&other, "test").await.unwrap();
    let message = desk.refused().await;
    assert!(message.contains("[copy-differs]") && message.contains("test1-kubeconfig"), "{message}");
    assert!(message.contains("exists in the target and differs at /data/value"), "{message}");
}

#[tokio::test]
async fn what_an_earlier_import_left_behind_is_a_conflict() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "halfway", 1).await;
    desk.export().await.unwrap();
    desk.imported().await;
    let namespace = Some(desk.namespace());
    // As an import leaves it that was killed before it activated the target.
    let paused = json!({"spec": {"paused": true}});
    desk.target.patch(Gvk::CLUSTER, namespace, "test1", Patch::Merge, &paused, "test").await.unwrap();
    let message = desk.refused().await;
    assert!(
        message.contains("Cluster") && message.contains("exists in the target and is paused there"),
        "{message}"
    );
    // And before it wrote a status.
    let unready = json!({"metadata": {"annotations": {"pivot.metal3.io/pivoted-ready": null}}});
    let host = "test1-node-0";
    desk.target.patch(Gvk::BARE_METAL_HOST, namespace, host, Patch::Merge, &unready, "test").await.unwrap();
    let message = desk.refused().await;
    assert!(message.contains("was staged there by pivot import-"), "{message}");
}

#[tokio::test]
async fn an_import_that_fails_leaves_nothing() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "undone", 1).await;
    desk.export().await.unwrap();
    desk.without_manifest();
    // No check sees that the target's schema has no such value.
    let file = desk.file(&format!("BareMetalHost_{}_test1-node-0.yaml", desk.namespace()));
    let mut host: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    host["spec"]["bootMode"] = "no-such-mode".into();
    fs::write(&file, host.to_string()).unwrap();

    let (end, _) = desk.import().await;

    let End::RolledBack { phase: Phase::Stage, cause } = end.unwrap() else { panic!() };
    assert!(cause.contains("test1-node-0"), "{cause}");
    let (_, target) = desk.dumps().await;
    assert_eq!(keys(&target), BTreeSet::new());
}

#[tokio::test]
async fn an_import_takes_all_that_is_there() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "filtered", 1).await;
    desk.export().await.unwrap();
    let mut options = desk.options();
    options.request.clusters.insert("test1".to_owned());
    let error = desk.read(&options).await.unwrap_err();
    assert!(matches!(error, DirectoryError::Filtered), "{}", quiet(&error));

    // A look writes nothing and names every object.
    let import = desk.read(&desk.options()).await.unwrap();
    let report = import.report();
    assert_eq!(report.counts().copied, desk.files().len() - 1);
    assert_eq!(report.counts().errors, 0, "{:?}", report.findings);
    assert_eq!(import.manifest().unwrap().id, "export-1");
    assert!(import.warnings().is_empty());
    assert!(keys(&desk.dumps().await.1).is_empty());
}
