//! Links files that cannot be used. The clusters are not asked before the files are read.

use crate::environment::{Outcome, TestEnvironment};

const HEAD: &str = "apiVersion: pivot.metal3.io/v1alpha1\nkind: LinkRules\n";

fn plan_with(links: &str) -> Outcome {
    let environment = TestEnvironment::with_kubeconfig();
    environment.write("links.yaml", links);
    environment.run(&["plan", "--links", "links.yaml"])
}

#[test]
fn a_missing_file_is_named() {
    insta::assert_snapshot!(TestEnvironment::with_kubeconfig().run(&["plan", "--links", "gone.yaml"]), @"
    exit: 2
    --- stderr
    error[file-unreadable]: cannot read links file gone.yaml: No such file or directory (os error 2)
      hint: check the path and that you may read the file
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn a_malformed_file_tells_the_line() {
    insta::assert_snapshot!(plan_with(&format!("{HEAD}rules:\n- {{name: a, fron: [Secret]}}\n")), @"
    exit: 2
    --- stderr
    error[links-malformed]: links file links.yaml: line 4 column 13: unknown field `fron`, expected one of name, from, path, to, shape, as, toName, namespace, unlessOwned
       --> links.yaml:4:13
        |
      2 | kind: LinkRules
      3 | rules:
      4 | - {name: a, fron: [Secret]}
        |             ^ unknown field `fron`, expected one of name, from, path, to, shape, as, toName, namespace, unlessOwned
      hint: correct the file at that place; docs/links.md describes the format
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn a_wrong_rule_is_named() {
    let rules = "rules:\n- {name: a, from: [Secret], path: metadata.name, as: owner}\n";
    insta::assert_snapshot!(plan_with(&format!("{HEAD}{rules}")), @"
    exit: 2
    --- stderr
    error[links-malformed]: links file links.yaml: rule 1 (`a`): a name alone does not tell the kind: add `to`
      hint: correct the file at that place; docs/links.md describes the format
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn another_kind_of_file_is_refused() {
    insta::assert_snapshot!(plan_with("apiVersion: v1\nkind: Secret\n"), @"
    exit: 2
    --- stderr
    error[links-malformed]: links file links.yaml: this is `v1 Secret`, not `pivot.metal3.io/v1alpha1` `LinkRules`
      hint: correct the file at that place; docs/links.md describes the format
    nothing was changed: the side that was active still is
    ");
}
