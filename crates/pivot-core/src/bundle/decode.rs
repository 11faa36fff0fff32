//! From the files of a directory to objects.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::flaw::Flaw;
use super::manifest::{BundleManifest, MANIFEST_FILE, State};
use super::name::object_file;
use crate::carried_status;
use crate::digest::Digest;
use crate::object::{Manifest, ObjectKey, Uid};
use crate::pause::PauseField;

/// A directory that was read whole.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Its manifest; `None` for a directory of clusterctl, of which nobody can say whether it is whole.
    pub manifest: Option<BundleManifest>,
    /// Its objects. Those of clusterctl come as they were before clusterctl paused them.
    pub objects: Vec<Manifest>,
    /// Digest of all its files.
    pub digest: Digest,
}

impl Bundle {
    /// Reads all files of a directory, by name. Everything that is wrong with it is told at once.
    pub fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<Flaw>> {
        let manifest = match files.get(MANIFEST_FILE).map(|bytes| BundleManifest::decode(bytes)).transpose() {
            Ok(manifest) => manifest,
            Err(flaw) => return Err(vec![flaw]),
        };
        if let Some(BundleManifest { id, state: State::Writing, .. }) = &manifest {
            return Err(vec![Flaw::Unfinished { id: id.clone() }]);
        }
        let mut flaws = Vec::new();
        if let Some(manifest) = &manifest {
            flaws = manifest.mismatches(files);
            if !flaws.is_empty() {
                return Err(flaws);
            }
        }
        let listed: HashMap<&str, &ObjectKey> = manifest
            .iter()
            .flat_map(|manifest| manifest.files.iter().map(|entry| (entry.file.as_str(), &entry.key)))
            .collect();
        let mut objects = Vec::new();
        for (file, bytes) in files.iter().filter(|(file, _)| *file != MANIFEST_FILE) {
            let place = match &manifest {
                Some(_) => Place::Listed(listed[file.as_str()]),
                None => Place::Named,
            };
            match object(file, bytes, place) {
                Ok(object) => objects.push((file.as_str(), object)),
                Err(flaw) => flaws.push(flaw),
            }
        }
        flaws.extend(doubles(&objects));
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let digests: Vec<Digest> = files.values().map(|bytes| Digest::of(bytes)).collect();
        let paused_by_clusterctl = manifest.is_none();
        let objects = objects.into_iter().map(|(_, object)| object);
        let objects = objects.map(settled);
        let objects = if paused_by_clusterctl { objects.map(opened).collect() } else { objects.collect() };
        Ok(Self { manifest, objects, digest: Digest::of_all(&digests) })
    }
}

impl BundleManifest {
    /// How the files of a directory differ from what this manifest says.
    pub fn mismatches(&self, files: &BTreeMap<String, Vec<u8>>) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut listed = std::collections::HashSet::from([MANIFEST_FILE]);
        for entry in &self.files {
            listed.insert(&entry.file);
            match files.get(&entry.file) {
                None => flaws.push(Flaw::Missing { file: entry.file.clone() }),
                Some(bytes) if Digest::of(bytes) != entry.sha256 => {
                    flaws.push(Flaw::Altered { file: entry.file.clone() });
                }
                Some(_) => {}
            }
        }
        let foreign = files.keys().filter(|file| !listed.contains(file.as_str()));
        flaws.extend(foreign.map(|file| Flaw::Foreign { file: file.clone() }));
        flaws
    }
}

/// What says which object a file is to hold.
#[derive(Clone, Copy)]
enum Place<'a> {
    Listed(&'a ObjectKey),
    Named,
}

fn object(file: &str, bytes: &[u8], place: Place<'_>) -> Result<Manifest, Flaw> {
    let has_name =
        file.strip_suffix(".yaml").is_some_and(|stem| !stem.starts_with('.') && stem.split('_').count() >= 3);
    if matches!(place, Place::Named) && !has_name {
        return Err(Flaw::Foreign { file: file.to_owned() });
    }
    let object = Manifest::new(parse(file, bytes)?);
    let key = object.key();
    for (field, value) in [
        ("apiVersion", object.api_version()),
        ("kind", object.kind()),
        ("metadata.name", object.name()),
        // Owner references are rebuilt by it.
        ("metadata.uid", &object.uid().0),
    ] {
        if value.is_empty() {
            return Err(Flaw::NoObject { file: file.to_owned(), field });
        }
    }
    match place {
        Place::Listed(listed) if *listed != key => Err(Flaw::Misplaced {
            file: file.to_owned(),
            found: Box::new(key),
            listed: Box::new(listed.clone()),
        }),
        Place::Named if object_file(&key) != file => {
            Err(Flaw::Misnamed { file: file.to_owned(), expected: object_file(&key), key: Box::new(key) })
        }
        _ => Ok(object),
    }
}

/// clusterctl writes JSON into files that it calls YAML, and reads both. The parsers' own words quote the text, which may be
/// secret; only places are taken from them.
fn parse(file: &str, bytes: &[u8]) -> Result<Value, Flaw> {
    let syntax =
        |line: u64, column: u64, problem| Flaw::Syntax { file: file.to_owned(), line, column, problem };
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        return serde_json::from_slice(bytes).map_err(|error| {
            let problem =
                if error.is_eof() { "the file ends in the middle of the object" } else { "not valid JSON" };
            syntax(error.line() as u64, error.column() as u64, problem)
        });
    }
    serde_saphyr::from_slice(bytes).map_err(|error| {
        let at = error.location();
        let (line, column) = at.map_or((1, 0), |at| (at.line(), at.column()));
        syntax(line, column, "not one object in valid JSON or YAML")
    })
}

fn doubles(objects: &[(&str, Manifest)]) -> Vec<Flaw> {
    let mut keys: HashMap<ObjectKey, &str> = HashMap::new();
    let mut uids: HashMap<Uid, &str> = HashMap::new();
    let mut flaws = Vec::new();
    for (file, object) in objects {
        if let Some(other) = keys.insert(object.key(), file).or(uids.insert(object.uid(), file)) {
            flaws.push(Flaw::Twice { file: (*file).to_owned(), other: other.to_owned() });
        }
    }
    flaws
}

/// The object without the annotation that is for readers who do not write a status.
fn settled(object: Manifest) -> Manifest {
    let mut value = object.into_value();
    carried_status::drop_idle(&mut value);
    Manifest::new(value)
}

/// The object as it was before clusterctl paused it. clusterctl exports no Cluster and no ClusterClass that its user had paused, so
/// that every pause found on them is its own; pausing a Cluster also moved its generation on, by one.
fn opened(object: Manifest) -> Manifest {
    let field = PauseField::of(&object.group_kind());
    let Some(field @ (PauseField::ClusterSpec | PauseField::Annotation(crate::pause::CLUSTER_API_PAUSED))) =
        field
    else {
        return object;
    };
    if !field.is_paused(&field.read(&object)) {
        return object;
    }
    let generation = object.generation();
    let mut value = object.into_value();
    field.write(&mut value, &Value::Null);
    if field == PauseField::ClusterSpec && generation > 1 {
        value["metadata"]["generation"] = (generation - 1).into();
    }
    Manifest::new(value)
}
