//! A Cluster as a tree, of the fixture.

use pivot_testbed::assets_or_skip;
use pivot_testbed::fixture::{self, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use serde_json::Value;

use crate::scene::{NAMESPACE, Scene};

/// The names of the first column, without what leads to them.
fn names(text: &str) -> Vec<&str> {
    text.lines().skip(1).map(|line| line.trim_start_matches(['│', '├', '└', '─', ' '])).map(name).collect()
}

fn name(line: &str) -> &str {
    line.split("   ").next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_described_with_its_hosts() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let source = scene.pair.source.client().await.unwrap();
    let host = source.get(Gvk::BARE_METAL_HOST, Some(NAMESPACE), "test1-node-0").await.unwrap().unwrap();
    let mut status: Value = host["status"].clone();
    status["errorType"] = "power management error".into();
    source.put_status(&host, status, "baremetal-operator").await.unwrap();
    let before = scene.dumps().await.0;

    let describe = |args: &[&str]| {
        let args = [&["describe", "cluster"], args, &["--kubeconfig", scene.source()]].concat();
        scene.run(&args)
    };
    let text = describe(&["test1", "-n", NAMESPACE]).exits(0);
    let told = names(&text.stdout);
    for expected in [
        "Cluster/test1",
        "ClusterInfrastructure - Metal3Cluster/test1",
        "ControlPlane - KubeadmControlPlane/test1-control-plane",
        "Workers",
        "MachineDeployment/test1-md-0",
        "Machine/test1-md-0-0000",
        "Host - BareMetalHost/test1-node-0",
        "Host - BareMetalHost/test1-node-1",
    ] {
        assert!(told.contains(&expected), "{expected}: {text:#?}");
    }
    assert!(!text.stdout.contains("does not exist") && !text.stdout.contains("Other"), "{text:#?}");
    let line = |name: &str| text.stdout.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(line("BareMetalHost/test1-node-0").contains("power management error"), "{text:#?}");
    assert!(line("BareMetalHost/test1-node-1").contains("provisioned"), "{text:#?}");
    assert!(line("BareMetalHost/test1-node-1").contains("powered on"), "{text:#?}");
    assert!(line("Cluster/test1 ").contains("True"), "{text:#?}");
    // What a Machine is made of is told on demand.
    assert!(!text.stdout.contains("KubeadmConfig/"), "{text:#?}");
    assert!(describe(&["test1", "-n", NAMESPACE, "--echo"]).exits(0).stdout.contains("KubeadmConfig/"));
    let tree = describe(&["test1", "-A", "-o", "json"]).exits(0).json();
    assert_eq!(tree["object"]["name"], "test1");
    assert_eq!(tree["children"].as_array().unwrap().len(), 3);

    let unknown = describe(&["test2", "-n", NAMESPACE]).exits(1);
    assert!(unknown.stderr.contains("error[no-such-cluster]"), "{unknown:#?}");
    assert!(unknown.stderr.contains("metal3/test1"), "it names those that are there: {unknown:#?}");
    source.ensure_namespace("other").await.unwrap();
    fixture::load(&source, &Fixture::new(FixtureOptions::small().in_namespace("other"))).await.unwrap();
    let several = describe(&["test1", "-A"]).exits(2);
    assert!(several.stderr.contains("several namespaces: metal3, other"), "{several:#?}");
    assert_eq!(
        describe(&["test1", "-n", "other", "-o", "json"]).exits(0).json()["object"]["namespace"],
        "other"
    );

    let after = scene.dumps().await.0;
    let changed = crate::scene::changes(&before, &after, |key| key.namespace == NAMESPACE);
    assert_eq!(changed, [""; 0], "it only reads");
}
