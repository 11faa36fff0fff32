//! The cluster module against real API servers.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::Method;
use pivot::cluster::discovery::Discovery;
use pivot::cluster::inventory::ListScope;
use pivot::cluster::{
    ChangeKind, Cluster, ClusterConfig, Failure, JSON_PATCH, MERGE_PATCH, METADATA_ONLY, RawRequest,
    WatchEvent, add_query, resource_path,
};
use pivot_core::kind::{GroupKind, KindInfo};
use pivot_core::link::LinkRules;
use pivot_core::plan::Permission;
use pivot_testbed::assets::Assets;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::{Progress, wait_until};
use pivot_testbed::fixture::{self, CANARY, CANARY_BASE64, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::{Component, Pair, Plane, PlaneOptions};
use pivot_testbed::unique_name;
use serde_json::{Value, json};
use tokio::time::timeout;

async fn shared(assets: &Assets) -> &'static Plane {
    &Pair::shared(assets).await.unwrap().source
}

async fn connect(plane: &Plane) -> Cluster {
    Cluster::connect(ClusterConfig::new(plane.kubeconfig())).await.unwrap()
}

async fn discover(cluster: &Cluster) -> Discovery {
    cluster.discover(&LinkRules::builtin()).await.unwrap()
}

fn kind<'a>(discovery: &'a Discovery, group: &str, kind: &str) -> &'a KindInfo {
    discovery.catalog.get(&GroupKind::new(group, kind)).unwrap()
}

async fn namespace(plane: &Plane, prefix: &str) -> String {
    let name = unique_name(prefix);
    plane.client().await.unwrap().ensure_namespace(&name).await.unwrap();
    name
}

fn config_map(name: &str) -> Bytes {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}).to_string().into()
}

#[tokio::test]
async fn discovery_finds_what_clusterctl_installed() {
    let assets = assets_or_skip!();
    let plane = shared(&assets).await;
    let cluster = connect(plane).await;
    assert!(cluster.name().ends_with(&format!("({})", plane.server().trim_start_matches("https://"))));
    let found = discover(&cluster).await;
    assert_eq!(cluster.counters().sent(&Method::GET), 7);

    let admin = plane.client().await.unwrap();
    let system = admin.get(Gvk::NAMESPACE, None, "kube-system").await.unwrap().unwrap();
    assert_eq!(system["metadata"]["uid"], found.cluster_id);
    assert!(found.server_version.starts_with("v1."));
    assert_eq!(found.providers.len(), 5);
    assert_eq!(found.providers.iter().filter(|provider| provider.is_infrastructure()).count(), 1);
    assert!(found.not_established.is_empty() && found.unavailable.is_empty());
    assert!(found.namespaces.as_ref().unwrap().contains_key("capm3-system"));

    let clusters = kind(&found, "cluster.x-k8s.io", "Cluster");
    assert!(clusters.served.contains(&clusters.storage_version));
    assert!(clusters.has_status_subresource(&clusters.storage_version));
    assert!(clusters.schemas[&clusters.storage_version]["properties"]["spec"].is_object());
    // No CRD of the operator but two is labelled; link rules name the others.
    kind(&found, "metal3.io", "HostFirmwareSettings");
    kind(&found, "", "Secret");
    let other: Vec<_> = found.other.iter().map(|info| info.kind.to_string()).collect();
    assert!(other.contains(&"Deployment.apps".to_owned()) && other.contains(&"Pod".to_owned()), "{other:?}");
    assert!(!other.iter().any(|name| name.starts_with("Event") || name.starts_with("Lease")), "{other:?}");
}

