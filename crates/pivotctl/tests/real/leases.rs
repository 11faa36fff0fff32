//! Leases in the ConfigMaps of a real API server.

use std::fmt::Write;

use pivot_testbed::assets_or_skip;
use pivot_testbed::client::Patch;
use pivot_testbed::kind::Gvk;
use serde_json::{Value, json};

use crate::scene::{NAMESPACE, Outcome, Scene};

const NAME: &str = "dnsmasq-leases-configmap";

fn file(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let (high, low) = (n / 256, n % 256);
        writeln!(text, "0 52:54:00:00:{high:02x}:{low:02x} 10.1.{high}.{low} node-{n} *").unwrap();
        text
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_are_carried_by_configmaps() {
    let assets = assets_or_skip!();
    let scene = Scene::new(&assets).await;
    let source = scene.pair.source.client().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let import = |text: &str, more: &[&str]| -> Outcome {
        std::fs::write(path("leases"), text).unwrap();
        let leases = path("leases");
        let args = ["leases", "import", &leases, "--kubeconfig", scene.source(), "-n", NAMESPACE];
        scene.run(&[&args, more].concat())
    };
    let there = async || source.get(Gvk::CONFIG_MAP, Some(NAMESPACE), NAME).await.unwrap();
    let export = || {
        let args = ["leases", "export", "--configmap", "--kubeconfig", scene.source(), "-n", NAMESPACE];
        scene.run(&args)
    };

    let missing = export().exits(1);
    assert!(missing.stderr.contains("error[leases-missing]"), "{missing:#?}");
    import(&file(3), &["--dry-run"]).exits(0);
    assert_eq!(there().await, None, "a dry run writes nothing");
    import(&file(3), &[]).exits(0);
    assert_eq!(there().await.unwrap()["data"]["dnsmasq.leases"], file(3));
    assert_eq!(export().exits(0).stdout, file(3));
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    let before = version(&there().await.unwrap());
    import(&file(3), &[]).exits(0);
    assert_eq!(version(&there().await.unwrap()), before, "what is there is not written again");

    let other = "0 52:54:00:00:00:01 10.1.0.77 * *\n";
    let exists = import(other, &[]).exits(1);
    assert!(exists.stderr.contains("error[leases-exist]"), "{exists:#?}");
    let merged = import(other, &["--merge"]).exits(0);
    assert!(merged.stderr.contains("gives way to"), "{merged:#?}");
    // What somebody wrote beside it stays.
    let labels = json!({"metadata": {"labels": {"mine": "yes"}}, "data": {"notes": "mine"}});
    source.patch(Gvk::CONFIG_MAP, Some(NAMESPACE), NAME, Patch::Merge, &labels, "kubectl").await.unwrap();

    // A ConfigMap holds a MiB; these are two of them and a half.
    let many = file(60_000);
    assert!(many.len() > 2 << 20);
    let written = import(&many, &["--replace"]).exits(0);
    assert!(written.stderr.contains("and 2 more"), "{written:#?}");
    assert!(written.stderr.contains("at most 1000"), "dnsmasq's own limit is told: {written:#?}");
    assert_eq!(export().exits(0).stdout, many);
    let first = there().await.unwrap();
    assert_eq!(
        (&first["metadata"]["labels"]["mine"], &first["data"]["notes"]),
        (&json!("yes"), &json!("mine"))
    );

    // Parts that are not needed any more do not come back.
    import(&file(3), &["--replace"]).exits(0);
    assert_eq!(export().exits(0).stdout, file(3));
    let maps = source.list(Gvk::CONFIG_MAP, Some(NAMESPACE)).await.unwrap();
    let left = |map: &&Value| map["metadata"]["name"].as_str().unwrap().starts_with(NAME);
    assert_eq!(maps.iter().filter(left).count(), 1);

    let args = ["leases", "import", &path("leases"), "--kubeconfig", scene.source(), "-n", "nowhere"];
    let nowhere = scene.run(&args).exits(1);
    assert!(nowhere.stderr.contains("error[namespace-missing]"), "{nowhere:#?}");
    let across = ["leases", "import", "--configmap", "-n", NAMESPACE];
    scene.pair.target.client().await.unwrap().ensure_namespace(NAMESPACE).await.unwrap();
    scene.pivotctl(&across).exits(0);
    let target = scene.pair.target.client().await.unwrap();
    let carried = target.get(Gvk::CONFIG_MAP, Some(NAMESPACE), NAME).await.unwrap().unwrap();
    assert_eq!(carried["data"]["dnsmasq.leases"], file(3));
}
