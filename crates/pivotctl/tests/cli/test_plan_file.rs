//! Plan files that cannot be used. They are read before any cluster is asked.

use crate::environment::{Outcome, TestEnvironment};

fn move_with(plan: &str) -> Outcome {
    let environment = TestEnvironment::with_kubeconfig();
    environment.write("plan.json", plan);
    environment.run(&["move", "--to-kubeconfig-context", "mgmt", "--plan", "plan.json"])
}

#[test]
fn a_missing_file_is_named() {
    let environment = TestEnvironment::with_kubeconfig();
    let outcome = environment.run(&["move", "--to-kubeconfig-context", "mgmt", "--plan", "gone.json"]);
    insta::assert_snapshot!(outcome, @"
    exit: 2
    --- stderr
    error[file-unreadable]: cannot read plan file gone.json: No such file or directory (os error 2)
      hint: check the path and that you may read the file
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn a_malformed_file_tells_the_place() {
    insta::assert_snapshot!(move_with("{\n  \"format\": 1,\n  oops\n}\n"), @"
    exit: 2
    --- stderr
    error[plan-malformed]: plan.json: not a plan file: key must be a string at line 3 column 3
      hint: make a new one with `plan --out`
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn a_file_of_another_shape_is_refused() {
    insta::assert_snapshot!(move_with("{\"apiVersion\": \"v1\"}"), @"
    exit: 2
    --- stderr
    error[plan-malformed]: plan.json: not a plan file: missing field `format` at line 1 column 20
      hint: make a new one with `plan --out`
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn a_newer_format_is_refused() {
    insta::assert_snapshot!(move_with("{\"format\": 2, \"anything\": \"else\"}"), @"
    exit: 2
    --- stderr
    error[plan-version]: plan.json: the plan file has format 2; this version reads format 1
      hint: make a new one with `plan --out`
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn a_file_that_was_changed_is_refused() {
    let plan = serde_json::json!({
        "format": 1, "tool": "0.1.0", "source": {"name": "boot", "id": "a"}, "target": {"name": "mgmt", "id": "b"},
        "kinds": [], "items": [], "links": [], "findings": [], "digest": "0".repeat(64),
    });
    insta::assert_snapshot!(move_with(&plan.to_string()), @"
    exit: 2
    --- stderr
    error[plan-damaged]: plan.json: the plan file was changed after it was written: its digest does not match
      hint: make a new one with `plan --out`
    nothing was changed: the side that was active still is
    ");
}