#[tokio::test]
async fn an_inventory_holds_all_of_a_namespace() {
    let assets = assets_or_skip!();
    let plane = shared(&assets).await;
    let name = unique_name("inventory");
    let fixture = Fixture::new(FixtureOptions::small().in_namespace(&name));
    let loaded = fixture::load(&plane.client().await.unwrap(), &fixture).await.unwrap();

    let cluster = connect(plane).await;
    let discovery = discover(&cluster).await;
    let scope = ListScope { namespaces: Some([name.clone()].into()) };
    let rules = LinkRules::builtin();
    let listing = cluster.inventory(&discovery, &BTreeMap::new(), &scope, &rules, None).await.unwrap();
    assert!(listing.unreadable.is_empty());
    let inventory = &listing.inventory;
    assert_eq!(inventory.provider_namespaces, ["capm3-system"]);
    let mut compared = 0;
    for object in loaded.values().filter(|object| object["metadata"]["namespace"] == *name) {
        let expected = pivot_core::object::Manifest::new(object.clone());
        if discovery.catalog.get(&expected.group_kind()).is_none() {
            continue;
        }
        let found = inventory.get(&expected.key()).unwrap_or_else(|| panic!("{} is missing", expected.key()));
        assert_eq!(found.uid, expected.uid(), "{}", expected.key());
        assert_eq!(found.manifest.kind(), expected.kind());
        if found.manifest.api_version() == expected.api_version() {
            assert_eq!(found.manifest.value(), expected.value(), "{}", expected.key());
            compared += 1;
        }
    }
    assert!(compared > 20, "only {compared} objects compared");

    let listed: BTreeSet<_> = listing.positions.iter().map(|position| &position.kind).collect();
    assert!(
        listed.len() > 20 && listing.positions.iter().all(|position| !position.resource_version.is_empty())
    );
    let secrets = listing.positions.iter().filter(|position| position.kind.is_secret());
    let namespaces: Vec<_> = secrets.filter_map(|position| position.namespace.clone()).collect();
    assert_eq!(namespaces, [name, "capm3-system".to_owned()]);
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let assets = assets_or_skip!();
    let plane = shared(&assets).await;
    let name = namespace(plane, "pages").await;
    let cluster = connect(plane).await;
    let discovery = discover(&cluster).await;
    let config_maps = kind(&discovery, "", "ConfigMap");
    let path = resource_path(config_maps, "v1", Some(&name), None, None);
    let created = futures::stream::iter(0..510)
        .map(|number| {
            let request = RawRequest::new(Method::POST, &path, config_map(&format!("c{number}")));
            cluster.request(request.accept(METADATA_ONLY))
        })
        .buffer_unordered(16)
        .map(|reply| reply.unwrap().json::<Value>().unwrap())
        .filter(|answer| std::future::ready(answer["kind"] == "PartialObjectMetadata"))
        .count()
        .await;
    assert_eq!(created, 510);

    let before = cluster.counters().total();
    let listed = cluster.list(config_maps, "v1", Some(&name)).await.unwrap();
    assert_eq!(cluster.counters().total() - before, 2);
    let ours = listed.items.iter().filter(|item| item.name().starts_with('c')).count();
    assert_eq!(ours, 510);
    let metadata = cluster.list_metadata(config_maps, "v1", Some(&name)).await.unwrap();
    assert_eq!(metadata.items.len(), listed.items.len());
    assert!(metadata.items.iter().all(|item| item.namespace.as_deref() == Some(&name)));
}

