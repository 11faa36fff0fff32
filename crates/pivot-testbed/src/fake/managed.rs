//! Field managers: who set what, in the form of `metadata.managedFields`.
//!
//! Simpler than the real thing in one way: lists are owned as a whole, whatever the schema says of their keys, except
//! finalizers and owner references.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{failure::Cause, resource::items};

/// A path of segments in the form of `FieldsV1`, for example `["f:spec", "f:paused"]`.
type Path = Vec<String>;

/// Who writes, how and when.
#[derive(Debug)]
pub(super) struct Manager<'a> {
    pub(super) name: &'a str,
    pub(super) api_version: &'a str,
    pub(super) subresource: &'a str,
    pub(super) now: &'a str,
}

impl Manager<'_> {
    fn owns(&self, entry: &Value, operation: &str) -> bool {
        let subresource = entry["subresource"].as_str().unwrap_or_default();
        entry["manager"] == self.name
            && entry["operation"] == operation
            && entry["apiVersion"] == self.api_version
            && subresource == self.subresource
    }

    fn entry(&self, operation: &str, fields: &BTreeSet<Path>) -> Value {
        let mut entry = json!({"manager": self.name, "operation": operation, "apiVersion": self.api_version,
            "time": self.now, "fieldsType": "FieldsV1", "fieldsV1": to_fields(fields)});
        if !self.subresource.is_empty() {
            entry["subresource"] = self.subresource.into();
        }
        entry
    }

    /// Records an update: fields that changed become this manager's and nobody else's.
    ///
    /// Entries in `new` stand for what was recorded before, so that a writer may replace them; without any, those of
    /// `live` do. One empty entry clears them.
    pub(super) fn record_update(&self, live: Option<&Value>, new: &mut Value) {
        let given = new["metadata"]["managedFields"].as_array().filter(|entries| !entries.is_empty());
        let mut entries = match (given, live) {
            (Some(given), _) if given.iter().all(|entry| entry == &json!({})) => Vec::new(),
            (Some(given), _) => given.clone(),
            (None, live) => live.map(entries_of).unwrap_or_default(),
        };
        let before = live.map(members).unwrap_or_default();
        let after = members(new);
        let set: BTreeSet<_> = after
            .iter()
            .filter(|(path, value)| before.get(*path) != Some(value))
            .map(|(path, _)| path.clone())
            .collect();
        let removed = before.keys().filter(|path| !after.contains_key(*path)).cloned();
        let changed: BTreeSet<_> = set.iter().cloned().chain(removed).collect();
        if !changed.is_empty() {
            let mut own = set;
            entries.retain_mut(|entry| {
                let mut fields = from_fields(&entry["fieldsV1"]);
                if self.owns(entry, "Update") {
                    fields.retain(|path| !changed.iter().any(|gone| path.starts_with(gone)));
                    own.append(&mut fields);
                    return false;
                }
                if take(&mut fields, &changed) {
                    entry["fieldsV1"] = to_fields(&fields);
                }
                !fields.is_empty()
            });
            if !own.is_empty() {
                entries.push(self.entry("Update", &own));
            }
        }
        set_entries(new, entries);
    }

    /// Server-side apply of `patch` on `live`: the result, or the fields that others hold.
    pub(super) fn apply(&self, live: &Value, patch: &Value, force: bool) -> Result<Value, Vec<Cause>> {
        let wanted = members(patch);
        let current = members(live);
        let differing: BTreeSet<_> = wanted
            .iter()
            .filter(|(path, value)| current.get(*path) != Some(value))
            .map(|(path, _)| path.clone())
            .collect();
        // Whoever applies owns values, not the maps around them.
        let applied: BTreeSet<_> =
            wanted.into_iter().filter(|(_, value)| value.is_some()).map(|(path, _)| path).collect();
        let mut entries = entries_of(live);
        let mut others = BTreeSet::new();
        let mut previous = BTreeSet::new();
        let mut conflicts = Vec::new();
        entries.retain_mut(|entry| {
            let mut fields = from_fields(&entry["fieldsV1"]);
            if self.owns(entry, "Apply") {
                previous = fields;
                return false;
            }
            for path in fields.intersection(&differing) {
                let field = path.iter().map(|segment| segment.replacen("f:", ".", 1)).collect::<String>();
                let message = format!("conflict with {}", entry["manager"]);
                conflicts.push(Cause::new("FieldManagerConflict", &field, message));
            }
            if take(&mut fields, &differing) {
                entry["fieldsV1"] = to_fields(&fields);
            }
            others.extend(fields.iter().cloned());
            !fields.is_empty()
        });
        if !conflicts.is_empty() && !force {
            return Err(conflicts);
        }
        let mut result = live.clone();
        merge(&mut result, patch);
        for list in ["finalizers", "ownerReferences"] {
            let applied: Vec<_> = items(&patch["metadata"][list]).collect();
            let segments: Vec<_> = applied.iter().map(|element| element_segment(list, element)).collect();
            let others = items(&live["metadata"][list])
                .filter(|element| !segments.contains(&element_segment(list, element)));
            let merged: Vec<_> = others.chain(applied.iter().copied()).cloned().collect();
            if !merged.is_empty() {
                result["metadata"][list] = merged.into();
            }
        }
        for path in previous.difference(&applied).filter(|path| !others.contains(*path)) {
            remove(&mut result, path);
            // A map goes with the last that was in it, unless somebody owns the map.
            for length in (1..path.len()).rev().take_while(|length| !others.contains(&path[..*length])) {
                remove(&mut result, &path[..length]);
            }
        }
        entries.push(self.entry("Apply", &applied));
        set_entries(&mut result, entries);
        Ok(result)
    }
}

