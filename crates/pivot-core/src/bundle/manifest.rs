//! The manifest of a directory.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::flaw::Flaw;
use super::name::is_plain;
use crate::digest::Digest;
use crate::object::{Manifest, ObjectKey};
use crate::plan::ClusterIdentity;

/// Format of the manifests that this version writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// Name of the manifest's file. No object's file is called so: those have underscores.
pub const MANIFEST_FILE: &str = "pivotctl-manifest.yaml";

const HEAD: &str = "Written by pivotctl. To clusterctl this file is empty: every line is a comment.";

/// No YAML, so that clusterctl does not take a directory for complete that is not.
const UNFINISHED: &str = "[this export is not finished";

/// Whether the export came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Files are being put in place.
    Writing,
    /// All files are in place.
    Complete,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub file: String,
    /// The object in it.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// What a namespace carries, so that one made in the target carries it too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceMarks {
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: BTreeMap<String, String>,
}

/// What a directory holds, where it comes from and how to see that it is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleManifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Whether the export came to its end.
    pub state: State,
    /// Id of the export.
    pub id: String,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// The cluster that the objects come from.
    pub source: ClusterIdentity,
    /// Namespaces that were selected; absent for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespaces: Option<BTreeSet<String>>,
    /// Clusters that were selected; empty for all.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub clusters: BTreeSet<String>,
    /// Namespaces that the objects live in.
    pub namespace_marks: BTreeMap<String, NamespaceMarks>,
    /// The files, in the order of their objects.
    pub files: Vec<Entry>,
    /// Digest of all of the above.
    pub digest: Digest,
}

impl NamespaceMarks {
    pub(super) fn of(namespace: &Manifest) -> Self {
        Self { labels: namespace.labels(), annotations: namespace.annotations() }
    }
}

impl BundleManifest {
    /// Computes the digest.
    #[must_use]
    pub(super) fn sealed(mut self) -> Self {
        self.digest = self.compute_digest();
        self
    }

    fn compute_digest(&self) -> Digest {
        let blank = Self { digest: Digest::of(b""), ..self.clone() };
        Digest::of(blank.json().as_bytes())
    }

    fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("BUG: a manifest does not serialize")
    }

    /// The same for an export whose files are not all in place; `before` are the files of an earlier export, still there.
    #[must_use]
    pub fn writing(&self, before: &[Entry]) -> Self {
        let mut marker = self.clone();
        marker.state = State::Writing;
        let named: BTreeSet<&str> = self.files.iter().map(|entry| entry.file.as_str()).collect();
        marker.files.extend(before.iter().filter(|entry| !named.contains(entry.file.as_str())).cloned());
        marker.sealed()
    }

    /// The bytes of the manifest's file.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("# {HEAD}\n");
        for line in self.json().lines() {
            text.push_str("# ");
            text.push_str(line);
            text.push('\n');
        }
        if self.state == State::Writing {
            text.push_str(UNFINISHED);
            text.push('\n');
        }
        text.into_bytes()
    }

    /// Reads the bytes of a manifest's file, finished or not. A later format is not guessed at.
    pub fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }
        let damaged = |problem| Flaw::ManifestDamaged { problem };
        let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is no text"))?;
        let mut json = String::with_capacity(text.len());
        for line in text.lines().filter(|line| *line != UNFINISHED) {
            let line = line.strip_prefix('#').ok_or_else(|| damaged("a line of it is no comment"))?;
            if line.trim() != HEAD {
                json.push_str(line);
                json.push('\n');
            }
        }
        let header: Header = serde_json::from_str(&json).map_err(|_| damaged("it is not whole"))?;
        if header.format != FORMAT {
            return Err(Flaw::NewerFormat { found: header.format });
        }
        let manifest: Self = serde_json::from_str(&json).map_err(|_| damaged("it is not whole"))?;
        if manifest.compute_digest() != manifest.digest {
            return Err(damaged("its digest does not match"));
        }
        if manifest.files.iter().any(|entry| !is_plain(&entry.file)) {
            return Err(damaged("it names a file outside the directory"));
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::GroupKind;

    fn manifest() -> BundleManifest {
        BundleManifest {
            format: FORMAT,
            state: State::Complete,
            id: "e1".to_owned(),
            tool: "0".to_owned(),
            source: ClusterIdentity { name: "kind-a".to_owned(), id: "uid".to_owned() },
            namespaces: Some(BTreeSet::from(["m".to_owned()])),
            clusters: BTreeSet::new(),
            namespace_marks: BTreeMap::new(),
            files: vec![Entry {
                file: "Secret_m_a.yaml".to_owned(),
                key: ObjectKey::new(GroupKind::new("", "Secret"), Some("m"), "a"),
                sha256: Digest::of(b"x"),
            }],
            digest: Digest::of(b""),
        }
        .sealed()
    }

    fn edited(from: &str, to: &str) -> Vec<u8> {
        let text = String::from_utf8(manifest().encode()).unwrap();
        assert!(text.contains(from), "{text}");
        text.replace(from, to).into_bytes()
    }

    #[test]
    fn it_reads_back_and_is_all_comments() {
        let encoded = manifest().encode();
        assert_eq!(BundleManifest::decode(&encoded), Ok(manifest()));
        assert!(String::from_utf8(encoded).unwrap().lines().all(|line| line.starts_with('#')));
    }

    #[test]
    fn an_unfinished_one_is_known_as_such_and_is_no_yaml() {
        let before = [Entry { file: "Secret_m_old.yaml".to_owned(), ..manifest().files[0].clone() }];
        let encoded = manifest().writing(&before).encode();
        let read = BundleManifest::decode(&encoded).unwrap();
        assert_eq!((read.state, read.files.len()), (State::Writing, 2));
        assert!(serde_saphyr::from_slice::<serde_json::Value>(&encoded).is_err());
    }

    #[test]
    fn a_later_format_is_refused_before_anything_else_of_it_is_read() {
        let later = b"# {\"format\": 2, \"files\": \"otherwise\"}\n";
        assert_eq!(BundleManifest::decode(later), Err(Flaw::NewerFormat { found: 2 }));
    }

    #[test]
    fn a_changed_one_is_refused() {
        for bytes in [
            edited("kind-a", "kind-b"),
            edited("complete", "writing"),
            edited("# ", ""),
            edited("}", ""),
            vec![0xff],
            Vec::new(),
        ] {
            let flaw = BundleManifest::decode(&bytes).unwrap_err();
            assert!(matches!(flaw, Flaw::ManifestDamaged { .. }), "{flaw}");
        }
    }

    #[test]
    fn it_cannot_lead_out_of_the_directory() {
        let mut outside = manifest();
        outside.files[0].file = "../Secret_m_a.yaml".to_owned();
        let flaw = BundleManifest::decode(&outside.sealed().encode()).unwrap_err();
        assert!(flaw.to_string().contains("outside"), "{flaw}");
    }
}
