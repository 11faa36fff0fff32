//! From a blueprint to the files of a directory.

use std::collections::BTreeMap;

use super::manifest::{BundleManifest, Entry, FORMAT, NamespaceMarks, State};
use super::name::object_files;
use crate::carried_status;
use crate::check::{CheckId, Finding};
use crate::digest::Digest;
use crate::object::ObjectKey;
use crate::plan::{Blueprint, ClusterIdentity};

/// One file of a directory.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectFile {
    /// Its name.
    pub name: String,
    /// What it says. `Debug` does not show it: it may be a Secret.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for ObjectFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All files of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The objects.
    pub files: Vec<ObjectFile>,
    /// The manifest, complete.
    pub manifest: BundleManifest,
}

impl Encoded {
    /// Everything that the blueprint would stage, whole: status, uids, owner references and pause values as they are. Hosts carry their status in
    /// an annotation besides: not everybody who reads the directory writes a status.
    pub fn new(blueprint: &Blueprint, tool: &str, id: &str) -> Self {
        let keys: Vec<&ObjectKey> = blueprint.staged_objects().map(|(_, object)| &object.key).collect();
        let mut files = Vec::with_capacity(keys.len());
        let mut entries = Vec::with_capacity(keys.len());
        for (key, file) in object_files(keys) {
            let object = blueprint.source.inventory.get(key).expect("BUG: a staged object is not listed");
            // The finding for one that does not fit is `export_findings`' to tell.
            let carried = carried_status::carry(&object.manifest).ok().flatten();
            let manifest = carried.as_ref().unwrap_or(&object.manifest);
            let mut bytes = manifest.value().to_string().into_bytes();
            bytes.push(b'\n');
            entries.push(Entry { file: file.clone(), key: key.clone(), sha256: Digest::of(&bytes) });
            files.push(ObjectFile { name: file, bytes });
        }
        let marks = |name: &str| blueprint.source.namespaces.get(name).map(NamespaceMarks::of);
        let namespace_marks: BTreeMap<String, NamespaceMarks> = blueprint
            .staged_namespaces()
            .into_iter()
            .map(|name| (name.to_owned(), marks(name).unwrap_or_default()))
            .collect();
        let manifest = BundleManifest {
            format: FORMAT,
            state: State::Complete,
            id: id.to_owned(),
            tool: tool.to_owned(),
            source: ClusterIdentity {
                name: blueprint.source.name.clone(),
                id: blueprint.source.inventory.cluster_id.clone(),
            },
            namespaces: blueprint.request.namespaces.clone(),
            clusters: blueprint.request.clusters.clone(),
            namespace_marks,
            files: entries,
            digest: Digest::of(b""),
        }
        .sealed();
        Self { files, manifest }
    }
}

/// What the checks say of an export. Nothing leaves the source, so that what would be left behind there is of no interest.
pub fn export_findings(blueprint: &Blueprint) -> Vec<Finding> {
    let mut findings = blueprint.findings(&[]);
    findings.retain(|finding| {
        !matches!(
            finding.id,
            CheckId::DependentStays | CheckId::UserStays | CheckId::AlreadyPaused | CheckId::MoveBlocked
        )
    });
    for (_, object) in blueprint.staged_objects() {
        if let Err(bytes) = carried_status::carry(&object.manifest) {
            findings.push(Finding::warning(
                CheckId::StatusAnnotation,
                Some(&object.key),
                format!(
                    "its status does not fit into an annotation ({bytes} bytes, {} are allowed)",
                    carried_status::LIMIT
                ),
                "read the directory with pivotctl, which writes the status itself",
            ));
        }
    }
    findings
}
