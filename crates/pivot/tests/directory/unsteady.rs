//! A source that does not hold still, in memory, where waiting costs no time.

use std::collections::BTreeSet;
use std::time::Duration;

use pivot::cluster::Cluster;
use pivot::directory::{self, DirectoryError};
use pivot::survey::Options;
use pivot_core::link::LinkRules;
use pivot_core::record::FenceMode;
use pivot_core::select::Request;
use pivot_testbed::dump::Key;
use pivot_testbed::fake::{CrdSpec, FakeServer, Target, Verb};
use pivot_testbed::kind::Gvk;
use serde_json::json;

fn server() -> FakeServer {
    let server = FakeServer::new("source");
    let spec = CrdSpec::new("metal3.io", "BareMetalHost", "v1alpha1");
    server.register(&spec.label("clusterctl.cluster.x-k8s.io", ""));
    server.load([json!({"apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": {"name": "node-0", "namespace": "metal3"}, "spec": {},
        "status": {"provisioning": {"state": "available"}, "operationalStatus": "OK"}})]);
    server
}

fn options() -> Options {
    Options {
        request: Request {
            namespaces: Some(BTreeSet::from(["metal3".to_owned()])),
            clusters: BTreeSet::new(),
        },
        rules: LinkRules::builtin(),
        wait: Duration::from_secs(60),
        concurrency: 4,
        fence: FenceMode::Pause,
        pivot: None,
        ironic: pivot::survey::IronicWish::default(),
    }
}

/// Changes the host after each of the first `times` lists of its kind.
fn disturb(server: &FakeServer, times: u32) {
    let mut count = 0;
    let lists = Target::new(Verb::List, "BareMetalHost");
    server.on_reply(move |server, call| {
        if lists.matches(call) && count < times {
            count += 1;
            let host = Key::new(Gvk::BARE_METAL_HOST, "metal3", "node-0");
            server.edit(&host, |host| host["metadata"]["labels"] = json!({"count": count.to_string()}));
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_holds_still_is_given_up_without_a_file_or_a_write() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    disturb(&server, u32::MAX);
    let source = Cluster::from_client(server.client(), "source");
    let error = directory::export(&source, &options(), "e", directory.path(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, DirectoryError::Unsteady { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "the objects kept changing while they were listed: BareMetalHost metal3/node-0"
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    assert!(server.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_to_rest_is_written_and_only_read() {
    let (server, directory) = (server(), tempfile::tempdir().unwrap());
    disturb(&server, 5);
    let source = Cluster::from_client(server.client(), "source");
    let exported = directory::export(&source, &options(), "e", directory.path(), &mut |_| {}).await.unwrap();
    assert_eq!(exported.objects, 1);
    let text = std::fs::read_to_string(directory.path().join("BareMetalHost_metal3_node-0.yaml")).unwrap();
    assert!(text.contains(r#"{"count":"5"}"#), "{text}");
    // No review of permissions either: reading is all that it takes.
    assert!(server.writes().is_empty() && !server.history().is_empty());
}
