use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::json;
use tower::BoxError;

use super::super::fake;
use super::*;

type Answer = Result<Response<Full<Bytes>>, BoxError>;

fn crd(group: &str, kind: &str, plural: &str, labels: &Value, established: &str) -> Value {
    let version = |name: &str, storage: bool, subresources: Value| {
        json!({"name": name, "served": true, "storage": storage, "subresources": subresources,
            "schema": {"openAPIV3Schema": {"type": "object", "description": name}}})
    };
    json!({
        "metadata": {"name": format!("{plural}.{group}"), "labels": labels},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": [version("v1beta1", false, json!({})), version("v1beta2", true, json!({"status": {}}))]},
        "status": {"conditions": [{"type": "Established", "status": established}]},
    })
}

fn crds() -> Value {
    let part = json!({"clusterctl.cluster.x-k8s.io": "", "cluster.x-k8s.io/provider": "cluster-api"});
    json!({"metadata": {"resourceVersion": "1"}, "items": [
        crd("cluster.x-k8s.io", "Cluster", "clusters", &part, "True"),
        crd("cluster.x-k8s.io", "Machine", "machines", &part, "False"),
        // Named by a link rule, without a label.
        crd("metal3.io", "FirmwareSchema", "firmwareschemas", &json!({}), "True"),
        crd("example.org", "Thing", "things", &json!({}), "True"),
    ]})
}

/// What both ways of discovery share.
fn basics(request: &str) -> Answer {
    match request {
        "GET /api/v1/namespaces/kube-system" => fake::json(200, &json!({"metadata": {"uid": "id"}})),
        "GET /version" => fake::json(200, &json!({"gitVersion": "v1.34.4"})),
        "GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=500" => fake::json(200, &crds()),
        "GET /apis/clusterctl.cluster.x-k8s.io/v1alpha3/providers?limit=500" => fake::json(
            200,
            &json!({"metadata": {}, "items": [{"metadata": {"name": "infrastructure-metal3", "namespace": "capm3-system"},
                "providerName": "metal3", "type": "InfrastructureProvider", "version": "v1.7.0"}]}),
        ),
        "GET /api/v1/namespaces?limit=500" => {
            fake::json(200, &json!({"metadata": {}, "items": [{"metadata": {"name": "metal3"}}]}))
        }
        _ => fake::refusal(404, "NotFound"),
    }
}

fn resource(plural: &str, kind: &str, verbs: &[&str]) -> Value {
    json!({"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced", "verbs": verbs,
        "subresources": [{"subresource": "status"}]})
}

fn aggregated(request: &str) -> Answer {
    let groups = match request {
        "GET /api" => json!([{"metadata": {}, "versions": [{"version": "v1", "resources": [
            resource("secrets", "Secret", &["list"]),
            resource("configmaps", "ConfigMap", &["list"]),
            resource("pods", "Pod", &["list"]),
            resource("events", "Event", &["list"]),
            resource("bindings", "Binding", &["create"]),
            {"resource": "nodes", "responseKind": {"kind": "Node"}, "scope": "Cluster", "verbs": ["list"]},
        ]}]}]),
        "GET /apis" => json!([
            {"metadata": {"name": "metrics.k8s.io"}, "versions": [
                {"version": "v1beta1", "resources": [resource("pods", "PodMetrics", &["list"])], "freshness": "Stale"}]},
            {"metadata": {"name": "apps"}, "versions": [
                {"version": "v1", "resources": [resource("deployments", "Deployment", &["list"])]},
                {"version": "v1beta1", "resources": [resource("deployments", "Deployment", &["list"])]}]},
            {"metadata": {"name": "example.org"}, "versions": [
                {"version": "v1beta2", "resources": [resource("things", "Thing", &["list"])]}]},
        ]),
        other => return basics(other),
    };
    fake::json(200, &json!({"kind": "APIGroupDiscoveryList", "items": groups}))
}

