//! The snapshot that the target keeps: what a pivot needs of the source when the source can no longer be asked, or has been
//! cleared in part.
//!
//! It holds Secrets, and therefore lives in Secrets: compressed lines of JSON, one an object, cut into chunks. Objects that change
//! while a pivot runs stand at the end, so that most chunks of an early snapshot serve the last one as well.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pivot::{Pause, SnapshotMark};
use super::{FORMAT, chunk_key};
use crate::digest::Digest;
use crate::kind::GroupKind;
use crate::object::{Manifest, ObjectKey};
use crate::pause::PauseField;
use crate::plan::Blueprint;
use crate::select::Action;

/// Bytes of a chunk. The API server takes 1 MiB in a Secret, etcd 1.5 MiB in a request.
const CHUNK: usize = 900 * 1024;
/// Bytes that a snapshot may have at most once it is unpacked: more than any cluster holds, less than a machine.
const LIMIT: u64 = 4 << 30;
/// Key of a chunk's data.
const DATA: &str = "chunk";
/// Objects that are packed together.
const TOGETHER: usize = 256;

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
#[derive(Clone, Debug)]
pub struct StoredSnapshot {
    /// Version in which each kind is read and written.
    pub versions: BTreeMap<GroupKind, String>,
    /// Namespaces of the source.
    pub namespaces: BTreeMap<String, Manifest>,
    /// The objects to be staged.
    pub objects: Vec<StoredObject>,
    /// Pauses of ours, and the values before.
    pub pauses: Vec<Pause>,
}

/// What stands beside the objects.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    format: u32,
    versions: BTreeMap<GroupKind, String>,
    namespaces: BTreeMap<String, Manifest>,
    pauses: Vec<Pause>,
}

/// A snapshot as it is stored. What did not change since need not be packed again.
#[derive(Clone, Default)]
pub struct PackedSnapshot {
    parts: Vec<Part>,
    objects: usize,
}

/// Some lines of it, compressed by themselves.
#[derive(Clone)]
struct Part {
    /// Of which objects, in which revisions.
    of: Digest,
    bytes: Vec<u8>,
}

impl fmt::Debug for PackedSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackedSnapshot")
            .field("parts", &self.parts.len())
            .field("objects", &self.objects)
            .finish_non_exhaustive()
    }
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
            versions: blueprint.versions.clone(),
            namespaces: namespaces.map(|(name, manifest)| (name.clone(), manifest.clone())).collect(),
            objects: objects.collect(),
            pauses,
        }
    }

    /// Packs it, and what is the same in `before` not again.
    pub fn pack(&self, before: &PackedSnapshot) -> PackedSnapshot {
        let packed: HashMap<&Digest, &Part> = before.parts.iter().map(|part| (&part.of, part)).collect();
        let head = Head {
            format: FORMAT,
            versions: self.versions.clone(),
            namespaces: self.namespaces.clone(),
            pauses: self.pauses.clone(),
        };
        let head = json!(head).to_string();
        // What a pivot pauses changes while it runs.
        let (paused, steady): (Vec<_>, Vec<_>) =
            self.objects.iter().partition(|object| PauseField::of(&object.kind).is_some());
        let part = |objects: &[&StoredObject], head: &str| {
            let of = Part::of(objects, head);
            packed.get(&of).map_or_else(|| Part::pack(of, objects, head), |part| (*part).clone())
        };
        let parts = if self.objects.len() <= TOGETHER {
            vec![part(&[steady, paused].concat(), &head)]
        } else {
            let slices = steady.chunks(TOGETHER).chain(paused.chunks(TOGETHER));
            slices.map(|objects| part(objects, "")).chain([part(&[], &head)]).collect()
        };
        PackedSnapshot { parts, objects: self.objects.len() }
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
        let mut text = String::new();
        MultiGzDecoder::new(packed.as_slice())
            .take(LIMIT)
            .read_to_string(&mut text)
            .map_err(|_| SnapshotError::Digest)?;
        Self::of_lines(&text)
    }

    fn of_lines(text: &str) -> Result<Self, SnapshotError> {
        let lines: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
        let (mut heads, objects): (Vec<_>, Vec<_>) = lines
            .map_err(|_| SnapshotError::Digest)?
            .into_iter()
            .partition(|line| line["format"].is_number());
        let head = heads.pop().filter(|_| heads.is_empty()).ok_or(SnapshotError::Digest)?;
        match head["format"].as_u64().and_then(|format| u32::try_from(format).ok()) {
            Some(format) if format > FORMAT => return Err(SnapshotError::Newer(format)),
            _ => {}
        }
        let Head { versions, namespaces, pauses, .. } =
            serde_json::from_value(head).map_err(|_| SnapshotError::Digest)?;
        let objects: Result<_, _> = objects.into_iter().map(serde_json::from_value).collect();
        let objects = objects.map_err(|_| SnapshotError::Digest)?;
        Ok(Self { versions, namespaces, objects, pauses })
    }
}

