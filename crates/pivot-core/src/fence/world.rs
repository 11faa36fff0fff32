//! Small clusters for the tests of the fence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::inventory::Inventory;
use crate::kind::{GroupKind, KindCatalog, KindInfo, PROVIDER_LABEL, Scope};
use crate::link::LinkRules;
use crate::object::Manifest;
use crate::plan::{Blueprint, SourceFacts, TargetFacts};
use crate::select::Request;

pub(super) const CAPI: &str = "cluster.x-k8s.io/v1beta2";
pub(super) const CLUSTER: (&str, &str) = (CAPI, "Cluster");
pub(super) const MACHINE: (&str, &str) = (CAPI, "Machine");
pub(super) const CLASS: (&str, &str) = (CAPI, "ClusterClass");
pub(super) const SECRET: (&str, &str) = ("v1", "Secret");

pub(super) fn object((api_version, kind): (&str, &str), namespace: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "uid": format!("{kind}-{namespace}-{name}")}})
}

pub(super) fn belonging(kind: (&str, &str), namespace: &str, name: &str, cluster: &str) -> Value {
    let mut value = object(kind, namespace, name);
    value["metadata"]["ownerReferences"] = json!([{"apiVersion": CAPI, "kind": "Cluster", "name": cluster,
        "uid": format!("Cluster-{namespace}-{cluster}")}]);
    value
}

pub(super) fn classed(namespace: &str, name: &str, class: &str) -> Value {
    let mut value = object(CLUSTER, namespace, name);
    value["spec"] = json!({"topology": {"classRef": {"name": class}}});
    value
}

fn provider(api_version: &str) -> BTreeMap<String, String> {
    let labels = (api_version == CAPI).then(|| (PROVIDER_LABEL.to_owned(), "cluster-api".to_owned()));
    labels.into_iter().collect()
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
        labels: provider(api_version),
        schemas: BTreeMap::new(),
    };
    [CLUSTER, MACHINE, CLASS, SECRET].map(info).into_iter().collect()
}

pub(super) fn inventory(objects: &[Value]) -> Inventory {
    let mut inventory = Inventory::new("any", kinds());
    for object in objects {
        let manifest = Manifest::new(object.clone());
        inventory.add(&manifest.group_kind(), manifest);
    }
    inventory
}

pub(super) fn blueprint(source: &[Value], target: &[Value], request: Request) -> Blueprint {
    let source = SourceFacts { inventory: inventory(source), ..SourceFacts::default() };
    let target = TargetFacts { inventory: inventory(target), ..TargetFacts::default() };
    let versions = Blueprint::versions(&kinds(), None);
    Blueprint::new(source, Some(Arc::new(target)), Arc::new(LinkRules::builtin()), request, versions)
}

pub(super) fn filtered(namespace: &str, cluster: &str) -> Request {
    Request { clusters: BTreeSet::from([cluster.to_owned()]), ..Request::namespace(namespace) }
}
