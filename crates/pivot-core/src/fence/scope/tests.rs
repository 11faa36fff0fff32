//! Scopes of small moves.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::kind::KindCatalog;
use crate::link::LinkRules;
use crate::object::Manifest;
use crate::plan::{SourceFacts, TargetFacts};
use crate::select::Request;

const CAPI: &str = "cluster.x-k8s.io/v1beta2";
const CLUSTER: (&str, &str) = (CAPI, "Cluster");
const MACHINE: (&str, &str) = (CAPI, "Machine");
const CLASS: (&str, &str) = (CAPI, "ClusterClass");
const SECRET: (&str, &str) = ("v1", "Secret");

fn object((api_version, kind): (&str, &str), namespace: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "uid": format!("{kind}-{namespace}-{name}")}})
}

fn belonging(kind: (&str, &str), namespace: &str, name: &str, cluster: &str) -> Value {
    let mut value = object(kind, namespace, name);
    value["metadata"]["ownerReferences"] = json!([{"apiVersion": CAPI, "kind": "Cluster", "name": cluster,
        "uid": format!("Cluster-{namespace}-{cluster}")}]);
    value
}

fn classed(namespace: &str, name: &str, class: &str) -> Value {
    let mut value = object(CLUSTER, namespace, name);
    value["spec"] = json!({"topology": {"classRef": {"name": class}}});
    value
}

fn kinds() -> KindCatalog {
    let info = |(api_version, kind): (&str, &str)| KindInfo {
        kind: GroupKind::from_api_version(api_version, kind),
        plural: if kind.ends_with('s') {
            format!("{}es", kind.to_lowercase())
        } else {
            format!("{}s", kind.to_lowercase())
        },
        scope: Scope::Namespaced,
        storage_version: api_version.rsplit('/').next().unwrap().to_owned(),
        served: BTreeSet::new(),
        status_subresource: BTreeSet::new(),
        labels: BTreeMap::new(),
        schemas: BTreeMap::new(),
    };
    [CLUSTER, MACHINE, CLASS, SECRET].map(info).into_iter().collect()
}

fn inventory(objects: &[Value]) -> Inventory {
    let mut inventory = Inventory::new("any", kinds());
    for object in objects {
        let manifest = Manifest::new(object.clone());
        inventory.add(&manifest.group_kind(), manifest);
    }
    inventory
}

fn blueprint(source: &[Value], target: &[Value], request: Request) -> Blueprint {
    let source = SourceFacts { inventory: inventory(source), ..SourceFacts::default() };
    let target = TargetFacts { inventory: inventory(target), ..TargetFacts::default() };
    let versions = Blueprint::versions(&kinds(), None);
    Blueprint::new(source, Some(Arc::new(target)), Arc::new(LinkRules::builtin()), request, versions)
}

fn filtered(namespace: &str, cluster: &str) -> Request {
    Request { clusters: BTreeSet::from([cluster.to_owned()]), ..Request::namespace(namespace) }
}

/// `plural` for a whole kind, `plural: names` else.
fn shown(scope: &FenceScope) -> Vec<String> {
    let names = |rule: &FenceRule| match &rule.names {
        Some(names) => format!("{}: {}", rule.plural, names.iter().cloned().collect::<Vec<_>>().join(" ")),
        None => rule.plural.clone(),
    };
    scope.rules.iter().map(names).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_whole_namespace_is_fenced_by_kind_and_its_secrets_by_name() {
    let source = [
        object(CLUSTER, "a", "c"),
        belonging(MACHINE, "a", "m", "c"),
        belonging(SECRET, "a", "c-ca", "c"),
        object(SECRET, "a", "foreign"),
        object(CLUSTER, "b", "other"),
        object(SECRET, "b", "c-ca"),
    ];
    let blueprint = blueprint(&source, &[], Request::namespace("a"));
    for side in [Side::Source, Side::Target] {
        let scope = FenceScope::of(&blueprint, side);
        assert_eq!(shown(&scope), ["secrets: c-ca", "clusters", "machines"], "{side}");
        assert_eq!((&scope.namespaces, &scope.held), (&Some(set(&["a"])), &set(&["a"])));
        assert!(scope.spared.is_empty(), "nothing of b is in reach: {:?}", scope.spared);
    }
}

#[test]
fn of_a_partial_move_only_what_moves_is_fenced() {
    let source = [
        object(CLUSTER, "a", "c"),
        belonging(MACHINE, "a", "m", "c"),
        object(CLUSTER, "a", "stays"),
        belonging(MACHINE, "a", "n", "stays"),
    ];
    let scope = FenceScope::of(&blueprint(&source, &[], filtered("a", "c")), Side::Source);
    assert_eq!(shown(&scope), ["clusters: c", "machines: m"]);
}

#[test]
fn a_copy_stays_writable_where_it_stays() {
    let source = [object(CLASS, "a", "class"), classed("a", "c", "class"), classed("a", "stays", "class")];
    let blueprint = blueprint(&source, &[], filtered("a", "c"));
    assert_eq!(shown(&FenceScope::of(&blueprint, Side::Source)), ["clusters: c"]);
    assert_eq!(shown(&FenceScope::of(&blueprint, Side::Target)), ["clusters", "clusterclasses"]);
}

#[test]
fn what_the_target_has_already_stays_writable() {
    let source = [object(CLUSTER, "a", "c"), belonging(MACHINE, "a", "m", "c")];
    let target = [object(CLUSTER, "a", "theirs"), object(MACHINE, "b", "m")];
    let scope = FenceScope::of(&blueprint(&source, &target, Request::namespace("a")), Side::Target);
    assert_eq!(shown(&scope), ["clusters: c", "machines"]);
}

#[test]
fn what_was_staged_is_not_foreign() {
    let source = [object(CLUSTER, "a", "c")];
    let scope = FenceScope::of(&blueprint(&source, &source, Request::namespace("a")), Side::Target);
    assert_eq!(shown(&scope), ["clusters"]);
}

#[test]
fn a_move_of_everything_reaches_everywhere_but_for_what_only_has_the_name() {
    let source = [
        object(CLUSTER, "a", "c"),
        belonging(SECRET, "a", "c-ca", "c"),
        object(SECRET, "kube-system", "c-ca"),
    ];
    let scope = FenceScope::of(&blueprint(&source, &[], Request::default()), Side::Source);
    assert_eq!(shown(&scope), ["secrets: c-ca", "clusters"]);
    assert_eq!((scope.namespaces, scope.held), (None, set(&["a"])));
    let spared: Vec<_> = scope.spared.iter().map(|spared| spared.namespace.as_str()).collect();
    assert_eq!(spared, ["kube-system"]);
}

#[test]
fn a_directory_needs_no_fence() {
    let facts = SourceFacts { inventory: inventory(&[object(CLUSTER, "a", "c")]), ..SourceFacts::default() };
    let blueprint = Blueprint::of_directory(facts, None, Arc::new(LinkRules::builtin()));
    assert!(FenceScope::of(&blueprint, Side::Source).is_empty());
    assert_eq!(
        shown(&FenceScope::of(&blueprint, Side::Target)),
        ["clusters: c"],
        "nobody looked at the target"
    );
}