#[tokio::test]
async fn a_watch_sees_each_change_after_a_list() {
    let assets = assets_or_skip!();
    let plane = shared(&assets).await;
    let name = namespace(plane, "watch").await;
    let cluster = connect(plane).await;
    let discovery = discover(&cluster).await;
    let config_maps = kind(&discovery, "", "ConfigMap");
    let listed = cluster.list(config_maps, "v1", Some(&name)).await.unwrap();
    let mut watch =
        Box::pin(cluster.watch(config_maps, "v1", Some(&name), &listed.resource_version).await.unwrap());

    let collection = resource_path(config_maps, "v1", Some(&name), None, None);
    let object = format!("{collection}/tripped");
    let label = Bytes::from_static(br#"{"metadata":{"labels":{"a":"b"}}}"#);
    for request in [
        RawRequest::new(Method::POST, collection, config_map("tripped")),
        RawRequest::new(Method::PATCH, object.clone(), label).content_type(MERGE_PATCH),
        RawRequest::new(Method::DELETE, object, Bytes::new()),
    ] {
        cluster.request(request).await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 3 {
        match timeout(Duration::from_secs(60), watch.next()).await.unwrap().unwrap() {
            WatchEvent::Change(change) if change.key.name == "tripped" => seen.push(change),
            // The cluster publishes its root certificate into each namespace.
            WatchEvent::Change(_) | WatchEvent::Bookmark { .. } => {}
            WatchEvent::Broken { reason, .. } => panic!("{reason}"),
        }
    }
    let kinds: Vec<_> = seen.iter().map(|change| change.what).collect();
    assert_eq!(kinds, [ChangeKind::Added, ChangeKind::Modified, ChangeKind::Deleted]);
    assert!(seen.iter().all(|change| change.uid == seen[0].uid && !change.uid.0.is_empty()));

    // Far in the past, or of no state at all.
    match cluster.watch(config_maps, "v1", Some(&name), "1").await {
        Err(failure) => assert!(failure.is_expired(), "{failure}"),
        Ok(watch) => {
            let event = timeout(Duration::from_secs(60), Box::pin(watch).next()).await.unwrap();
            assert!(!matches!(event, Some(WatchEvent::Broken { resume_from: Some(_), .. })), "{event:?}");
        }
    }
}

#[tokio::test]
async fn refusals_of_a_real_server_are_told_apart() {
    let assets = assets_or_skip!();
    let plane = shared(&assets).await;
    let name = namespace(plane, "refusals").await;
    let cluster = connect(plane).await;
    let discovery = discover(&cluster).await;
    let config_maps = kind(&discovery, "", "ConfigMap");
    let path = |kind: &KindInfo, object| resource_path(kind, "v1", Some(&name), object, None);
    let post = |path: String, body: Bytes| cluster.request(RawRequest::new(Method::POST, path, body));

    post(path(config_maps, None), config_map("taken")).await.unwrap();
    let taken = post(path(config_maps, None), config_map("taken")).await.unwrap_err();
    assert!(taken.is_already_exists() && !taken.leaves_write_unknown(), "{taken}");

    let found = cluster.get(config_maps, "v1", Some(&name), "taken").await.unwrap().unwrap();
    assert_eq!((found.kind(), found.name()), ("ConfigMap", "taken"));
    assert!(cluster.get(config_maps, "v1", Some(&name), "free").await.unwrap().is_none());

    let options = json!({"preconditions": {"uid": "another"}}).to_string();
    let request = RawRequest::new(Method::DELETE, path(config_maps, Some("taken")), options);
    let conflict = cluster.request(request).await.unwrap_err();
    assert!(conflict.is_conflict(), "{conflict}");

    let test = json!([{"op": "test", "path": "/metadata/uid", "value": "another"}]).to_string();
    let request =
        RawRequest::new(Method::PATCH, path(config_maps, Some("taken")), test).content_type(JSON_PATCH);
    assert_eq!(cluster.request(request).await.unwrap_err().status(), Some(422));

    let hosts = kind(&discovery, "metal3.io", "BareMetalHost");
    let mut strict = resource_path(hosts, &hosts.storage_version, Some(&name), None, None);
    add_query(&mut strict, "fieldValidation", "Strict");
    let host = json!({"apiVersion": format!("metal3.io/{}", hosts.storage_version), "kind": "BareMetalHost",
        "metadata": {"name": "h"}, "spec": {"online": true, "bogus": 1}});
    let unknown_field = post(strict, host.to_string().into()).await.unwrap_err();
    assert!(unknown_field.to_string().contains("unknown field \"spec.bogus\""), "{unknown_field}");

    let secrets = kind(&discovery, "", "Secret");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": {"l": CANARY}},
        "type": "kubernetes.io/ssh-auth", "stringData": {format!("bad key {CANARY}"): CANARY},
        "data": {"x": CANARY_BASE64}});
    let invalid = post(path(secrets, None), secret.to_string().into()).await.unwrap_err();
    assert_eq!(invalid.status(), Some(422), "{invalid}");
    let refusal = format!("{:?}", invalid.refusal().unwrap());
    assert!(refusal.contains("(not shown)"), "{refusal}");
}