impl Part {
    /// By what it is known to be the same.
    fn of(objects: &[&StoredObject], head: &str) -> Digest {
        let revision = |object: &&StoredObject| {
            let (uid, version) = (object.manifest.uid(), object.manifest.resource_version());
            format!("{} {:?} {uid} {version}\n", object.manifest.key(), object.action)
        };
        let text: String = objects.iter().map(revision).chain([head.to_owned()]).collect();
        Digest::of(text.as_bytes())
    }

    fn pack(of: Digest, objects: &[&StoredObject], head: &str) -> Self {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        for object in objects {
            serde_json::to_writer(&mut packer, object).expect("BUG: a snapshot is no JSON");
            packer.write_all(b"\n").expect("BUG: writing to memory failed");
        }
        packer.write_all(head.as_bytes()).expect("BUG: writing to memory failed");
        Self { of, bytes: packer.finish().expect("BUG: writing to memory failed") }
    }
}

impl PackedSnapshot {
    /// The Secrets that keep it, and the mark by which they are known to be whole.
    pub fn secrets(&self, pivot_id: &str) -> (SnapshotMark, Vec<(ObjectKey, Value)>) {
        let whole = self.parts.iter().map(|part| part.bytes.as_slice()).collect::<Vec<_>>().concat();
        let chunks: Vec<_> = self
            .parts
            .iter()
            .flat_map(|part| part.bytes.chunks(CHUNK))
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
        let mark = SnapshotMark { digest: Digest::of(&whole), chunks: chunks.len(), objects: self.objects };
        (mark, chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of this many objects that no compression makes small.
    fn snapshot(objects: usize) -> StoredSnapshot {
        let object = |number: usize| {
            let noise: String =
                (0..300).map(|n| Digest::of(format!("{number}/{n}").as_bytes()).to_string()).collect();
            let value = json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": format!("s{number}"), "namespace": "a"}, "data": {"noise": noise}});
            let manifest = Manifest::new(value);
            StoredObject { kind: manifest.group_kind(), action: Action::Move, manifest }
        };
        StoredSnapshot { objects: (0..objects).map(object).collect(), ..StoredSnapshot::nothing() }
    }

    fn encoded(objects: usize) -> (SnapshotMark, Vec<Manifest>) {
        let (mark, chunks) = snapshot(objects).pack(&PackedSnapshot::default()).secrets("p1");
        (mark, chunks.into_iter().map(|(_, body)| Manifest::new(body)).collect())
    }

    fn error(mark: &SnapshotMark, chunks: &[Manifest]) -> SnapshotError {
        StoredSnapshot::decode(mark, chunks).expect_err("it is read")
    }

    #[test]
    fn many_chunks_make_the_same_snapshot_again() {
        let (mark, chunks) = encoded(120);
        assert!(chunks.len() > 1, "{} chunks", chunks.len());
        assert_eq!((mark.chunks, mark.objects), (chunks.len(), 120));
        for (number, chunk) in chunks.iter().enumerate() {
            assert_eq!(chunk.key(), chunk_key("p1", number));
            // The API server counts the bytes before they were encoded, etcd those of the request.
            assert!(chunk.value().to_string().len() < 1_500_000);
        }
        let read = StoredSnapshot::decode(&mark, &chunks).unwrap();
        assert_eq!(read.objects.len(), 120);
        let last = read.objects.iter().find(|object| object.manifest.name() == "s119").unwrap();
        assert_eq!(last.manifest, snapshot(120).objects[119].manifest);
        // One that an earlier, longer snapshot left is passed over.
        let mut more = chunks.clone();
        more.push(chunks[0].clone());
        assert!(StoredSnapshot::decode(&mark, &more).is_ok());
    }

    #[test]
    fn what_did_not_change_is_in_the_same_chunks_as_before() {
        let many = |host_version: &str| {
            let object = |number: usize| {
                let (kind, version) = if number.is_multiple_of(100) {
                    ("BareMetalHost", host_version)
                } else {
                    ("HardwareData", "1")
                };
                let manifest = Manifest::new(json!({"apiVersion": "metal3.io/v1alpha1", "kind": kind,
                    "metadata": {"name": format!("n{number}"), "uid": number.to_string(), "resourceVersion": version}}));
                StoredObject { kind: manifest.group_kind(), action: Action::Move, manifest }
            };
            StoredSnapshot { objects: (0..1_000).map(object).collect(), ..StoredSnapshot::nothing() }
        };
        let early = many("1").pack(&PackedSnapshot::default());
        let late = many("2");
        let packed = late.pack(&early);
        let ((_, before), (mark, after)) = (early.secrets("p1"), packed.secrets("p1"));
        let changed: Vec<_> = (0..after.len()).filter(|&number| before[number] != after[number]).collect();
        assert_eq!((before.len(), after.len(), changed), (6, 6, vec![4]), "the hosts alone");
        assert_eq!(late.pack(&PackedSnapshot::default()).secrets("p1").0, mark, "packed anew it is the same");
        let chunks: Vec<_> = after.into_iter().map(|(_, body)| Manifest::new(body)).collect();
        let read = StoredSnapshot::decode(&mark, &chunks).unwrap();
        let hosts = read.objects.iter().filter(|object| object.manifest.resource_version() == "2").count();
        assert_eq!((read.objects.len(), hosts), (1_000, 10));
    }

    #[test]
    fn a_missing_or_spoiled_chunk_is_named() {
        let (mark, chunks) = encoded(120);
        assert_eq!(error(&mark, &chunks[..chunks.len() - 1]), SnapshotError::Chunk(chunks.len() - 1));
        assert_eq!(error(&mark, &[]), SnapshotError::Chunk(0));
        for data in [json!(null), json!({}), json!({DATA: 7}), json!({DATA: "no base64!"})] {
            let mut spoiled = chunks.clone();
            let mut value = spoiled[1].value().clone();
            value["data"] = data;
            spoiled[1] = Manifest::new(value);
            assert_eq!(error(&mark, &spoiled), SnapshotError::Chunk(1));
        }
    }

    #[test]
    fn chunks_that_do_not_belong_together_are_refused() {
        let (mark, chunks) = encoded(120);
        let mut swapped = chunks.clone();
        swapped.swap(0, 1);
        assert_eq!(error(&mark, &swapped), SnapshotError::Digest);
        let (_, others) = encoded(119);
        let mut mixed = chunks.clone();
        mixed[1] = others[1].clone();
        assert_eq!(error(&mark, &mixed), SnapshotError::Digest);
        let fewer = SnapshotMark { chunks: 1, ..mark };
        assert_eq!(error(&fewer, &chunks), SnapshotError::Digest);
    }

    /// A mark of these very bytes, as if this was what was written.
    fn marked(text: &[u8], packs: bool) -> (SnapshotMark, Vec<Manifest>) {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text).unwrap();
        let packed = if packs { packer.finish().unwrap() } else { text.to_vec() };
        let mark = SnapshotMark { digest: Digest::of(&packed), chunks: 1, objects: 0 };
        (mark, vec![Manifest::new(json!({"data": {DATA: STANDARD.encode(&packed)}}))])
    }

    #[test]
    fn a_newer_format_is_refused_and_nonsense_is_no_snapshot() {
        let (mark, chunks) = marked(format!(r#"{{"format": {}}}"#, FORMAT + 1).as_bytes(), true);
        assert_eq!(error(&mark, &chunks), SnapshotError::Newer(FORMAT + 1));
        for (text, packs) in
            [("{}", false), ("", true), ("{", true), ("{}", true), (r#"{"format": 1}"#, true)]
        {
            let (mark, chunks) = marked(text.as_bytes(), packs);
            assert_eq!(error(&mark, &chunks), SnapshotError::Digest, "{text}");
        }
    }

    #[test]
    fn nothing_is_a_snapshot_too() {
        let (mark, chunks) = StoredSnapshot::nothing().pack(&PackedSnapshot::default()).secrets("p1");
        let chunks: Vec<_> = chunks.into_iter().map(|(_, body)| Manifest::new(body)).collect();
        assert_eq!(StoredSnapshot::decode(&mark, &chunks).unwrap().objects.len(), 0);
    }
}
