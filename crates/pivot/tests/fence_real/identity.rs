//! The identity under which the tool writes.

use std::fs;

use pivot_core::fence::Identity;
use pivot_testbed::assets_or_skip;
use pivot_testbed::unique_name;
use serde_json::{Value, json};

use crate::scene::{Scene, await_grants, connect, tool};

#[tokio::test]
async fn the_rights_of_the_user_do_not_grow() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "rights").await;
    let (user, group) = (unique_name("user"), unique_name("group"));
    let kubeconfig = scene.plane.user_kubeconfig(&user, Some(&group)).unwrap();
    let plain = connect(&kubeconfig).await;
    let me = plain.whoami().await.unwrap();
    assert_eq!(me.user, user);
    let identity = Identity::new(&me.user, &me.groups, "p1", "t1");
    assert_eq!(identity.groups, std::slice::from_ref(&group));

    let needed = identity.permissions();
    let denied = plain.denied(needed.clone()).await.unwrap();
    assert_eq!(denied, needed, "nothing was granted so far");
    let failure = plain.with_identity(&identity).unwrap().whoami().await.unwrap_err();
    assert!(failure.is_forbidden() && failure.fenced_by().is_none(), "{failure}");

    // Name by name, as a careful administrator would.
    let rule = |api: &str, resource: &str, names: &[&str]| json!({"apiGroups": [api], "resources": [resource], "verbs": ["impersonate"], "resourceNames": names});
    let extra = json!({"apiGroups": ["authentication.k8s.io"], "verbs": ["impersonate"],
            "resources": ["userextras/pivot.metal3.io/id", "userextras/pivot.metal3.io/token"]});
    let rules = json!([rule("", "users", &[&user]), rule("", "groups", &[&group]), extra]);
    scene.grant(&user, &user, &rules).await;
    await_grants(&plain, &needed).await;
    let ours = plain.with_identity(&identity).unwrap().whoami().await.unwrap();
    assert_eq!(ours.identity, Some(("p1".to_owned(), "t1".to_owned())));
    let sorted = |groups: &[String]| {
        let mut groups = groups.to_vec();
        groups.sort();
        groups
    };
    assert_eq!((&ours.user, sorted(&ours.groups)), (&user, sorted(&me.groups)));
    let others = Identity::new("kubernetes-admin", &["system:masters"], "p1", "t1");
    assert!(plain.with_identity(&others).unwrap().whoami().await.unwrap_err().is_forbidden());
}

#[tokio::test]
async fn a_service_account_is_impersonated_as_what_it_is() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "account").await;
    let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{}", scene.namespace)];
    let user = format!("system:serviceaccount:{}:default", scene.namespace);
    let identity = Identity::new(&user, &groups, "p1", "t1");
    let seen = scene.others.with_identity(&identity).unwrap().whoami().await.unwrap();
    assert_eq!(seen.user, user);
    for group in groups {
        assert!(seen.groups.contains(&group), "{group}: {:?}", seen.groups);
    }
}

/// `kubectl --as` in a kubeconfig: the identity is that of whom it impersonates.
#[tokio::test]
async fn a_kubeconfig_that_impersonates_goes_on_doing_so() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "as").await;
    let mut kubeconfig: Value = serde_json::from_slice(&fs::read(scene.plane.kubeconfig()).unwrap()).unwrap();
    kubeconfig["users"][0]["user"]["as"] = "kim".into();
    kubeconfig["users"][0]["user"]["as-groups"] = json!(["system:masters", "ops"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("as.kubeconfig");
    fs::write(&path, kubeconfig.to_string()).unwrap();
    let kim = connect(&path).await;
    let me = kim.whoami().await.unwrap();
    assert_eq!((me.user.as_str(), &me.identity), ("kim", &None));

    scene.raise(&scene.scope(), "t1").await;
    assert!(scene.create_host(&kim, "one").await.unwrap_err().fenced_by().is_some());
    let ours = tool(&kim, &scene.id, "t1").await;
    let seen = ours.whoami().await.unwrap();
    assert_eq!(seen.user, "kim");
    assert_eq!(seen.identity, Some((scene.id.clone(), "t1".to_owned())));
    scene.create_host(&ours, "one").await.unwrap();
    scene.lower().await;
}
