//! What is decided about the two clusters as they stand, or as a snapshot keeps one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use pivot_core::check::Severity;
use pivot_core::fence::{Controller, controllers};
use pivot_core::inventory::Inventory;
use pivot_core::machine::Side;
use pivot_core::object::{Manifest, ObjectKey};
use pivot_core::plan::{Blueprint, SourceFacts, TargetFacts};
use pivot_core::record::StoredSnapshot;
use pivot_core::select::Request;

use crate::clusters::Clusters;
use crate::server::Server;
use crate::world::{CATALOG, LINK_RULES};

fn namespaces(server: &Server) -> BTreeMap<String, Manifest> {
    let is_namespace = |key: &&ObjectKey| key.kind.kind == "Namespace";
    let keys = server.objects.keys().filter(is_namespace);
    keys.map(|key| (key.name.clone(), server.read(key).unwrap())).collect()
}

fn target_facts(clusters: &Clusters, blueprint: &Blueprint) -> Arc<TargetFacts> {
    let target = &clusters.target;
    Arc::new(TargetFacts {
        name: "target".to_owned(),
        inventory: target.inventory(Some(&blueprint.extent())),
        namespaces: namespaces(target),
        ..TargetFacts::default()
    })
}

/// The blueprint as PLAN makes it from what the servers hold; `pivot` is the one that is taken up again.
pub(crate) fn survey(clusters: &Clusters, with_target: bool, pivot: Option<&str>) -> Blueprint {
    let source = SourceFacts {
        name: "source".to_owned(),
        inventory: clusters.source.inventory(None),
        namespaces: namespaces(&clusters.source),
        ..SourceFacts::default()
    };
    let versions = Blueprint::versions(&CATALOG, Some(&CATALOG));
    let mut blueprint = Blueprint::new(source, None, Arc::clone(&LINK_RULES), Request::default(), versions);
    blueprint.pivot = pivot.map(str::to_owned);
    if with_target {
        blueprint.target = Some(target_facts(clusters, &blueprint));
    }
    blueprint
}

/// The blueprint of what the target keeps of the source.
pub(crate) fn survey_snapshot(clusters: &Clusters, snapshot: StoredSnapshot, pivot: &str) -> Blueprint {
    let mut inventory = Inventory::new("source", CATALOG.clone());
    let mut actions = BTreeMap::new();
    for stored in snapshot.objects {
        let id = inventory.add(&stored.kind, stored.manifest);
        actions.insert(inventory.object(id).key.clone(), stored.action);
    }
    let facts = SourceFacts {
        name: "source".to_owned(),
        inventory,
        namespaces: snapshot.namespaces,
        ..SourceFacts::default()
    };
    let mut blueprint =
        Blueprint::of_snapshot(facts, None, Arc::clone(&LINK_RULES), snapshot.versions, &actions);
    blueprint.target = Some(target_facts(clusters, &blueprint));
    blueprint.pivot = Some(pivot.to_owned());
    blueprint
}

/// The first thing that forbids the move.
pub(crate) fn obstacle(blueprint: &Blueprint) -> Option<String> {
    let findings = blueprint.findings(&[]);
    findings.iter().find(|finding| finding.severity == Severity::Error).map(ToString::to_string)
}

/// The managers of both sides, as far as they answer.
pub(crate) fn managers(clusters: &Clusters) -> BTreeMap<Side, Vec<Controller>> {
    let of = |side: Side| {
        let server = clusters.server(side);
        let all = |kind: &str| {
            let keys = server.objects.keys().filter(|key| key.kind.kind == kind);
            keys.map(|key| server.read(key).unwrap()).collect::<Vec<_>>()
        };
        (side, controllers(&all("Deployment"), &all("Lease")))
    };
    let sides = [Side::Source, Side::Target].into_iter().filter(|side| !clusters.silent.contains(side));
    sides.map(of).collect()
}

/// The blueprint of one server's content, whatever the target holds.
pub(crate) fn survey_of(source: &Server) -> Blueprint {
    let facts = SourceFacts { inventory: source.inventory(None), ..SourceFacts::default() };
    let versions = Blueprint::versions(&CATALOG, Some(&CATALOG));
    Blueprint::new(facts, None, Arc::clone(&LINK_RULES), Request::default(), versions)
}

/// A blueprint of nothing, to clean up a target.
pub(crate) fn survey_nothing(clusters: &Clusters, pivot: &str) -> Blueprint {
    let facts = SourceFacts {
        name: "source".to_owned(),
        inventory: Inventory::new("source", CATALOG.clone()),
        ..SourceFacts::default()
    };
    let mut blueprint = Blueprint::of_directory(facts, None, Arc::clone(&LINK_RULES));
    blueprint.target = Some(target_facts(clusters, &blueprint));
    blueprint.pivot = Some(pivot.to_owned());
    blueprint
}
