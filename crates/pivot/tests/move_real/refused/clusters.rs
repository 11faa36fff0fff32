//! The two clusters: the same one twice, out of reach, other providers.

use pivot::cluster::{Cluster, ClusterConfig};
use pivot::survey::survey;
use pivot_core::check::{CheckId, Finding};
use pivot_core::machine::Side;
use pivot_testbed::assets_or_skip;
use pivot_testbed::client::{Patch, PlaneClient};
use pivot_testbed::fixture::{Fixture, FixtureOptions};
use pivot_testbed::inventory::PROVIDERS;
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::Plane;
use serde_json::json;

use crate::pivot::Pivot;
use crate::quiet::Quiet;
use crate::scene::Scene;

#[tokio::test]
async fn one_cluster_twice() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "twice").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    // Another address and another user do not make it another cluster.
    let through =
        scene.pair.source.kubeconfig_through(&scene.pair.source.server().replace("127.0.0.1", "localhost"));
    let mut pivot = Pivot::new(&scene.pair.source, &scene.pair.source, scene.options());
    pivot.target_user = Some(through.unwrap());
    let findings = scene.refused_as(pivot, CheckId::SameCluster).await;
    assert!(findings[0].message.contains("one cluster"), "{}", findings[0]);
    assert!(findings[0].hint.contains("--to-kubeconfig"), "{}", findings[0].hint);
}

/// Nobody listens on it: ports below 1024 are not handed out.
const CLOSED: &str = "https://127.0.0.1:1";

async fn connect(kubeconfig: &std::path::Path) -> Cluster {
    Cluster::connect(ClusterConfig::new(kubeconfig)).await.unwrap()
}

#[tokio::test]
async fn a_side_out_of_reach_is_named() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets, "reach").await;
    let gone = |plane: &Plane| plane.kubeconfig_through(CLOSED).unwrap();
    let (source, target) =
        (connect(scene.pair.source.kubeconfig()).await, connect(scene.pair.target.kubeconfig()).await);
    for side in [Side::Source, Side::Target] {
        let lost = match side {
            Side::Source => connect(&gone(&scene.pair.source)).await,
            Side::Target => connect(&gone(&scene.pair.target)).await,
        };
        let error = match side {
            Side::Source => survey(&lost, Some(&target), &scene.options()).await,
            Side::Target => survey(&source, Some(&lost), &scene.options()).await,
        }
        .unwrap_err();
        assert_eq!(error.side(), side);
        let text = error.to_string();
        assert!(text.contains(&format!("(the {side})")) && text.contains("127.0.0.1:1"), "{text}");
    }
}

/// checkTargetProviders, by the names of clusterctl's cases.
#[tokio::test]
async fn target_providers() {
    let assets = assets_or_skip!();
    let quiet = Quiet::take(&assets).await;
    let scene = Scene::on(&quiet.pair, "providers").await;
    scene.load(&Fixture::new(FixtureOptions::small().in_namespace(&scene.namespace))).await;
    let metal3 = PROVIDERS.iter().find(|provider| provider.label == "infrastructure-metal3").unwrap();
    let about_providers = async || -> Vec<Finding> {
        let survey = scene.there().survey().await;
        let of_providers = [CheckId::ProviderMissing, CheckId::ProviderOlder];
        let findings = survey.report().findings.iter().filter(|finding| of_providers.contains(&finding.id));
        findings.cloned().collect()
    };

    assert_eq!(about_providers().await, [], "all the providers in place (lazy matching)");

    set_version(&scene.target, metal3.namespace, metal3.label, "v1.9.2").await;
    assert_eq!(
        about_providers().await,
        [],
        "all the providers in place but with a newer version (lazy matching)"
    );

    set_version(&scene.target, metal3.namespace, metal3.label, "v1.6.9").await;
    let findings = scene.refused(CheckId::ProviderOlder).await;
    assert!(findings[0].message.contains("metal3 (InfrastructureProvider) is v1.6.9"), "{}", findings[0]);
    assert!(findings[0].hint.contains("v1.7.0"), "{}", findings[0].hint);

    scene.target.delete(Gvk::PROVIDER, Some(metal3.namespace), metal3.label).await.unwrap();
    let findings = scene.refused(CheckId::ProviderMissing).await;
    assert!(
        findings[0].message.contains("metal3 (InfrastructureProvider) is not installed"),
        "{}",
        findings[0]
    );

    scene.target.create(&metal3.object(), "clusterctl").await.unwrap();
    assert_eq!(about_providers().await, []);
    quiet.give_back();
}

async fn set_version(client: &PlaneClient, namespace: &str, name: &str, version: &str) {
    let patch = json!({"version": version});
    client.patch(Gvk::PROVIDER, Some(namespace), name, Patch::Merge, &patch, "clusterctl").await.unwrap();
}
