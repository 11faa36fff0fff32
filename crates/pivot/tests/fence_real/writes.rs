//! Which writes the fence refuses, and which it does not see.

use pivot::cluster::Failure;
use pivot_core::fence::Spared;
use pivot_testbed::assets_or_skip;
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::scene::{Scene, delete, get, merge, post, put, secret, tool};

fn annotate() -> Value {
    json!({"metadata": {"annotations": {"note": "changed"}}})
}

fn status() -> Value {
    json!({"status": {"errorCount": 5, "errorMessage": "", "operationalStatus": "OK", "poweredOn": false,
        "provisioning": {"ID": "", "state": "available"}}})
}

#[tokio::test]
async fn everything_that_others_may_do_to_what_is_fenced_is_refused() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "refused").await;
    let (others, id) = (&scene.others, scene.id.as_str());
    for name in ["one", "two"] {
        scene.create_host(others, name).await.unwrap();
    }
    for name in ["a", "b"] {
        scene.create_secret(others, name).await.unwrap();
    }
    let before = scene.admin.get(Gvk::BARE_METAL_HOST, Some(&scene.namespace), "one").await.unwrap().unwrap();
    scene.raise(&scene.scope(), "t1").await;

    let refused = |what: &str, outcome: Result<_, Failure>| {
        let failure = outcome.map(drop).expect_err(what);
        assert_eq!(failure.fenced_by(), Some(id), "{what}: {failure}");
        let words = failure.to_string();
        for expected in [id, "pivotctl status", "pivotctl resume --id", "pivotctl rollback --id"] {
            assert!(words.contains(expected), "{what}: {words}");
        }
        assert!(!words.contains("confidential"), "{words}");
    };
    refused("create", scene.create_host(others, "three").await);
    refused("merge patch", merge(others, &scene.hosts("/one"), &annotate()).await);
    refused("update", put(others, &scene.hosts("/one"), &get(others, &scene.hosts("/one")).await).await);
    refused("status", merge(others, &scene.hosts("/one/status"), &status()).await);
    refused("delete", delete(others, &scene.hosts("/one")).await);
    refused("delete of all", delete(others, &scene.hosts("")).await);
    refused("patch of a Secret", merge(others, &scene.secrets("/a"), &annotate()).await);
    refused("delete of a Secret", delete(others, &scene.secrets("/b")).await);
    refused("delete of all Secrets", delete(others, &scene.secrets("")).await);
    refused(
        "delete of the namespace",
        delete(others, &format!("/api/v1/namespaces/{}", scene.namespace)).await,
    );
    // A name that the move brings along, where it is not there yet.
    delete(&scene.tool("t1").await, &scene.secrets("/b")).await.unwrap();
    refused("create of a Secret", scene.create_secret(others, "b").await);

    let after = scene.admin.get(Gvk::BARE_METAL_HOST, Some(&scene.namespace), "one").await.unwrap();
    assert_eq!(after, Some(before));

    scene.lower().await;
    merge(others, &scene.hosts("/one"), &annotate()).await.unwrap();
    merge(others, &scene.hosts("/one/status"), &status()).await.unwrap();
    scene.create_host(others, "three").await.unwrap();
    scene.create_secret(others, "b").await.unwrap();
    delete(others, &scene.secrets("/a")).await.unwrap();
    delete(others, &scene.hosts("")).await.unwrap();
    delete(others, &format!("/api/v1/namespaces/{}", scene.namespace)).await.unwrap();
}

#[tokio::test]
async fn the_tool_goes_on_writing() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "tool").await;
    scene.raise(&scene.scope(), "t1").await;
    let tool = scene.tool("t1").await;
    scene.create_host(&tool, "one").await.unwrap();
    scene.create_secret(&tool, "a").await.unwrap();
    merge(&tool, &scene.hosts("/one"), &annotate()).await.unwrap();
    merge(&tool, &scene.hosts("/one/status"), &status()).await.unwrap();
    put(&tool, &scene.hosts("/one"), &get(&tool, &scene.hosts("/one")).await).await.unwrap();
    for path in [scene.hosts("/one"), scene.secrets("/a"), scene.secrets("")] {
        delete(&tool, &path).await.unwrap();
    }
    scene.lower().await;
}

