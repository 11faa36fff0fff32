//! Who acts on what arrived.

use std::collections::BTreeSet;

use super::{Actors, Aspect, Settlement, Unsettled};
use crate::fence::{Controller, captured_by, provider_kinds};
use crate::inventory::Inventory;
use crate::kind::{GroupKind, KindCatalog};
use crate::object::ObjectKey;
use crate::select::is_copyable;

/// The operator of the hosts, whose kinds carry no label where they were not installed by clusterctl.
const HOSTS: &str = "metal3.io";

/// Judges the controllers. Returns the kinds of which it can be told whether they were taken up: those of controllers that run.
pub(super) fn judge<'a>(
    there: &'a Inventory,
    brought: &BTreeSet<&GroupKind>,
    actors: &Actors<'a>,
    found: &mut Settlement,
) -> BTreeSet<&'a GroupKind> {
    let mut running = BTreeSet::new();
    let mut tell = |controller: &Controller, what: String| {
        let object = controller.deployment.clone();
        found.unsettled.push(Unsettled { aspect: Aspect::Acting, object, what });
    };
    for controller in actors.source {
        tell(controller, "still runs in the source".to_owned());
    }
    let Some(controllers) = actors.target else { return running };
    let mut known = BTreeSet::new();
    for controller in controllers {
        let kinds: BTreeSet<_> = kinds_of(&there.kinds, controller).collect();
        if kinds.is_disjoint(brought) {
            continue;
        }
        for what in shortcomings(controller) {
            tell(controller, what);
        }
        if runs(controller) {
            running.extend(kinds.iter().copied());
        }
        known.extend(kinds);
    }
    let without: BTreeSet<&str> =
        brought.difference(&known).filter_map(|kind| provider(&there.kinds, kind)).collect();
    if !without.is_empty() {
        let names: Vec<_> = without.into_iter().collect();
        found.unjudged.push(format!(
            "no Deployment of {} was found in the target: whether anybody has taken up their objects is not judged",
            names.join(", ")
        ));
    }
    running
}

fn kinds_of<'a>(catalog: &'a KindCatalog, controller: &'a Controller) -> impl Iterator<Item = &'a GroupKind> {
    let infos: Vec<_> = provider_kinds(catalog, &controller.provider).collect();
    infos.into_iter().map(|info| &info.kind)
}

/// Who would act on a kind.
fn provider<'a>(catalog: &'a KindCatalog, kind: &GroupKind) -> Option<&'a str> {
    let operated = (kind.group == HOSTS).then_some("baremetal-operator");
    catalog.get(kind).and_then(|info| info.provider()).or(operated)
}

fn runs(controller: &Controller) -> bool {
    controller.replicas > 0 && controller.ready
}

fn shortcomings(controller: &Controller) -> Vec<String> {
    if controller.replicas <= 0 {
        return vec!["is scaled to zero in the target".to_owned()];
    }
    if !controller.ready {
        return vec!["has no ready pod in the target".to_owned()];
    }
    let leases = controller.leases.iter().filter_map(|lease| {
        let name = &lease.key.name;
        match lease.holder.as_deref() {
            None => Some(format!("nobody leads in the target by its Lease {name}")),
            Some(holder) => captured_by(holder)
                .map(|pivot| format!("pivot {pivot} still holds its Lease {name} in the target")),
        }
    });
    leases.collect()
}

/// Controllers of the source that act on what was moved, as far as they themselves tell: those that run, and whose right to lead no
/// pivot holds. `dismissed` are those of which the pivot's record says so: several of one namespace cannot be told from each other by
/// Leases that nobody of them holds. Whether one has other things left to do is still to be found out.
pub fn suspects<'a>(
    catalog: &KindCatalog,
    controllers: &'a [Controller],
    moved: &BTreeSet<&GroupKind>,
    dismissed: &BTreeSet<&ObjectKey>,
) -> Vec<&'a Controller> {
    let is_held = |controller: &Controller| {
        let holders = || controller.leases.iter().map(|lease| lease.holder.as_deref());
        controller.elects() && holders().all(|holder| holder.is_some_and(|h| captured_by(h).is_some()))
    };
    let acts_on = |controller: &Controller| {
        kinds_of(catalog, controller).any(|kind| moved.contains(kind) && !is_copyable(kind))
    };
    controllers
        .iter()
        .filter(|c| c.replicas > 0 && !is_held(c) && !dismissed.contains(&c.deployment) && acts_on(c))
        .collect()
}
