//! Two planes, namespaces of a test's own, and an empty directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pivot::cluster::{Cluster, ClusterConfig};
use pivot::coordinator::{Identity, LeaseTimes};
use pivot::directory::{self, DirectoryError, Exported, Import};
use pivot::event::Event;
use pivot::run::Driver;
use pivot::survey::Options;
use pivot_core::bundle::MANIFEST_FILE;
use pivot_core::link::LinkRules;
use pivot_core::machine::{End, Notice};
use pivot_core::record::FenceMode;
use pivot_core::select::Request;
use pivot_testbed::assets::Assets;
use pivot_testbed::client::{Patch, PlaneClient};
use pivot_testbed::dump::{Dump, dump};
use pivot_testbed::fixture::{self, CANARY, CANARY_BASE64, Fixture, FixtureOptions};
use pivot_testbed::kind::Gvk;
use pivot_testbed::plane::{Pair, Plane};
use pivot_testbed::unique_name;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::content::contents;

pub(crate) struct Desk {
    pub(crate) pair: &'static Pair,
    pub(crate) namespaces: Vec<String>,
    pub(crate) source: PlaneClient,
    pub(crate) target: PlaneClient,
    directory: TempDir,
    /// How imports keep others from acting.
    pub(crate) fence: FenceMode,
}

/// The target takes part in one pivot at a time.
static TURN: Mutex<()> = Mutex::const_new(());

impl Desk {
    /// With the small fixture in each of some namespaces of the source.
    pub(crate) async fn new(assets: &Assets, name: &str, namespaces: usize) -> Self {
        let pair = Pair::shared(assets).await.unwrap();
        let (source, target) = tokio::try_join!(pair.source.client(), pair.target.client()).unwrap();
        let namespaces: Vec<_> = (0..namespaces).map(|_| unique_name(name)).collect();
        for namespace in &namespaces {
            fixture::load(&source, &Fixture::new(Self::fixture_options(namespace))).await.unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self { pair, namespaces, source, target, directory, fence: FenceMode::Pause }
    }

    pub(crate) fn fixture_options(namespace: &str) -> FixtureOptions {
        FixtureOptions::small().in_namespace(namespace).with_cluster_class()
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespaces[0]
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Everything in the directory by name.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap());
        entries
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect()
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            request: Request {
                namespaces: Some(self.namespaces.iter().cloned().collect()),
                clusters: BTreeSet::new(),
            },
            rules: LinkRules::builtin(),
            wait: Duration::from_secs(60),
            concurrency: 64,
            fence: self.fence,
            pivot: None,
            ironic: pivot::survey::IronicWish::default(),
        }
    }

    /// What both sides hold in the namespaces of this test.
    pub(crate) async fn dumps(&self) -> (Dump, Dump) {
        let (source, target) = tokio::try_join!(dump(&self.source), dump(&self.target)).unwrap();
        let own = |dump: &Dump| {
            dump.filter(|key| self.namespaces.contains(&key.namespace) || self.namespaces.contains(&key.name))
        };
        (own(&source), own(&target))
    }

    pub(crate) async fn export(&self) -> Result<Exported, DirectoryError> {
        self.export_heard(&mut |_| {}).await
    }

    pub(crate) async fn export_heard(
        &self,
        hear: &mut (dyn FnMut(&Notice) + Send),
    ) -> Result<Exported, DirectoryError> {
        let source = connect(&self.pair.source).await;
        let mut listener = |event: Event| hear(&event.notice);
        directory::export(&source, &self.options(), "export-1", self.path(), &mut listener).await
    }

    /// Takes the directory into the target; also what was told.
    pub(crate) async fn import(&self) -> (Result<End, DirectoryError>, Vec<Notice>) {
        let target = connect(&self.pair.target).await;
        let mut told = Vec::new();
        let end = self.import_into(&target, &mut |notice| told.push(notice)).await;
        (end, told)
    }

    /// Reads the directory and asks the target about it.
    pub(crate) async fn read(&self, options: &Options) -> Result<Import, DirectoryError> {
        let _turn = TURN.lock().await;
        directory::read(self.path(), &connect(&self.pair.target).await, options).await
    }

    /// Takes the directory into a cluster.
    pub(crate) async fn import_into(
        &self,
        cluster: &Cluster,
        hear: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<End, DirectoryError> {
        let _turn = TURN.lock().await;
        let (path, options, id) = (self.path(), self.options(), unique_name("import"));
        let mut listener = |event: Event| hear(event.notice);
        directory::import(path, cluster, &options, &id, driver(), CancellationToken::new(), &mut listener)
            .await
    }

    /// Asserts that the import ends with everything in the target, and returns what was told.
    pub(crate) async fn imported(&self) -> Vec<Notice> {
        let (end, told) = self.import().await;
        assert!(matches!(end, Ok(End::Done { .. })), "{end:?}");
        told
    }

    /// Asserts that the import is refused before anything is written, and returns why.
    pub(crate) async fn refused(&self) -> String {
        let (_, before) = self.dumps().await;
        let error = self.import().await.0.unwrap_err();
        let (_, after) = self.dumps().await;
        assert_eq!(before.uids_and_resource_versions(), after.uids_and_resource_versions());
        quiet(&error)
    }

    pub(crate) async fn patch(&self, gvk: &Gvk, name: &str, patch: &Value) -> Value {
        let namespace = Some(self.namespace());
        self.source.patch(gvk, namespace, name, Patch::Merge, patch, "kubectl-edit").await.unwrap()
    }

    pub(crate) async fn pause_cluster(&self) {
        self.patch(Gvk::CLUSTER, "test1", &json!({"spec": {"paused": true}})).await;
    }

    /// Makes the directory look as clusterctl would have left it.
    pub(crate) fn without_manifest(&self) {
        fs::remove_file(self.file(MANIFEST_FILE)).unwrap();
    }
}

/// Asserts that the target says what the source said. Only the end of the pause made a generation of every Cluster that its
/// controller, of which there is none, would observe.
pub(crate) fn assert_restored(source: &Dump, target: &Dump) {
    let expected: Dump = contents(source)
        .iter()
        .map(|(key, object)| {
            let mut object = object.clone();
            if key.kind == "Cluster" {
                lag(&mut object["status"]);
            }
            object
        })
        .collect();
    let differences: Vec<_> = expected.diff(&contents(target)).iter().map(ToString::to_string).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

fn lag(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field.as_i64() {
                    Some(behind) if key == "observedGeneration" => *field = json!(behind - 1),
                    _ => lag(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(lag),
        _ => {}
    }
}

/// A process that has driven nothing so far.
fn driver() -> Driver {
    let (host, boot) = ("test".to_owned(), "boot".to_owned());
    Driver {
        me: Identity { host, pid: std::process::id(), nonce: unique_name("nonce"), boot },
        times: LeaseTimes::default(),
        is_dead: Arc::new(|_| false),
        journals: None,
        clock: Arc::new(String::new),
    }
}

pub(crate) async fn connect(plane: &Plane) -> Cluster {
    Cluster::connect(ClusterConfig::new(plane.kubeconfig())).await.unwrap()
}

/// The message of an error, none of whose forms tells a secret.
pub(crate) fn quiet(error: &DirectoryError) -> String {
    let message = error.to_string();
    for text in [&message, &format!("{error:?}")] {
        assert!(!text.contains(CANARY) && !text.contains(CANARY_BASE64), "{text}");
    }
    message
}
