//! Whole directories, read and refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::inventory::Inventory;
use crate::kind::{GroupKind, KindCatalog, KindInfo, Scope};
use crate::link::LinkRules;
use crate::object::Manifest;
use crate::plan::{Blueprint, Origin, SourceFacts};
use crate::select::{Action, Request};

type Files = BTreeMap<String, Vec<u8>>;

const CANARY: &str = "S3CR3T-CANARY";

fn object(api_version: &str, kind: &str, name: &str, rest: &Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": "m", "uid": format!("uid-{kind}-{name}"), "generation": 3}});
    for (field, value) in rest.as_object().unwrap() {
        object[field] = value.clone();
    }
    object
}

fn cluster(paused: bool) -> Value {
    let mut cluster = object(
        "cluster.x-k8s.io/v1beta2",
        "Cluster",
        "c",
        &json!({"spec": {}, "status": {"observedGeneration": 2}}),
    );
    if paused {
        cluster["spec"]["paused"] = true.into();
    }
    cluster
}

fn secret() -> Value {
    let mut secret = object("v1", "Secret", "c-ca", &json!({"data": {"key": CANARY}}));
    secret["metadata"]["ownerReferences"] = json!([{"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "name": "c", "uid": "uid-Cluster-c"}]);
    secret
}

fn kinds() -> KindCatalog {
    let kind = |group: &str, kind: &str, version: &str| KindInfo {
        kind: GroupKind::new(group, kind),
        plural: format!("{}s", kind.to_lowercase()),
        scope: Scope::Namespaced,
        storage_version: version.to_owned(),
        served: BTreeSet::from([version.to_owned()]),
        status_subresource: BTreeSet::new(),
        labels: BTreeMap::new(),
        schemas: BTreeMap::new(),
    };
    [kind("cluster.x-k8s.io", "Cluster", "v1beta2"), kind("", "Secret", "v1")].into_iter().collect()
}

/// What we write for these objects.
fn ours(objects: impl IntoIterator<Item = Value>) -> Files {
    let mut inventory = Inventory::new("id", kinds());
    for object in objects {
        let manifest = Manifest::new(object);
        inventory.add(&manifest.group_kind(), manifest);
    }
    let labels =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "m", "labels": {"a": "b"}}});
    let facts = SourceFacts {
        name: "source".to_owned(),
        inventory,
        namespaces: BTreeMap::from([("m".to_owned(), Manifest::new(labels))]),
        ..SourceFacts::default()
    };
    let rules = Arc::new(LinkRules::builtin());
    let blueprint = Blueprint::new(facts, None, rules, Request::namespace("m"), BTreeMap::new());
    let encoded = Encoded::new(&blueprint, "0", "e1");
    let mut files: Files = encoded.files.into_iter().map(|file| (file.name, file.bytes)).collect();
    files.insert(MANIFEST_FILE.to_owned(), encoded.manifest.encode());
    files
}

/// What clusterctl writes for these objects.
fn clusterctls(objects: impl IntoIterator<Item = Value>) -> Files {
    let named = |object: Value| {
        (object_file(&Manifest::new(object.clone()).key()), format!("{object}\n").into_bytes())
    };
    objects.into_iter().map(named).collect()
}

fn refused(files: &Files) -> Vec<String> {
    let flaws: Vec<String> = Bundle::read(files).unwrap_err().iter().map(ToString::to_string).collect();
    assert!(flaws.iter().all(|flaw| !flaw.contains(CANARY)), "{flaws:?}");
    flaws
}

#[test]
fn what_we_write_reads_back_whole() {
    let bundle = Bundle::read(&ours([cluster(true), secret()])).unwrap();
    let objects: Vec<_> = bundle.objects.iter().map(|object| object.value().clone()).collect();
    assert_eq!(objects, [cluster(true), secret()], "a pause of the user stays");
    let facts = bundle.facts("directory", &kinds()).unwrap();
    assert_eq!(facts.namespaces["m"].label("a"), Some("b"));
}

