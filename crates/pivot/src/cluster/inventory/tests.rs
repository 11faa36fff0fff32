use pivot_core::plan::Provider;
use serde_json::{Value, json};

use super::super::discovery::core_kind;
use super::super::fake;
use super::*;

const HOST: &str = "metal3.io";

fn hosts() -> KindInfo {
    let kind = GroupKind::new(HOST, "BareMetalHost");
    KindInfo { kind, plural: "hosts".to_owned(), storage_version: "v1alpha1".to_owned(), ..core_kind("", "") }
}

fn discovery() -> Discovery {
    Discovery {
        cluster_id: "id".to_owned(),
        server_version: String::new(),
        catalog: [hosts(), core_kind("Secret", "secrets"), core_kind("ConfigMap", "configmaps")]
            .into_iter()
            .collect(),
        other: Vec::new(),
        not_established: Vec::new(),
        unavailable: Vec::new(),
        providers: vec![Provider {
            name: "metal3".to_owned(),
            kind: "InfrastructureProvider".to_owned(),
            version: String::new(),
            namespace: "capm3-system".to_owned(),
        }],
        namespaces: None,
    }
}

fn list(items: &Value) -> Value {
    json!({"metadata": {"resourceVersion": "7"}, "items": items})
}

/// A host that names its credentials in its own namespace, and, by an annotation, a ConfigMap elsewhere.
fn host(namespace: &str, config: &str) -> Value {
    json!({"metadata": {"name": "host", "namespace": namespace, "uid": format!("host-{namespace}"),
        "annotations": {"config": config}}})
}

fn secret(namespace: &str, elsewhere: &str) -> Value {
    json!({"metadata": {"name": "s", "namespace": namespace, "uid": format!("s-{namespace}"),
        "annotations": {"config": elsewhere}}})
}

const RULES: &str = "
apiVersion: pivot.metal3.io/v1alpha1
kind: LinkRules
rules:
- {name: config, from: ['*'], path: metadata.annotations.config, to: ConfigMap, shape: namespaced-name, as: reference}
";

fn only(namespace: &str) -> ListScope {
    ListScope { namespaces: Some([namespace.to_owned()].into()) }
}

async fn inventory(cluster: &Cluster, scope: &ListScope) -> Result<Listing, InventoryError> {
    let rules = LinkRules::parse(RULES).unwrap();
    cluster.inventory(&discovery(), &BTreeMap::new(), scope, &rules, None).await
}

fn keys(listing: &Listing) -> Vec<String> {
    listing.inventory.iter().map(|(_, object)| object.key.to_string()).collect()
}

#[tokio::test]
async fn secrets_are_read_where_they_may_matter_and_nowhere_else() {
    let (cluster, seen) = fake::cluster(|request| {
        let path = request.trim_start_matches("GET ").trim_end_matches("?limit=500");
        let items = match path {
            // Another tenant's host names a ConfigMap too.
            "/apis/metal3.io/v1alpha1/hosts" => json!([host("a", "b/c"), host("tenant", "private/c")]),
            "/api/v1/namespaces/a/secrets" => json!([secret("a", "a/known-to-be-missing")]),
            "/api/v1/namespaces/capm3-system/secrets" => json!([secret("capm3-system", "x/y")]),
            "/api/v1/namespaces/b/configmaps" => {
                json!([{"metadata": {"name": "c", "namespace": "b", "uid": "c", "annotations": {"config": "d/e"}}}])
            }
            "/api/v1/namespaces/d/secrets" => return fake::refusal(403, "Forbidden"),
            _ => json!([]),
        };
        fake::json(200, &list(&items))
    });
    let listing = inventory(&cluster, &only("a")).await.unwrap();
    let expected = [
        "Secret a/s",
        "Secret capm3-system/s",
        "BareMetalHost a/host",
        "BareMetalHost tenant/host",
        "ConfigMap b/c",
    ];
    let mut found = keys(&listing);
    found.sort_by_key(|key| expected.iter().position(|other| other == key));
    assert_eq!(found, expected);
    let unreadable = Unreadable { kind: GroupKind::new("", "Secret"), namespace: Some("d".to_owned()) };
    assert_eq!(listing.unreadable, [unreadable]);
    assert_eq!(listing.inventory.provider_namespaces, ["capm3-system"]);
    let seen = seen.lock().unwrap();
    let asked = |part: &str| seen.iter().any(|request| request.contains(part));
    assert!(!asked("private") && !asked("capm3-system/configmaps") && !asked("namespaces/x/"), "{seen:?}");
    let secrets: Vec<_> = listing.positions.iter().filter(|p| p.kind.is_secret()).collect();
    assert_eq!(secrets.len(), 3);
    assert!(listing.positions.iter().all(|position| position.resource_version == "7"));
}

#[tokio::test]
async fn without_a_selection_each_kind_is_listed_once() {
    let (cluster, seen) = fake::cluster(|_| fake::json(200, &list(&json!([]))));
    let listing = inventory(&cluster, &ListScope::default()).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 3);
    assert_eq!(listing.positions.len(), 3);
    assert!(listing.inventory.is_empty() && listing.unreadable.is_empty());
}

