//! Every built-in link rule finds its target in an object as the controllers write it.
//!
//! The examples follow the real CRDs' fields, so that a rule that looks in the wrong place fails.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod any_kind;
mod bmo;
mod capi;
mod capm3;
mod example;
mod ipam;

use std::collections::BTreeSet;

use pivot_core::link::LinkRules;

use crate::example::Example;

fn all() -> Vec<Example> {
    [any_kind::examples(), capi::examples(), capm3::examples(), ipam::examples(), bmo::examples()].concat()
}

#[test]
fn every_example_is_linked_by_its_rule() {
    let rules = LinkRules::builtin();
    let failures: Vec<String> = all().iter().filter_map(|example| example.check(&rules).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_built_in_rule_has_an_example() {
    let rules = LinkRules::builtin();
    let all = all();
    let shown: BTreeSet<&str> = all.iter().map(|example| example.rule).collect();
    let known: BTreeSet<&str> = rules.iter().map(|(_, rule)| rule.name.as_str()).collect();
    let missing: Vec<_> = known.difference(&shown).collect();
    assert!(missing.is_empty(), "rules without an example: {missing:?}");
    let unknown: Vec<_> = shown.difference(&known).collect();
    assert!(unknown.is_empty(), "examples of no rule: {unknown:?}");
}