#[test]
fn clusterctls_own_pause_is_taken_back() {
    let mut class = object("cluster.x-k8s.io/v1beta2", "ClusterClass", "class", &json!({}));
    class["metadata"]["annotations"] = json!({"cluster.x-k8s.io/paused": "true"});
    let mut host = object("metal3.io/v1alpha1", "BareMetalHost", "h", &json!({}));
    host["metadata"]["annotations"] = json!({"baremetalhost.metal3.io/paused": "mine"});
    let bundle = Bundle::read(&clusterctls([cluster(true), class, host.clone()])).unwrap();
    let by_kind: BTreeMap<&str, &Manifest> = bundle.objects.iter().map(|o| (o.kind(), o)).collect();
    assert!(bundle.manifest.is_none());
    assert_eq!(by_kind["Cluster"].pointer("/spec"), Some(&json!({})));
    assert_eq!(by_kind["Cluster"].generation(), 2, "the pause had moved it on");
    assert_eq!(by_kind["ClusterClass"].pointer("/metadata/annotations"), None);
    assert_eq!(by_kind["ClusterClass"].generation(), 3, "an annotation moves no generation");
    assert_eq!(by_kind["BareMetalHost"].value(), &host, "clusterctl pauses no hosts");
}

#[test]
fn everything_in_a_directory_is_copied_in_the_order_of_its_links() {
    let alone = object("v1", "Secret", "alone", &json!({}));
    let bundle = Bundle::read(&clusterctls([secret(), cluster(true), alone])).unwrap();
    let facts = bundle.facts("directory", &kinds()).unwrap();
    let blueprint = Blueprint::of_directory(facts, None, Arc::new(LinkRules::builtin()));
    assert_eq!((blueprint.origin, blueprint.staged.len()), (Origin::Directory, 3));
    assert_eq!(blueprint.with(Action::Copy).count(), 3);
    let order: Vec<_> =
        blueprint.order.sequence().into_iter().map(|id| blueprint.object(id).key.name.clone()).collect();
    let position = |name: &str| order.iter().position(|other| other == name);
    assert!(position("c") < position("c-ca"), "{order:?}");
    let renewed = blueprint.renewed(blueprint.source.inventory.clone());
    assert_eq!((renewed.origin, renewed.staged.len()), (Origin::Directory, 3));
}

#[test]
fn a_damaged_missing_or_foreign_file_is_named() {
    let whole = ours([cluster(false), secret()]);
    let mut damaged = whole.clone();
    damaged.get_mut("Secret_m_c-ca.yaml").unwrap().push(b' ');
    assert_eq!(
        refused(&damaged),
        ["Secret_m_c-ca.yaml was changed after it was written: its digest does not match"]
    );
    let mut missing = whole.clone();
    missing.remove("Cluster_m_c.yaml");
    missing.insert("Secret_m_more.yaml".to_owned(), b"{}".to_vec());
    assert_eq!(
        refused(&missing),
        ["Cluster_m_c.yaml is missing", "Secret_m_more.yaml does not belong there"]
    );
}

#[test]
fn a_manifest_that_lists_another_object_is_refused() {
    let mut files = ours([cluster(false), secret()]);
    let manifest = BundleManifest::decode(&files[MANIFEST_FILE]).unwrap();
    let mut other = manifest;
    other.files[0].key.name = "other".to_owned();
    files.insert(MANIFEST_FILE.to_owned(), other.sealed().encode());
    assert_eq!(refused(&files).len(), 1);
    assert!(refused(&files)[0].contains("the manifest says"), "{:?}", refused(&files));
}

#[test]
fn an_unfinished_export_is_refused() {
    let mut files = ours([cluster(false)]);
    let manifest = BundleManifest::decode(&files[MANIFEST_FILE]).unwrap();
    files.insert(MANIFEST_FILE.to_owned(), manifest.writing(&[]).encode());
    assert_eq!(refused(&files), ["the export e1 into it did not finish"]);
}

