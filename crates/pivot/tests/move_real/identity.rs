//! Cluster-scoped objects: a provider's identity and its credentials, which every side keeps.

use std::collections::BTreeSet;
use std::time::Duration;

use pivot_core::check::CheckId;
use pivot_core::select::Action;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::{Patch, PlaneClient, Progress, wait_until};
use pivot_testbed::dump::{Key, dump};
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::content::content;
use crate::quiet::Quiet;
use crate::scene::Scene;

const IDENTITY: &Gvk =
    &Gvk::new("infrastructure.cluster.x-k8s.io", "v1beta1", "GenericClusterInfrastructureIdentity");
const PROVIDER: &str = "capm3-system";

fn crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "genericclusterinfrastructureidentities.infrastructure.cluster.x-k8s.io",
            "labels": {"clusterctl.cluster.x-k8s.io": "", "clusterctl.cluster.x-k8s.io/move-hierarchy": ""},
        },
        "spec": {
            "group": IDENTITY.group, "scope": "Cluster",
            "names": {"kind": IDENTITY.kind, "listKind": format!("{}List", IDENTITY.kind),
                "plural": "genericclusterinfrastructureidentities",
                "singular": "genericclusterinfrastructureidentity"},
            "versions": [{"name": IDENTITY.version, "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }}}],
        },
    })
}

async fn install(client: &PlaneClient) {
    client.create(&crd(), "clusterctl").await.unwrap();
    wait_until("the identity's kind to be served", Duration::from_secs(300), async || {
        Ok(match client.list(IDENTITY, None).await {
            Ok(_) => Progress::Done(()),
            Err(error) => Progress::Pending(error.to_string()),
        })
    })
    .await
    .unwrap();
}

async fn uninstall(client: &PlaneClient) {
    client.delete(Gvk::SECRET, Some(PROVIDER), "credentials").await.unwrap();
    client.delete(Gvk::CRD, None, crd()["metadata"]["name"].as_str().unwrap()).await.unwrap();
    wait_until("the identity's kind to be gone", Duration::from_secs(300), async || {
        let served = client.kinds().await?.iter().any(|served| served.gvk == *IDENTITY);
        Ok(if served { Progress::Pending("served".to_owned()) } else { Progress::Done(()) })
    })
    .await
    .unwrap();
}

/// "A global identity for an infrastructure provider owning a Secret with credentials in the provider's namespace", through
/// "should not update Global objects", "should not update Global Hierarchy objects", "does not delete from source if the object is
/// not is Global" and "… is Global Hierarchy".
#[tokio::test]
async fn an_identity_and_its_credentials_are_copied_and_left() {
    let assets = assets_or_skip!();
    let quiet = Quiet::take(&assets).await;
    let scene = Scene::on(&quiet.pair, "identity").await;
    tokio::join!(install(&scene.source), install(&scene.target));
    let identity = json!({"apiVersion": IDENTITY.api_version(), "kind": IDENTITY.kind,
        "metadata": {"name": "everybody"}, "spec": {"secretRef": {"name": "credentials", "namespace": PROVIDER}}});
    let identity = scene.source.create(&identity, "kubectl-create").await.unwrap();
    let credentials = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "credentials", "namespace": PROVIDER, "ownerReferences": [{
            "apiVersion": IDENTITY.api_version(), "kind": IDENTITY.kind, "name": "everybody",
            "uid": identity["metadata"]["uid"]}]},
        "data": {"token": "dG9rZW4="}});
    scene.source.create(&credentials, "kubectl-create").await.unwrap();
    let fixture =
        |name: &str| Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace).named(name));
    scene.load(&fixture("first")).await;
    let copied = [Key::new(IDENTITY, "", "everybody"), Key::new(Gvk::SECRET, PROVIDER, "credentials")];
    let of = async |client: &PlaneClient| dump(client).await.unwrap().filter(|key| copied.contains(key));
    let before = of(&scene.source).await;

    let run = scene.there().run().await;
    run.done();
    for key in &copied {
        assert_eq!(run.action(key), Some(Action::Copy), "{key}");
    }
    assert_eq!(of(&scene.source).await.uids_and_resource_versions(), before.uids_and_resource_versions());
    let there = of(&scene.target).await;
    assert_eq!(there.iter().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>(), copied.clone().into());
    for (key, object) in there.iter() {
        assert_eq!(content(object), content(before.get(key).unwrap()), "{key}");
    }
    assert_eq!(dump(&scene.target).await.unwrap().filter(|key| copied.contains(key)).len(), 2);
    let owner = &there.get(&copied[1]).unwrap()["metadata"]["ownerReferences"][0]["uid"];
    assert_eq!(*owner, there.get(&copied[0]).unwrap()["metadata"]["uid"]);

    // The next pivot finds them there, and writes neither.
    scene.load(&fixture("second")).await;
    scene.there().run().await.done();
    assert_eq!(of(&scene.target).await.uids_and_resource_versions(), there.uids_and_resource_versions());

    // Credentials that differ are the target's own; nobody guesses which ones are right.
    scene.load(&fixture("third")).await;
    let other = json!({"data": {"token": "b3RoZXI="}});
    scene
        .target
        .patch(Gvk::SECRET, Some(PROVIDER), "credentials", Patch::Merge, &other, "test")
        .await
        .unwrap();
    let findings = scene.refused(CheckId::CopyDiffers).await;
    assert_eq!(findings[0].object.as_ref().unwrap().name, "credentials");
    assert!(
        findings[0].message.contains("/data/token") && !findings[0].message.contains("b3Ro"),
        "{}",
        findings[0]
    );

    tokio::join!(uninstall(&scene.source), uninstall(&scene.target));
    quiet.give_back();
}
