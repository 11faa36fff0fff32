//! What a client asks before it asks for objects: discovery, version, health.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Call,
    answer::Answer,
    resource::{Resource, Version},
    store::World,
};

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The documents of paths that name no object.
pub(super) fn answer(world: &World, call: &Call) -> Answer {
    let segments: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
    let body = match segments.as_slice() {
        ["version"] => {
            json!({"major": "1", "minor": "34", "gitVersion": "v1.34.4", "platform": "linux/amd64"})
        }
        ["healthz" | "livez" | "readyz"] => return Answer::Text { code: 200, body: "ok" },
        ["api"] if call.aggregated => aggregated(world, true),
        ["apis"] if call.aggregated => aggregated(world, false),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        ["apis"] => group_list(world),
        ["api", version] => return resource_list(world, "", version),
        ["apis", group, version] => return resource_list(world, group, version),
        _ => return Answer::page_not_found(),
    };
    Answer::ok(body)
}

/// The name of a version and what it serves.
type Served<'a> = (&'a str, Vec<(&'a Resource, &'a Version)>);

/// The served versions of each group, the preferred one first.
fn groups(world: &World) -> BTreeMap<&str, Vec<Served<'_>>> {
    let mut groups = BTreeMap::<&str, Vec<Served<'_>>>::new();
    for resource in world.resources.values() {
        let versions = groups.entry(&resource.group).or_default();
        for version in &resource.versions {
            match versions.iter_mut().find(|(name, _)| *name == version.name) {
                Some((_, served)) => served.push((&**resource, version)),
                None => versions.push((&version.name, vec![(&**resource, version)])),
            }
        }
    }
    for versions in groups.values_mut() {
        versions.sort_by_key(|(name, _)| std::cmp::Reverse(kube::core::Version::parse(name).priority()));
    }
    groups
}

fn aggregated(world: &World, core: bool) -> Value {
    let items: Vec<_> = groups(world)
        .into_iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<_> = versions
                .into_iter()
                .map(|(version, served)| {
                    let resources: Vec<_> = served.into_iter().map(|(r, v)| described(r, v)).collect();
                    json!({"version": version, "freshness": "Current", "resources": resources})
                })
                .collect();
            let metadata = if core { json!({}) } else { json!({"name": group}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": items})
}

fn described(resource: &Resource, version: &Version) -> Value {
    // Built-in kinds leave group and version to the place in the document; the real server does the same.
    let (group, name) =
        if resource.builtin { ("", "") } else { (resource.group.as_str(), version.name.as_str()) };
    let kind = json!({"group": group, "version": name, "kind": resource.kind});
    let mut described = json!({
        "resource": resource.plural,
        "responseKind": kind,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": VERBS,
    });
    if version.status {
        described["subresources"] =
            json!([{"subresource": "status", "responseKind": kind, "verbs": ["get", "patch", "update"]}]);
    }
    described
}

fn group_list(world: &World) -> Value {
    let groups: Vec<_> = groups(world)
        .into_iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| {
            let versions: Vec<_> = versions
                .iter()
                .map(|(version, _)| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
                .collect();
            json!({"name": group, "preferredVersion": versions.first(), "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn resource_list(world: &World, group: &str, version: &str) -> Answer {
    let mut resources = Vec::new();
    let mut known = BTreeSet::new();
    for resource in world.resources.values().filter(|resource| resource.group == group) {
        known.extend(resource.versions.iter().map(|served| served.name.as_str()));
        let Some(served) = resource.version(version) else { continue };
        let entry = |name: String, verbs: &[&str]| {
            json!({"name": name, "singularName": resource.singular, "namespaced": resource.namespaced,
                "kind": resource.kind, "verbs": verbs})
        };
        resources.push(entry(resource.plural.clone(), &VERBS));
        if served.status {
            resources.push(entry(format!("{}/status", resource.plural), &["get", "patch", "update"]));
        }
    }
    if !known.contains(version) {
        return Answer::page_not_found();
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Answer::ok(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
        "resources": resources}))
}