fn entries_of(object: &Value) -> Vec<Value> {
    items(&object["metadata"]["managedFields"]).cloned().collect()
}

fn set_entries(object: &mut Value, entries: Vec<Value>) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".to_owned(), entries.into());
        }
    }
}

/// Removes the paths and everything below them; true if there were any.
fn take(fields: &mut BTreeSet<Path>, gone: &BTreeSet<Path>) -> bool {
    let before = fields.len();
    fields.retain(|path| !(1..=path.len()).any(|length| gone.contains(&path[..length])));
    fields.len() != before
}

/// The fields that managers own, with their values; a map, which is owned apart from what is in it, has none.
fn members(object: &Value) -> BTreeMap<Path, Option<&Value>> {
    const UNMANAGED: [&str; 9] = [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    ];
    let mut found = BTreeMap::new();
    for (field, value) in object.as_object().into_iter().flatten() {
        match field.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for (field, value) in value.as_object().into_iter().flatten() {
                    if UNMANAGED.contains(&field.as_str()) {
                        continue;
                    }
                    let path = vec!["f:metadata".to_owned(), format!("f:{field}")];
                    if !matches!(field.as_str(), "finalizers" | "ownerReferences") {
                        collect(value, path, &mut found);
                        continue;
                    }
                    for element in items(value) {
                        let segment = element_segment(field, element);
                        found.insert([path.as_slice(), &[segment]].concat(), Some(element));
                    }
                    found.insert(path, None);
                }
            }
            _ => collect(value, vec![format!("f:{field}")], &mut found),
        }
    }
    found
}

/// The segment of an element of a list in metadata that is owned element by element.
fn element_segment(list: &str, element: &Value) -> String {
    if list == "finalizers" {
        format!("v:{element}")
    } else {
        format!("k:{}", json!({"uid": element["uid"]}))
    }
}

fn collect<'a>(value: &'a Value, path: Path, found: &mut BTreeMap<Path, Option<&'a Value>>) {
    let fields = value.as_object();
    for (field, value) in fields.into_iter().flatten() {
        let mut below = path.clone();
        below.push(format!("f:{field}"));
        collect(value, below, found);
    }
    found.insert(path, fields.is_none().then_some(value));
}

fn to_fields(paths: &BTreeSet<Path>) -> Value {
    let mut root = json!({});
    // Backwards, so that what is below a map comes before the map itself, which is then marked by a dot.
    for path in paths.iter().rev() {
        let mut at = &mut root;
        for segment in path {
            if at[segment].is_null() {
                at[segment] = json!({});
            }
            at = &mut at[segment];
        }
        if at.as_object().is_some_and(|below| !below.is_empty()) {
            at["."] = json!({});
        }
    }
    root
}