#[tokio::test]
async fn permissions_narrow_what_is_listed() {
    let assets = assets_or_skip!();
    let plane = shared(&assets).await;
    let name = namespace(plane, "narrow").await;
    let admin = plane.client().await.unwrap();
    let group = format!("{name}-group");
    let read = |groups: &[&str], resources: &[&str]| json!({"apiGroups": groups, "resources": resources, "verbs": ["get", "list"]});
    let wide = [
        read(&["apiextensions.k8s.io"], &["customresourcedefinitions"]),
        read(&["clusterctl.cluster.x-k8s.io"], &["providers"]),
        json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}),
    ];
    for (role, binding, namespaced, rules) in [
        ("ClusterRole", "ClusterRoleBinding", false, wide.to_vec()),
        ("Role", "RoleBinding", true, vec![read(&["*"], &["*"])]),
    ] {
        let mut role_object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": role,
            "metadata": {"name": name}, "rules": rules});
        let mut binding_object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": binding,
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]});
        for object in [&mut role_object, &mut binding_object] {
            if namespaced {
                object["metadata"]["namespace"] = json!(name);
            }
            admin.create(object, "test").await.unwrap();
        }
    }
    let kubeconfig = plane.user_kubeconfig(&name, Some(&group)).unwrap();
    let cluster = Cluster::connect(ClusterConfig::new(kubeconfig)).await.unwrap();
    let permission = |verb: &str, namespace: Option<&str>| Permission {
        verb: verb.to_owned(),
        group: "metal3.io".to_owned(),
        resource: "baremetalhosts".to_owned(),
        subresource: None,
        name: None,
        namespace: namespace.map(str::to_owned),
    };
    let allowed = permission("list", Some(&name));
    let asked = [allowed.clone(), permission("delete", Some(&name)), permission("list", None)];
    wait_until("the grants to reach the authorizer", Duration::from_secs(300), async || {
        let denied = cluster.denied(asked.clone()).await.unwrap();
        Ok(if denied.contains(&allowed) {
            Progress::Pending(format!("{denied:?}"))
        } else {
            Progress::Done(())
        })
    })
    .await
    .unwrap();
    assert_eq!(cluster.denied(asked.clone()).await.unwrap(), asked[1..]);

    let discovery = discover(&cluster).await;
    assert!(discovery.namespaces.is_none());
    let scope = ListScope { namespaces: Some([name.clone()].into()) };
    let rules = LinkRules::builtin();
    let listing = cluster.inventory(&discovery, &BTreeMap::new(), &scope, &rules, None).await.unwrap();
    let hosts = &kind(&discovery, "metal3.io", "BareMetalHost").kind;
    assert!(listing.unreadable.iter().any(|one| one.kind == *hosts && one.namespace.is_none()));
    let position = listing.positions.iter().find(|position| position.kind == *hosts).unwrap();
    assert_eq!(position.namespace.as_deref(), Some(name.as_str()));

    let error = cluster.inventory(&discovery, &BTreeMap::new(), &ListScope::default(), &rules, None).await;
    assert!(error.unwrap_err().source.is_forbidden());
}

#[tokio::test]
async fn quotas_tell_how_much_room_is_left() {
    let assets = assets_or_skip!();
    let plane = shared(&assets).await;
    let name = namespace(plane, "quota").await;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": name},
        "spec": {"hard": {"count/baremetalhosts.metal3.io": "2k", "secrets": "3", "cpu": "1"}}});
    plane.client().await.unwrap().create(&quota, "test").await.unwrap();
    let quotas = connect(plane).await.quotas(&name).await.unwrap();
    assert_eq!(quotas.len(), 1);
    assert_eq!(quotas[0].room(&GroupKind::new("metal3.io", "BareMetalHost"), "baremetalhosts"), Some(2_000));
    assert_eq!(quotas[0].room(&GroupKind::new("", "Secret"), "secrets"), Some(3));
    assert_eq!(quotas[0].hard.len(), 2);
}

#[tokio::test]
async fn a_server_that_is_silent_or_gone_is_told_apart() {
    let assets = assets_or_skip!();
    let plane = Plane::start(&assets, "gone", &PlaneOptions::bare()).await.unwrap();
    let config =
        ClusterConfig { request_timeout: Duration::from_secs(2), ..ClusterConfig::new(plane.kubeconfig()) };
    let cluster = Cluster::connect(config).await.unwrap();
    let ask = || cluster.request(RawRequest::get("/version"));
    ask().await.unwrap();

    plane.freeze(Component::ApiServer).unwrap();
    // The signal takes a moment to reach every thread of the server.
    let silent = wait_until("the server to fall silent", Duration::from_secs(300), async || {
        Ok(match ask().await {
            Ok(_) => Progress::Pending("it answers".to_owned()),
            Err(failure) => Progress::Done(failure),
        })
    })
    .await
    .unwrap();
    assert!(matches!(silent, Failure::Unknown { .. }), "{silent}");
    plane.thaw(Component::ApiServer).unwrap();
    wait_until("the server to answer again", Duration::from_secs(300), async || {
        Ok(match ask().await {
            Ok(_) => Progress::Done(()),
            Err(failure) => Progress::Pending(failure.to_string()),
        })
    })
    .await
    .unwrap();

    plane.kill(Component::ApiServer).unwrap();
    wait_until("the connections to be gone", Duration::from_secs(300), async || {
        Ok(match ask().await {
            Err(Failure::NotSent { .. }) => Progress::Done(()),
            other => Progress::Pending(format!("{other:?}")),
        })
    })
    .await
    .unwrap();
}