#[tokio::test]
async fn a_kind_that_may_not_be_listed_everywhere_is_listed_in_the_selected_namespace() {
    let answer = |request: &str| match request {
        "GET /apis/metal3.io/v1alpha1/hosts?limit=500" => fake::refusal(403, "Forbidden"),
        "GET /apis/metal3.io/v1alpha1/namespaces/a/hosts?limit=500" => {
            fake::json(200, &list(&json!([host("a", "a/c")])))
        }
        _ => fake::json(200, &list(&json!([]))),
    };
    let (cluster, _) = fake::cluster(answer);
    let listing = inventory(&cluster, &only("a")).await.unwrap();
    assert_eq!(keys(&listing), ["BareMetalHost a/host"]);
    assert_eq!(listing.unreadable, [Unreadable { kind: hosts().kind, namespace: None }]);

    let error = inventory(&cluster, &ListScope::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot list BareMetalHost.metal3.io: refused with 403 Forbidden: no");
}

#[tokio::test]
async fn a_kind_that_is_gone_is_passed_over() {
    let (cluster, _) = fake::cluster(|request| match request {
        hosts if hosts.contains("/hosts?") => fake::refusal(404, "NotFound"),
        _ => fake::json(200, &list(&json!([secret("a", "a/b")]))),
    });
    let listing = inventory(&cluster, &ListScope::default()).await.unwrap();
    assert!(!listing.positions.iter().any(|position| position.kind.group == HOST));
}

#[tokio::test]
async fn the_version_asked_for_is_the_one_listed() {
    let (cluster, seen) = fake::cluster(|_| fake::json(200, &list(&json!([]))));
    let versions = BTreeMap::from([(hosts().kind, "v9".to_owned())]);
    let rules = LinkRules::builtin();
    cluster.inventory(&discovery(), &versions, &ListScope::default(), &rules, None).await.unwrap();
    assert!(seen.lock().unwrap().iter().any(|request| request.contains("/metal3.io/v9/hosts")));
}

/// Many hosts, the first in this revision.
fn many_hosts(first: &str) -> Value {
    let host = |number: usize| {
        let revision = if number == 0 { first } else { "1" };
        json!({"metadata": {"name": format!("h{number}"), "namespace": "a", "uid": format!("u{number}"),
            "resourceVersion": revision}, "spec": {"online": true}})
    };
    (0..MUCH).map(host).collect()
}

/// The hosts as listed anew where they are known, and how often they were listed.
async fn anew(known: &Value, now: Value) -> (Vec<Manifest>, usize) {
    let mut inventory = Inventory::new("id", discovery().catalog);
    for item in known.as_array().unwrap() {
        inventory.add(&hosts().kind, Manifest::new(item.clone()));
    }
    let (cluster, seen) = fake::cluster(move |request| {
        fake::json(200, &list(if request.contains("/hosts?") { &now } else { &Value::Null }))
    });
    let (versions, scope, rules) = (BTreeMap::new(), ListScope::default(), LinkRules::builtin());
    let listing = cluster.inventory(&discovery(), &versions, &scope, &rules, Some(&inventory)).await.unwrap();
    let position = listing.positions.iter().find(|position| position.kind == hosts().kind).unwrap();
    assert_eq!(position.resource_version, "7");
    let lists = seen.lock().unwrap().iter().filter(|request| request.contains("/hosts?")).count();
    (listing.inventory.iter().map(|(_, object)| object.manifest.clone()).collect(), lists)
}

#[tokio::test]
async fn what_is_known_as_it_is_is_not_read_again() {
    let mut bare = many_hosts("1");
    for host in bare.as_array_mut().unwrap() {
        host.as_object_mut().unwrap().remove("spec");
    }
    let (found, lists) = anew(&many_hosts("1"), bare.clone()).await;
    assert_eq!((found.len(), lists), (MUCH, 1));
    assert!(found.iter().all(|host| host.value()["spec"]["online"] == true), "taken from what was known");

    // One that changed, one that went and another that came: the list is read.
    let (found, lists) = anew(&many_hosts("1"), many_hosts("2")).await;
    assert_eq!((found.len(), lists), (MUCH, 2));
    assert_eq!(found[0].resource_version(), "2");
    bare[1]["metadata"]["uid"] = "another".into();
    assert_eq!(anew(&many_hosts("1"), bare.clone()).await.1, 2);
    bare.as_array_mut().unwrap().truncate(MUCH - 1);
    bare[1]["metadata"]["uid"] = "u1".into();
    assert_eq!(anew(&many_hosts("1"), bare).await.0.len(), MUCH - 1, "one went, and nothing else changed");

    // Of little the metadata alone saves nothing.
    let few: Value = many_hosts("1").as_array().unwrap()[1..].to_vec().into();
    assert_eq!(anew(&few, few.clone()).await.1, 1);
}
