//! Scopes of small moves.

use std::sync::Arc;

use super::super::world::{
    CLASS, CLUSTER, MACHINE, SECRET, belonging, blueprint, classed, filtered, inventory, object,
};
use super::*;
use crate::link::LinkRules;
use crate::plan::SourceFacts;
use crate::select::Request;

/// `plural` for a whole kind, `plural: names` else.
fn shown(scope: &FenceScope) -> Vec<String> {
    let names = |rule: &FenceRule| match &rule.names {
        Some(names) => format!("{}: {}", rule.plural, names.iter().cloned().collect::<Vec<_>>().join(" ")),
        None => rule.plural.clone(),
    };
    scope.rules.iter().map(names).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_whole_namespace_is_fenced_by_kind_and_its_secrets_by_name() {
    let source = [
        object(CLUSTER, "a", "c"),
        belonging(MACHINE, "a", "m", "c"),
        belonging(SECRET, "a", "c-ca", "c"),
        object(SECRET, "a", "foreign"),
        object(CLUSTER, "b", "other"),
        object(SECRET, "b", "c-ca"),
    ];
    let blueprint = blueprint(&source, &[], Request::namespace("a"));
    for side in [Side::Source, Side::Target] {
        let scope = FenceScope::of(&blueprint, side);
        assert_eq!(shown(&scope), ["secrets: c-ca", "clusters", "machines"], "{side}");
        assert_eq!((&scope.namespaces, &scope.held), (&Some(set(&["a"])), &set(&["a"])));
        assert!(scope.spared.is_empty(), "nothing of b is in reach: {:?}", scope.spared);
    }
}

#[test]
fn of_a_partial_move_only_what_moves_is_fenced() {
    let source = [
        object(CLUSTER, "a", "c"),
        belonging(MACHINE, "a", "m", "c"),
        object(CLUSTER, "a", "stays"),
        belonging(MACHINE, "a", "n", "stays"),
    ];
    let scope = FenceScope::of(&blueprint(&source, &[], filtered("a", "c")), Side::Source);
    assert_eq!(shown(&scope), ["clusters: c", "machines: m"]);
}

#[test]
fn a_copy_stays_writable_where_it_stays() {
    let source = [object(CLASS, "a", "class"), classed("a", "c", "class"), classed("a", "stays", "class")];
    let blueprint = blueprint(&source, &[], filtered("a", "c"));
    assert_eq!(shown(&FenceScope::of(&blueprint, Side::Source)), ["clusters: c"]);
    assert_eq!(shown(&FenceScope::of(&blueprint, Side::Target)), ["clusters", "clusterclasses"]);
}

#[test]
fn what_the_target_has_already_stays_writable() {
    let source = [object(CLUSTER, "a", "c"), belonging(MACHINE, "a", "m", "c")];
    let target = [object(CLUSTER, "a", "theirs"), object(MACHINE, "b", "m")];
    let scope = FenceScope::of(&blueprint(&source, &target, Request::namespace("a")), Side::Target);
    assert_eq!(shown(&scope), ["clusters: c", "machines"]);
}

#[test]
fn what_was_staged_is_not_foreign() {
    let source = [object(CLUSTER, "a", "c")];
    let scope = FenceScope::of(&blueprint(&source, &source, Request::namespace("a")), Side::Target);
    assert_eq!(shown(&scope), ["clusters"]);
}

#[test]
fn a_move_of_everything_reaches_everywhere_but_for_what_only_has_the_name() {
    let source = [
        object(CLUSTER, "a", "c"),
        belonging(SECRET, "a", "c-ca", "c"),
        object(SECRET, "kube-system", "c-ca"),
    ];
    let scope = FenceScope::of(&blueprint(&source, &[], Request::default()), Side::Source);
    assert_eq!(shown(&scope), ["secrets: c-ca", "clusters"]);
    assert_eq!((scope.namespaces, scope.held), (None, set(&["a"])));
    let spared: Vec<_> = scope.spared.iter().map(|spared| spared.namespace.as_str()).collect();
    assert_eq!(spared, ["kube-system"]);
}

#[test]
fn a_directory_needs_no_fence() {
    let facts = SourceFacts { inventory: inventory(&[object(CLUSTER, "a", "c")]), ..SourceFacts::default() };
    let blueprint = Blueprint::of_directory(facts, None, Arc::new(LinkRules::builtin()));
    assert!(FenceScope::of(&blueprint, Side::Source).is_empty());
    assert_eq!(
        shown(&FenceScope::of(&blueprint, Side::Target)),
        ["clusters: c"],
        "nobody looked at the target"
    );
}