#[test]
fn a_directory_of_clusterctl_is_read_strictly() {
    let whole = clusterctls([cluster(true), secret()]);
    let with = |name: &str, bytes: &[u8]| {
        let mut files = whole.clone();
        files.insert(name.to_owned(), bytes.to_vec());
        refused(&files)
    };
    let text = secret().to_string();
    assert_eq!(
        with("Secret_m_c-ca.yaml", &text.as_bytes()[..text.len() - 9]),
        [format!(
            "Secret_m_c-ca.yaml line 1 column {}: the file ends in the middle of the object",
            text.len() - 9
        )]
    );
    assert_eq!(with("Secret_m_x.yaml", format!("kind: Secret\ndata: {{key: {CANARY}\n").as_bytes()).len(), 1);
    assert_eq!(with("Secret_m_x.yaml", b"- 1\n"), ["Secret_m_x.yaml holds no object: apiVersion is missing"]);
    assert_eq!(
        with("Secret_m_x.yaml", b"apiVersion: v1\nkind: Secret\nmetadata: {name: b, namespace: m, uid: u}\n"),
        ["Secret_m_x.yaml holds Secret m/b, whose file is Secret_m_b.yaml"]
    );
    assert_eq!(with("notes.txt", b""), ["notes.txt does not belong there"]);
    assert_eq!(with(".pivotctl-3.tmp", b"{}"), [".pivotctl-3.tmp does not belong there"]);
    assert_eq!(
        with("Secret_m_b.yaml", b"{apiVersion: v1, kind: Secret, metadata: {name: b, namespace: m, uid: u}}"),
        ["Secret_m_b.yaml line 1 column 2: not valid JSON"]
    );
}

#[test]
fn an_object_or_uid_stands_in_one_file_only() {
    let mut twin = secret();
    twin["metadata"]["name"] = "twin".into();
    assert_eq!(
        refused(&clusterctls([secret(), twin])),
        ["Secret_m_twin.yaml and Secret_m_c-ca.yaml hold the same object or uid"]
    );
}

#[test]
fn kinds_are_read_in_the_version_they_are_written_in() {
    let older = object("cluster.x-k8s.io/v1beta1", "Cluster", "older", &json!({}));
    let bundle = Bundle::read(&clusterctls([older.clone()])).unwrap();
    let facts = bundle.facts("directory", &kinds()).unwrap();
    let info = facts.inventory.kinds.get(&GroupKind::new("cluster.x-k8s.io", "Cluster")).unwrap();
    assert_eq!(
        info.served,
        BTreeSet::from(["v1beta1".to_owned()]),
        "the checks see that the target serves another"
    );

    let mixed = Bundle::read(&clusterctls([older, cluster(false)])).unwrap();
    let flaws = mixed.facts("directory", &kinds()).unwrap_err();
    assert_eq!(
        flaws[0].to_string(),
        "objects of Cluster.cluster.x-k8s.io are written in versions v1beta1 and v1beta2; one is needed"
    );
}

#[test]
fn a_kind_that_the_target_does_not_know_stays_for_the_checks() {
    let widget = object("example.com/v1", "Widget", "w", &json!({}));
    let bundle = Bundle::read(&clusterctls([widget])).unwrap();
    let facts = bundle.facts("directory", &kinds()).unwrap();
    let info = facts.inventory.kinds.get(&GroupKind::new("example.com", "Widget")).unwrap();
    assert_eq!((info.scope, info.storage_version.as_str()), (Scope::Namespaced, "v1"));
}

#[test]
fn an_object_in_the_wrong_scope_is_named() {
    let mut everywhere = cluster(false);
    everywhere["metadata"]["namespace"] = Value::Null;
    let bundle = Bundle::read(&clusterctls([everywhere])).unwrap();
    let flaws = bundle.facts("directory", &kinds()).unwrap_err();
    assert_eq!(flaws[0].to_string(), "Cluster c is in no namespace, other than its kind in the target");
}

#[test]
fn nothing_shows_the_content_of_a_file() {
    let inventory = ours([secret(), cluster(false)]);
    let bundle = Bundle::read(&inventory).unwrap();
    let file = ObjectFile { name: "x".to_owned(), bytes: secret().to_string().into_bytes() };
    assert!(!format!("{bundle:?}{file:?}").contains(CANARY));
}