#[tokio::test]
async fn what_is_not_in_the_scope_is_left_alone() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "beside").await;
    let elsewhere = Scene::new(&assets, "elsewhere").await;
    let others = &scene.others;
    let mut scope = scene.scope();
    // Both namespaces are in reach, and the Secret of that name in the other one is not what moves.
    scope.namespaces.as_mut().unwrap().insert(elsewhere.namespace.clone());
    scope.spared.insert(Spared {
        group: String::new(),
        plural: "secrets".to_owned(),
        namespace: elsewhere.namespace.clone(),
        name: "a".to_owned(),
    });
    scene.raise(&scope, "t1").await;

    scene.create_secret(others, "other").await.unwrap();
    merge(others, &scene.secrets("/other"), &annotate()).await.unwrap();
    delete(others, &scene.secrets("/other")).await.unwrap();
    let mut generated = secret("");
    generated["metadata"] = json!({"generateName": "a-"});
    post(others, &scene.secrets(""), &generated).await.unwrap();
    let maps = format!("/api/v1/namespaces/{}/configmaps", scene.namespace);
    post(others, &maps, &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))
        .await
        .unwrap();
    delete(others, &format!("{maps}/a")).await.unwrap();
    let data = json!({"apiVersion": "metal3.io/v1alpha1", "kind": "HardwareData", "metadata": {"name": "one"},
        "spec": {}});
    let path = format!("/apis/metal3.io/v1alpha1/namespaces/{}/hardwaredata", scene.namespace);
    post(others, &path, &data).await.unwrap();
    elsewhere.create_secret(others, "a").await.unwrap();
    merge(others, &elsewhere.secrets("/a"), &annotate()).await.unwrap();
    delete(others, &format!("/api/v1/namespaces/{}", elsewhere.namespace)).await.unwrap();
    let third = Scene::new(&assets, "third").await;
    third.create_host(others, "one").await.unwrap();
    third.create_secret(others, "a").await.unwrap();
    scene.lower().await;
}

#[tokio::test]
async fn records_are_not_behind_the_fence() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "records").await;
    let mut scope = scene.scope();
    let name = pivot_testbed::unique_name("record");
    scope.rules[0].names.as_mut().unwrap().insert(name.clone());
    scene.raise(&scope, "t1").await;
    let secrets = "/api/v1/namespaces/pivotctl-system/secrets";
    post(&scene.others, secrets, &secret(&name)).await.unwrap();
    delete(&scene.others, &format!("{secrets}/{name}")).await.unwrap();
    assert!(scene.create_secret(&scene.others, &name).await.unwrap_err().fenced_by().is_some());
    scene.lower().await;
}

#[tokio::test]
async fn whoever_was_taken_over_from_is_refused() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "token").await;
    scene.raise(&scene.scope(), "t1").await;
    let (former, present) = (scene.tool("t1").await, scene.tool("t2").await);
    scene.create_host(&former, "one").await.unwrap();
    assert!(scene.create_host(&present, "two").await.unwrap_err().fenced_by().is_some());

    scene.raise(&scene.scope(), "t2").await;
    scene.await_canary("the former coordinator to be locked out", &former, false).await;
    let failure = merge(&former, &scene.hosts("/one"), &annotate()).await.unwrap_err();
    assert_eq!(failure.fenced_by(), Some(scene.id.as_str()), "{failure}");
    merge(&present, &scene.hosts("/one"), &annotate()).await.unwrap();
    scene.lower().await;
}

#[tokio::test]
async fn the_canary_is_refused_only_while_the_fence_holds() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "canary").await;
    scene.await_canary("no fence", &scene.others, true).await;
    scene.raise(&scene.scope(), "t1").await;
    // Who has the right identity of another pivot is anybody.
    let other = tool(&scene.others, "another", "t1").await;
    scene.await_canary("another pivot to be refused", &other, false).await;
    scene.lower().await;
    let left = scene.admin.list(Gvk::CONFIG_MAP, Some("pivotctl-system")).await.unwrap();
    let name = pivot_core::fence::canary_key(&scene.id).name;
    assert!(left.iter().all(|map| map["metadata"]["name"] != name.as_str()), "a canary was stored");
}
