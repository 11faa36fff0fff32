//! What is stored, and what comes back.

use std::collections::BTreeSet;

use http::Method;
use kube::{
    Api, Discovery,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::{ApiResource, GroupVersionKind},
};
use pivot_testbed::fake::{CrdSpec, FakeServer, Target, Verb};
use serde_json::{Value, json};

use crate::{WIDGETS, create, delete, get, key, names, patch, refusal, send, server, widget};

fn widgets(server: &FakeServer) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("example.io", "v1", "Widget"));
    Api::namespaced_with(server.client(), "ns", &resource)
}

#[tokio::test(start_paused = true)]
async fn kube_discovers_what_is_served_either_way() {
    let server = server();
    server.register(&CrdSpec::new("example.io", "Gadget", "v1beta1").also_served_as("v1").cluster_scoped());
    let gadget = GroupVersionKind::gvk("example.io", "v1", "Gadget");
    for aggregated in [true, false] {
        let discovery = Discovery::new(server.client());
        let discovery =
            if aggregated { discovery.run_aggregated().await } else { discovery.run().await }.unwrap();
        let (resource, capabilities) = discovery.resolve_gvk(&gadget).unwrap();
        assert_eq!(resource.plural, "gadgets");
        assert_eq!(capabilities.scope, kube::discovery::Scope::Cluster);
        assert!(capabilities.supports_operation("patch"));
        let group = discovery.get("example.io").unwrap();
        assert_eq!(group.preferred_version_or_latest(), "v1");
        assert!(discovery.resolve_gvk(&GroupVersionKind::gvk("", "v1", "Secret")).is_some());
    }
    assert_eq!(server.client().apiserver_version().await.unwrap().git_version, "v1.34.4");
}

