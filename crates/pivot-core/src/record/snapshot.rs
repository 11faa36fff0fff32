//! The snapshot that the target keeps: what a pivot needs of the source when the source can no longer be asked, or has been
//! cleared in part.
//!
//! It holds Secrets, and therefore lives in Secrets: compressed JSON, cut into chunks.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pivot::{Pause, SnapshotMark};
use super::{FORMAT, chunk_key};
use crate::digest::Digest;
use crate::kind::GroupKind;
use crate::object::{Manifest, ObjectKey};
use crate::plan::Blueprint;
use crate::select::Action;

/// Bytes of a chunk. The API server takes 1 MiB in a Secret, etcd 1.5 MiB in a request.
const CHUNK: usize = 900 * 1024;
/// Bytes that a snapshot may have at most once it is unpacked: more than any cluster holds, less than a machine.
const LIMIT: u64 = 4 << 30;
/// Key of a chunk's data.
const DATA: &str = "chunk";

/// One object of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredObject {
    /// What it is.
    pub kind: GroupKind,
    /// Whether it moves or is copied.
    pub action: Action,
    /// The object in the source.
    pub manifest: Manifest,
}

/// What the target keeps of the source.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredSnapshot {
    format: u32,
    /// Version in which each kind is read and written.
    pub versions: BTreeMap<GroupKind, String>,
    /// Namespaces of the source.
    pub namespaces: BTreeMap<String, Manifest>,
    /// The objects to be staged.
    pub objects: Vec<StoredObject>,
    /// Pauses of ours, and the values before.
    pub pauses: Vec<Pause>,
}

/// A snapshot cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// A chunk is missing, or is none.
    #[error("chunk {0} of the snapshot is missing or damaged")]
    Chunk(usize),
    /// The chunks do not belong together.
    #[error(
        "the snapshot is not the one that the record names: it was not finished, or the target was restored from a backup"
    )]
    Digest,
    /// A later version wrote it.
    #[error("the snapshot has format {0}, which a newer pivotctl wrote")]
    Newer(u32),
}

impl StoredSnapshot {
    /// Of nothing, where nothing is left to be done with any object.
    pub fn nothing() -> Self {
        Self {
            format: FORMAT,
            versions: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            objects: Vec::new(),
            pauses: Vec::new(),
        }
    }

    /// Of what a blueprint stages.
    pub fn of(blueprint: &Blueprint, pauses: Vec<Pause>) -> Self {
        let objects = blueprint.staged_objects().map(|(id, object)| StoredObject {
            kind: object.key.kind.clone(),
            action: blueprint.selection.action(id),
            manifest: object.manifest.clone(),
        });
        let names = blueprint.staged_namespaces();
        let namespaces = blueprint.source.namespaces.iter().filter(|(name, _)| names.contains(name.as_str()));
        Self {
            format: FORMAT,
            versions: blueprint.versions.clone(),
            namespaces: namespaces.map(|(name, manifest)| (name.clone(), manifest.clone())).collect(),
            objects: objects.collect(),
            pauses,
        }
    }

    /// The Secrets that keep it, and the mark by which they are known to be whole.
    pub fn encode(&self, pivot_id: &str) -> (SnapshotMark, Vec<(ObjectKey, Value)>) {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        serde_json::to_writer(&mut packer, self).expect("BUG: a snapshot is no JSON");
        packer.flush().expect("BUG: writing to memory failed");
        let packed = packer.finish().expect("BUG: writing to memory failed");
        let chunks: Vec<_> = packed
            .chunks(CHUNK)
            .enumerate()
            .map(|(number, bytes)| {
                let key = chunk_key(pivot_id, number);
                let body = json!({
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "type": "pivot.metal3.io/snapshot",
                    "metadata": {"name": key.name, "namespace": key.namespace},
                    "data": {DATA: STANDARD.encode(bytes)},
                });
                (key, body)
            })
            .collect();
        let mark =
            SnapshotMark { digest: Digest::of(&packed), chunks: chunks.len(), objects: self.objects.len() };
        (mark, chunks)
    }

    /// Puts the chunks together again.
    pub fn decode(mark: &SnapshotMark, chunks: &[Manifest]) -> Result<Self, SnapshotError> {
        let mut packed = Vec::new();
        for number in 0..mark.chunks {
            let data = chunks.get(number).and_then(|chunk| chunk.value()["data"][DATA].as_str());
            let bytes = data.and_then(|data| STANDARD.decode(data).ok());
            packed.extend(bytes.ok_or(SnapshotError::Chunk(number))?);
        }
        if Digest::of(&packed) != mark.digest {
            return Err(SnapshotError::Digest);
        }
        let mut text = Vec::new();
        GzDecoder::new(packed.as_slice())
            .take(LIMIT)
            .read_to_end(&mut text)
            .map_err(|_| SnapshotError::Digest)?;
        let value: Value = serde_json::from_slice(&text).map_err(|_| SnapshotError::Digest)?;
        match value["format"].as_u64().and_then(|format| u32::try_from(format).ok()) {
            Some(format) if format > FORMAT => Err(SnapshotError::Newer(format)),
            _ => serde_json::from_value(value).map_err(|_| SnapshotError::Digest),
        }
    }
}