fn one_by_one(request: &str) -> Answer {
    let resources = match request {
        "GET /api" => return fake::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]})),
        "GET /apis" => {
            let group = |name: &str| json!({"name": name, "versions": [{"groupVersion": format!("{name}/v1"), "version": "v1"}]});
            let groups = json!([group("apps"), group("metrics.k8s.io")]);
            return fake::json(200, &json!({"kind": "APIGroupList", "groups": groups}));
        }
        "GET /api/v1" => json!([
            {"name": "secrets", "kind": "Secret", "namespaced": true, "verbs": ["list"]},
            {"name": "configmaps", "kind": "ConfigMap", "namespaced": true, "verbs": ["list"]},
            {"name": "pods", "kind": "Pod", "namespaced": true, "verbs": ["list"]},
            {"name": "pods/status", "kind": "Pod", "namespaced": true, "verbs": ["get"]},
        ]),
        "GET /apis/apps/v1" => {
            json!([{"name": "deployments", "kind": "Deployment", "namespaced": true, "verbs": ["list"]}])
        }
        "GET /apis/metrics.k8s.io/v1" => return fake::refusal(500, "InternalError"),
        other => return basics(other),
    };
    fake::json(200, &json!({"kind": "APIResourceList", "resources": resources}))
}

fn names<'a>(kinds: impl IntoIterator<Item = &'a KindInfo>) -> Vec<String> {
    kinds.into_iter().map(|info| info.kind.to_string()).collect()
}

const CATALOG: [&str; 4] = ["ConfigMap", "Secret", "Cluster.cluster.x-k8s.io", "FirmwareSchema.metal3.io"];

#[tokio::test]
async fn aggregated_discovery_takes_seven_requests() {
    let (cluster, seen) = fake::cluster(aggregated);
    let found = cluster.discover(&LinkRules::builtin()).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 7);
    assert_eq!((found.cluster_id.as_str(), found.server_version.as_str()), ("id", "v1.34.4"));
    assert_eq!(names(found.catalog.iter()), CATALOG);
    assert_eq!(names(&found.other), ["Thing.example.org", "Pod", "Deployment.apps"]);
    assert_eq!(found.not_established, [GroupKind::new("cluster.x-k8s.io", "Machine")]);
    assert_eq!(found.unavailable, ["metrics.k8s.io/v1beta1"]);
    assert!(found.namespaces.unwrap().contains_key("metal3"));
    assert!(found.providers[0].is_infrastructure() && found.providers[0].namespace == "capm3-system");

    let kind = found.catalog.get(&GroupKind::new("cluster.x-k8s.io", "Cluster")).unwrap();
    assert_eq!((kind.storage_version.as_str(), kind.provider()), ("v1beta2", Some("cluster-api")));
    assert!(kind.has_status_subresource("v1beta2") && !kind.has_status_subresource("v1beta1"));
    assert_eq!(kind.schemas["v1beta1"]["description"], "v1beta1");
    let deployments = found.other.iter().find(|info| info.plural == "deployments").unwrap();
    assert_eq!((deployments.storage_version.as_str(), deployments.served.len()), ("v1", 2));
}

#[tokio::test(start_paused = true)]
async fn older_servers_are_asked_group_by_group() {
    let (cluster, _) = fake::cluster(one_by_one);
    let found = cluster.discover(&LinkRules::builtin()).await.unwrap();
    assert_eq!(names(found.catalog.iter()), CATALOG);
    assert_eq!(names(&found.other), ["Pod", "Deployment.apps"]);
    assert!(found.other[0].has_status_subresource("v1"));
    assert_eq!(found.unavailable, ["metrics.k8s.io/v1"]);
}

#[tokio::test]
async fn what_is_missing_or_forbidden_is_told_apart() {
    let (cluster, _) = fake::cluster(|request| match request {
        "GET /api/v1/namespaces?limit=500" => fake::refusal(403, "Forbidden"),
        providers if providers.contains("/providers?") => fake::refusal(404, "NotFound"),
        other => aggregated(other),
    });
    let found = cluster.discover(&LinkRules::builtin()).await.unwrap();
    assert!(found.namespaces.is_none() && found.providers.is_empty());

    let (cluster, _) = fake::cluster(|request| match request {
        crds if crds.contains("/customresourcedefinitions?") => fake::refusal(403, "Forbidden"),
        other => aggregated(other),
    });
    let error = cluster.discover(&LinkRules::builtin()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the CustomResourceDefinitions: refused with 403 Forbidden: no"
    );
}