#[tokio::test(start_paused = true)]
async fn crds_can_be_listed_created_and_deleted() {
    let server = server();
    let client = server.client();
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let spec = CrdSpec::new("other.io", "Thing", "v1").label("clusterctl.cluster.x-k8s.io/move", "");
    send(&client, Method::POST, crds, Some(&spec.manifest())).await.unwrap();
    let list = get(&client, &format!("{crds}?labelSelector=clusterctl.cluster.x-k8s.io/move")).await.unwrap();
    assert_eq!(names(&list), ["things.other.io"]);
    assert_eq!(list["items"][0]["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(list["items"][0]["status"]["conditions"][1]["type"], "Established");

    let thing = json!({"apiVersion": "other.io/v1", "kind": "Thing", "metadata": {"name": "t"}});
    let things = "/apis/other.io/v1/namespaces/ns/things";
    send(&client, Method::POST, things, Some(&thing)).await.unwrap();
    send(&client, Method::DELETE, &format!("{crds}/things.other.io"), None).await.unwrap();
    assert_eq!(refusal(get(&client, things).await).0, 404);
    assert!(server.dump().keys().all(|key| key.group != "other.io"), "its objects go with a kind");
}

#[tokio::test(start_paused = true)]
async fn typed_and_dynamic_clients_work() {
    let server = server();
    let api = widgets(&server);
    let object: DynamicObject = serde_json::from_value(widget("a")).unwrap();
    let created = api.create(&PostParams::default(), &object).await.unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    let patched = api
        .patch_status("a", &PatchParams::default(), &Patch::Merge(json!({"status": {"ready": true}})))
        .await
        .unwrap();
    assert_eq!(patched.data["status"]["ready"], true);
    assert_eq!(patched.metadata.generation, Some(1));
    assert_eq!(api.list_metadata(&ListParams::default()).await.unwrap().items.len(), 1);
    let preconditions = Preconditions { uid: created.metadata.uid, resource_version: None };
    let params = kube::api::DeleteParams::default().preconditions(preconditions);
    assert!(api.delete("a", &params).await.unwrap().is_right(), "a finished delete answers with a status");
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn only_a_change_of_content_makes_a_generation_and_only_a_change_a_version() {
    let server = server();
    let client = server.client();
    let first = create(&client, "a").await.unwrap();
    let state = |object: &Value| {
        let metadata = &object["metadata"];
        (metadata["generation"].clone(), metadata["resourceVersion"].as_str().map(str::to_owned))
    };
    let same = patch(&client, "a", &json!({"spec": {"size": 1}})).await.unwrap();
    assert_eq!(state(&same), state(&first));
    let labelled = patch(&client, "a", &json!({"metadata": {"labels": {"a": "b"}}})).await.unwrap();
    assert_eq!(labelled["metadata"]["generation"], 1);
    assert_ne!(state(&labelled).1, state(&first).1);
    let ignored = patch(&client, "a", &json!({"status": {"x": 1}})).await.unwrap();
    assert_eq!(state(&ignored), state(&labelled));
    let changed = patch(&client, "a", &json!({"spec": {"size": 2}})).await.unwrap();
    assert_eq!(changed["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn guards_refuse_and_change_nothing() {
    let server = server();
    let client = server.client();
    create(&client, "a").await.unwrap();
    let before = server.dump();
    let conflict = (409, "Conflict".to_owned());
    assert_eq!(refusal(create(&client, "a").await), (409, "AlreadyExists".to_owned()));
    let stale = json!({"metadata": {"resourceVersion": "1"}, "spec": {"size": 2}});
    assert_eq!(refusal(patch(&client, "a", &stale).await), conflict);
    let other = json!({"metadata": {"uid": "other"}, "spec": {"size": 2}});
    assert_eq!(refusal(patch(&client, "a", &other).await), (422, "Invalid".to_owned()));
    for precondition in ["uid", "resourceVersion"] {
        let options = json!({"preconditions": {precondition: "other"}});
        assert_eq!(refusal(delete(&client, "a", &options).await), conflict);
    }
    assert_eq!(server.dump(), before);
}

#[tokio::test(start_paused = true)]
async fn a_uid_in_a_status_merge_patch_guards_nothing() {
    let server = server();
    let client = server.client();
    create(&client, "a").await.unwrap();
    let status = format!("{WIDGETS}/a/status");
    let body = json!({"metadata": {"uid": "other"}, "status": {"x": 1}});
    send(&client, Method::PATCH, &status, Some(&body)).await.expect("the real server ignores it, too");
    assert_eq!(server.get(&key("Widget", "a")).unwrap()["status"], json!({"x": 1}));
}

#[tokio::test(start_paused = true)]
async fn the_last_finalizer_releases_a_deleted_object() {
    let server = server();
    let client = server.client();
    create(&client, "a").await.unwrap();
    patch(&client, "a", &json!({"metadata": {"finalizers": ["x.io/a", "x.io/b"]}})).await.unwrap();
    let deleted = delete(&client, "a", &json!({})).await.unwrap();
    assert!(deleted["metadata"]["deletionTimestamp"].is_string());
    patch(&client, "a", &json!({"metadata": {"finalizers": ["x.io/b"]}})).await.unwrap();
    assert!(server.get(&key("Widget", "a")).is_some());
    patch(&client, "a", &json!({"metadata": {"finalizers": null}})).await.unwrap();
    assert!(server.get(&key("Widget", "a")).is_none());
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_snapshot_while_the_world_changes() {
    let server = server();
    let client = server.client();
    for name in ["a", "b", "c", "d", "e"] {
        create(&client, name).await.unwrap();
    }
    let first = get(&client, &format!("{WIDGETS}?limit=2")).await.unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    create(&client, "bb").await.unwrap();
    delete(&client, "d", &json!({})).await.unwrap();
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = get(&client, &format!("{WIDGETS}?limit=2&continue={token}")).await.unwrap();
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let token = second["metadata"]["continue"].as_str().unwrap();
    let third = get(&client, &format!("{WIDGETS}?limit=2&continue={token}")).await.unwrap();
    assert_eq!(names(&third), ["e"]);
    assert_eq!(third["metadata"]["continue"], "", "as custom kinds end it");
    server.compact();
    let late = get(&client, &format!("{WIDGETS}?limit=2&continue={token}")).await;
    assert_eq!(refusal(late), (410, "Expired".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn access_is_denied_to_requests_and_reviews_alike() {
    let server = server();
    let client = server.client();
    server.deny_access(Target::new(Verb::List, "secrets").namespace("ns"));
    server.deny_access(Target::new(Verb::Patch, "widgets.example.io/status"));
    let ask = async |attributes: Value| {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes}});
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        send(&client, Method::POST, path, Some(&review)).await.unwrap()["status"]["allowed"] == true
    };
    assert!(!ask(json!({"verb": "list", "resource": "secrets", "namespace": "ns"})).await);
    assert!(ask(json!({"verb": "list", "resource": "secrets", "namespace": "other"})).await);
    assert!(ask(json!({"verb": "get", "resource": "secrets", "namespace": "ns"})).await);
    let status =
        json!({"verb": "patch", "group": "example.io", "resource": "widgets", "subresource": "status"});
    assert!(!ask(status).await);
    assert_eq!(refusal(get(&client, "/api/v1/namespaces/ns/secrets").await), (403, "Forbidden".to_owned()));
    create(&client, "a").await.unwrap();
    patch(&client, "a", &json!({"spec": {"size": 2}})).await.unwrap();
    let body = json!({"status": {}});
    let refused = send(&client, Method::PATCH, &format!("{WIDGETS}/a/status"), Some(&body)).await;
    assert_eq!(refusal(refused).0, 403);
    server.allow_access();
    get(&client, "/api/v1/namespaces/ns/secrets").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn loaded_objects_keep_what_they_carry() {
    let server = server();
    let mut loaded = widget("a");
    loaded["metadata"]["uid"] = "of-old".into();
    loaded["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z".into();
    loaded["metadata"]["generation"] = 7.into();
    loaded["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "gone"}]);
    loaded["status"] = json!({"ready": true});
    server.load([loaded.clone()]);
    let mut stored = server.dump().remove(&key("Widget", "a")).unwrap();
    assert!(stored["metadata"]["resourceVersion"].is_string());
    stored["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    assert_eq!(stored, loaded);
}

#[tokio::test(start_paused = true)]
async fn a_restored_backup_forgets_what_came_after() {
    let server = server();
    let client = server.client();
    create(&client, "kept").await.unwrap();
    let backup = server.dump();
    create(&client, "lost").await.unwrap();
    patch(&client, "kept", &json!({"spec": {"size": 2}})).await.unwrap();
    server.restore(backup.clone());
    let content = |dump: std::collections::BTreeMap<_, Value>| -> Vec<_> {
        let versionless = |mut object: Value| {
            object["metadata"]["resourceVersion"] = Value::Null;
            object
        };
        dump.into_iter().map(|(key, object)| (key, versionless(object))).collect()
    };
    assert_eq!(content(server.dump()), content(backup));
}

#[tokio::test(start_paused = true)]
async fn uids_and_versions_of_two_servers_never_meet() {
    let (source, target) = (FakeServer::new("source"), FakeServer::new("target"));
    let uids = |server: &FakeServer| -> BTreeSet<_> {
        server.dump().values().map(|object| object["metadata"]["uid"].to_string()).collect()
    };
    assert!(uids(&source).is_disjoint(&uids(&target)));
    assert_ne!(source.revision(), target.revision());
    assert_eq!(uids(&source), uids(&FakeServer::new("source")), "and are the same in every run");
}

#[tokio::test(start_paused = true)]
async fn the_clock_is_tokios() {
    let server = server();
    let client = server.client();
    let first = create(&client, "a").await.unwrap();
    tokio::time::advance(std::time::Duration::from_secs(3600)).await;
    let second = create(&client, "b").await.unwrap();
    assert_eq!(first["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(second["metadata"]["creationTimestamp"], "2026-01-01T01:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn generated_names_end_in_five_characters() {
    let server = server();
    let mut body = widget("");
    body["metadata"] = json!({"generateName": "made-"});
    let client = server.client();
    let mut made = BTreeSet::new();
    for _ in 0..30 {
        let created = send(&client, Method::POST, WIDGETS, Some(&body)).await.unwrap();
        made.insert(created["metadata"]["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(made.len(), 30);
    assert!(made.iter().all(|name| name.len() == 10 && name.starts_with("made-")));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_refused() {
    let server = server();
    let client = server.client();
    let with = |pointer: &str, size: usize| {
        let mut body = widget("big");
        body["metadata"]["annotations"] = json!({});
        *body.pointer_mut(pointer).expect("the widget has it") = json!({"a": "x".repeat(size)});
        body
    };
    for (pointer, size, code) in [
        ("/metadata/annotations", 256 * 1024, 422),
        ("/spec", 1600 * 1024, 500),
        ("/spec", 3 * 1024 * 1024, 413),
    ] {
        let refused = send(&client, Method::POST, WIDGETS, Some(&with(pointer, size))).await;
        assert_eq!(refusal(refused).0, code, "{pointer} {size}");
    }
    let allowed = with("/metadata/annotations", 256 * 1024 - 1);
    send(&client, Method::POST, WIDGETS, Some(&allowed)).await.unwrap();
}
