//! Which controllers the move concerns, and which of them may be stopped for it.

use std::collections::BTreeSet;

use crate::inventory::Object;
use crate::kind::{GroupKind, KindCatalog, KindInfo};
use crate::machine::Side;
use crate::plan::Blueprint;
use crate::select::{Action, is_copyable};

/// The operator of the hosts, by the group of its kinds: its CRDs carry no label, or another one than its Deployment, where they
/// were not installed by clusterctl.
const HOSTS: &str = "metal3.io";

/// The kinds that a provider's controllers act on.
pub fn provider_kinds<'a>(
    catalog: &'a KindCatalog,
    provider: &'a str,
) -> impl Iterator<Item = &'a KindInfo> + 'a {
    let operates_hosts = matches!(provider, "baremetal-operator" | "metal3");
    catalog
        .iter()
        .filter(move |info| info.provider() == Some(provider) || (operates_hosts && info.kind.group == HOSTS))
}

/// True where the controllers of a provider have something to do with the move and with nothing else: they are stopped. Those
/// that also act on what stays go on running, and the policy alone refuses their writes to what moves.
///
/// `elsewhere` are the kinds of which the target has objects in namespaces that were not listed.
pub fn is_stopped(
    blueprint: &Blueprint,
    side: Side,
    provider: &str,
    elsewhere: &BTreeSet<GroupKind>,
) -> bool {
    let kinds: BTreeSet<&GroupKind> =
        provider_kinds(&blueprint.source.inventory.kinds, provider).map(|info| &info.kind).collect();
    let is_moving = blueprint.staged_objects().any(|(id, object)| {
        let leaves = side == Side::Target || blueprint.selection.action(id) == Action::Move;
        leaves && kinds.contains(&object.key.kind)
    });
    // Of these a controller keeps no track by itself.
    let is_acted_on = |kind: &GroupKind| kinds.contains(kind) && !is_copyable(kind);
    let has_others = match side {
        Side::Source => {
            let stays = [Action::Keep, Action::Copy];
            let mut staying = stays.into_iter().flat_map(|action| blueprint.with(action));
            staying.any(|(_, object)| is_acted_on(&object.key.kind))
                || kinds.iter().any(|kind| blueprint.source.limited.contains(&kind.to_string()))
        }
        Side::Target => {
            let staged: BTreeSet<_> = blueprint.staged_objects().map(|(_, object)| &object.key).collect();
            let is_foreign = |object: &Object| is_acted_on(&object.key.kind) && !staged.contains(&object.key);
            blueprint
                .target
                .as_ref()
                .is_some_and(|target| target.inventory.iter().any(|(_, o)| is_foreign(o)))
                || elsewhere.iter().any(is_acted_on)
        }
    };
    is_moving && !has_others
}

#[cfg(test)]
mod tests {
    use super::super::world::{
        CLASS, CLUSTER, MACHINE, SECRET, belonging, blueprint, classed, filtered, object,
    };
    use super::*;
    use crate::select::Request;

    const CORE: &str = "cluster-api";

    fn stopped(blueprint: &Blueprint, side: Side) -> bool {
        is_stopped(blueprint, side, CORE, &BTreeSet::new())
    }

    #[test]
    fn a_manager_whose_objects_all_move_is_stopped() {
        let source =
            [object(CLUSTER, "a", "c"), belonging(MACHINE, "a", "m", "c"), object(SECRET, "a", "stays")];
        let whole = blueprint(&source, &[], Request::namespace("a"));
        assert!(stopped(&whole, Side::Source) && stopped(&whole, Side::Target));
        assert!(
            !is_stopped(&whole, Side::Source, "bootstrap-kubeadm", &BTreeSet::new()),
            "it has no part in it"
        );
    }

    #[test]
    fn a_manager_that_has_others_too_goes_on() {
        let source = [object(CLUSTER, "a", "c"), object(CLUSTER, "b", "stays")];
        let one_of_two = blueprint(&source, &[], Request::namespace("a"));
        assert!(!stopped(&one_of_two, Side::Source) && stopped(&one_of_two, Side::Target));
        let filtered =
            blueprint(&[object(CLUSTER, "a", "c"), object(CLUSTER, "a", "d")], &[], filtered("a", "c"));
        assert!(!stopped(&filtered, Side::Source));
        let taken = blueprint(&source[..1], &[object(CLUSTER, "b", "theirs")], Request::default());
        assert!(stopped(&taken, Side::Source) && !stopped(&taken, Side::Target));
        let machines = BTreeSet::from([GroupKind::new("cluster.x-k8s.io", "Machine")]);
        let whole = blueprint(&source[..1], &[], Request::namespace("a"));
        assert!(!is_stopped(&whole, Side::Target, CORE, &machines));
    }

    #[test]
    fn what_nothing_acts_on_keeps_no_manager_running() {
        let source = [object(CLASS, "a", "class"), classed("a", "c", "class"), object(CLASS, "a", "unused")];
        assert!(stopped(&blueprint(&source, &[], Request::namespace("a")), Side::Source));
    }

    #[test]
    fn what_was_not_seen_may_be_there() {
        let mut limited = blueprint(&[object(CLUSTER, "a", "c")], &[], Request::namespace("a"));
        limited.source.limited = vec!["Machine.cluster.x-k8s.io".to_owned()];
        assert!(!stopped(&limited, Side::Source));
    }
}
