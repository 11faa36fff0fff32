//! A directory in the place of the source.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::decode::Bundle;
use super::flaw::Flaw;
use crate::inventory::Inventory;
use crate::kind::{GroupKind, KindCatalog, KindInfo, Scope};
use crate::object::Manifest;
use crate::plan::SourceFacts;

impl Bundle {
    /// What PLAN has to know of the source, with the target's word on kinds. A kind that the target does not know is kept, so that
    /// the checks name it.
    pub fn facts(&self, name: &str, target: &KindCatalog) -> Result<SourceFacts, Vec<Flaw>> {
        let versions = self.versions()?;
        let in_place = |object: &&Manifest| {
            let known = target.get(&object.group_kind());
            known.is_none_or(|info| (info.scope == Scope::Namespaced) == object.namespace().is_some())
        };
        let misplaced: Vec<_> = self.objects.iter().filter(|object| !in_place(object)).collect();
        if !misplaced.is_empty() {
            let flaw = |object: &Manifest| Flaw::OtherScope { key: Box::new(object.key()) };
            return Err(misplaced.into_iter().map(flaw).collect());
        }
        let mut kinds: KindCatalog =
            target.iter().filter(|info| !versions.contains_key(&info.kind)).cloned().collect();
        for (kind, version) in versions {
            kinds.insert(self.written_as(&kind, version, target.get(&kind)));
        }
        // No cluster has this id: an export may be taken back by the cluster that it comes from.
        let mut inventory = Inventory::new(&format!("sha256:{}", self.digest), kinds);
        for object in &self.objects {
            inventory.add(&object.group_kind(), object.clone());
        }
        Ok(SourceFacts {
            name: name.to_owned(),
            inventory,
            namespaces: self.namespaces(),
            ..SourceFacts::default()
        })
    }

    fn versions(&self) -> Result<BTreeMap<GroupKind, String>, Vec<Flaw>> {
        let mut found: BTreeMap<GroupKind, BTreeSet<String>> = BTreeMap::new();
        for object in &self.objects {
            let api_version = object.api_version();
            let version = api_version.split_once('/').map_or(api_version, |(_, version)| version);
            found.entry(object.group_kind()).or_default().insert(version.to_owned());
        }
        let mut versions = BTreeMap::new();
        let mut flaws = Vec::new();
        for (kind, each) in found {
            let mut each: Vec<String> = each.into_iter().collect();
            if each.len() > 1 {
                flaws.push(Flaw::MixedVersions { kind, versions: each });
            } else if let Some(version) = each.pop() {
                versions.insert(kind, version);
            }
        }
        if flaws.is_empty() { Ok(versions) } else { Err(flaws) }
    }

    /// The kind as a cluster would serve it that knows nothing but the files.
    fn written_as(&self, kind: &GroupKind, version: String, known: Option<&KindInfo>) -> KindInfo {
        let served = BTreeSet::from([version.clone()]);
        if let Some(known) = known {
            return KindInfo { storage_version: version, served, ..known.clone() };
        }
        let mut objects = self.objects.iter().filter(|object| object.group_kind() == *kind);
        let is_namespaced = objects.any(|object| object.namespace().is_some());
        KindInfo {
            kind: kind.clone(),
            plural: format!("{}s", kind.kind.to_lowercase()),
            scope: if is_namespaced { Scope::Namespaced } else { Scope::Cluster },
            storage_version: version,
            served,
            status_subresource: BTreeSet::new(),
            labels: BTreeMap::new(),
            schemas: BTreeMap::new(),
        }
    }

    fn namespaces(&self) -> BTreeMap<String, Manifest> {
        let marks = self.manifest.iter().flat_map(|manifest| &manifest.namespace_marks);
        let namespace = |name: &str, labels: Value, annotations: Value| {
            Manifest::new(json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": name, "labels": labels, "annotations": annotations}}))
        };
        marks
            .map(|(name, marks)| {
                (name.clone(), namespace(name, json!(marks.labels), json!(marks.annotations)))
            })
            .collect()
    }
}