fn from_fields(fields: &Value) -> BTreeSet<Path> {
    fn walk(fields: &Map<String, Value>, path: &Path, found: &mut BTreeSet<Path>) {
        for (segment, below) in fields {
            if segment == "." {
                found.insert(path.clone());
                continue;
            }
            let mut path = path.clone();
            path.push(segment.clone());
            match below.as_object().filter(|below| !below.is_empty()) {
                Some(below) => walk(below, &path, found),
                None => {
                    found.insert(path);
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    if let Some(fields) = fields.as_object() {
        walk(fields, &Vec::new(), &mut found);
    }
    found
}

/// As a merge patch, but a null is a value.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (field, value) in from {
                merge(into.entry(field.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Removes a field; a map or a list only if nothing is in it.
fn remove(object: &mut Value, path: &[String]) {
    let Some((last, parents)) = path.split_last() else { return };
    if let [_, list] = parents
        && !last.starts_with("f:")
    {
        let list = list.trim_start_matches("f:");
        if let Some(elements) = object["metadata"][list].as_array_mut() {
            elements.retain(|element| element_segment(list, element) != *last);
        }
        return;
    }
    let mut at = object;
    for segment in parents {
        match at.get_mut(segment.trim_start_matches("f:")) {
            Some(below) => at = below,
            None => return,
        }
    }
    let last = last.trim_start_matches("f:");
    let filled = at[last].as_object().is_some_and(|below| !below.is_empty());
    if let Some(fields) = at.as_object_mut().filter(|_| !filled) {
        fields.remove(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str) -> Manager<'_> {
        Manager { name, api_version: "e.io/v1", subresource: "", now: "2026-01-01T00:00:00Z" }
    }

    fn owners(object: &Value) -> Vec<(String, String)> {
        entries_of(object)
            .iter()
            .map(|entry| (entry["manager"].as_str().unwrap().to_owned(), entry["fieldsV1"].to_string()))
            .collect()
    }

    #[test]
    fn a_changed_field_changes_hands() {
        let mut live = json!({"metadata": {"name": "a"}, "spec": {"size": 1, "mode": "a"}});
        manager("first").record_update(None, &mut live);
        let mut new = live.clone();
        new["spec"]["size"] = 2.into();
        manager("second").record_update(Some(&live), &mut new);
        assert_eq!(
            owners(&new),
            [
                ("first".to_owned(), r#"{"f:spec":{".":{},"f:mode":{}}}"#.to_owned()),
                ("second".to_owned(), r#"{"f:spec":{"f:size":{}}}"#.to_owned())
            ]
        );
        let mut gone = new.clone();
        gone["spec"].as_object_mut().unwrap().remove("size");
        manager("third").record_update(Some(&new), &mut gone);
        let left = owners(&gone);
        assert_eq!(left.len(), 1, "who loses its last field is forgotten: {left:?}");
    }

    #[test]
    fn written_entries_replace_the_recorded_ones() {
        let mut live = json!({"metadata": {"name": "a"}, "spec": {"size": 1}});
        manager("first").record_update(None, &mut live);
        let mut new = live.clone();
        let entry = json!({"manager": "old", "operation": "Apply", "fieldsV1": {"f:spec": {"f:size": {}}}});
        new["metadata"]["managedFields"] = json!([entry]);
        manager("second").record_update(Some(&live), &mut new);
        assert_eq!(entries_of(&new), [entry]);
        new["metadata"]["managedFields"] = json!([{}]);
        manager("second").record_update(Some(&live), &mut new);
        assert!(entries_of(&new).is_empty());
    }

    #[test]
    fn apply_removes_what_it_no_longer_names_and_meets_conflicts() {
        let apply = |live: &Value, patch: Value| manager("ssa").apply(live, &patch, false);
        let mut live = json!({"metadata": {"name": "a"}, "spec": {"size": 1}});
        manager("user").record_update(None, &mut live);
        let live = apply(&live, json!({"spec": {"mode": "a", "more": {"x": 1}}})).unwrap();
        let live = apply(&live, json!({"spec": {"mode": "a"}})).unwrap();
        assert_eq!(live["spec"], json!({"size": 1, "mode": "a"}));
        let conflicts = apply(&live, json!({"spec": {"size": 2}})).unwrap_err();
        assert_eq!(conflicts[0].field, ".spec.size");
        let live = manager("ssa").apply(&live, &json!({"spec": {"size": 2}}), true).unwrap();
        assert_eq!(live["spec"], json!({"size": 2}));
        assert_eq!(owners(&live)[0], ("user".to_owned(), r#"{"f:spec":{}}"#.to_owned()));
    }
}
