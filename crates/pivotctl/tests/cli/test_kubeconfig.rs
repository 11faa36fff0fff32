//! Kubeconfigs that lead to no cluster, on either side.

use crate::environment::{KUBECONFIG, TestEnvironment};

#[test]
fn none_at_the_default_place() {
    insta::assert_snapshot!(TestEnvironment::new().run(&["check", "--pre"]), @"
    exit: 2
    --- stderr
    error[kubeconfig-missing]: source: cannot read kubeconfig [HOME]/.kube/config: No such file or directory (os error 2)
      hint: name another file with --kubeconfig
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn the_named_file_is_missing() {
    insta::assert_snapshot!(TestEnvironment::new().run(&["plan", "--kubeconfig", "gone.yaml"]), @"
    exit: 2
    --- stderr
    error[kubeconfig-missing]: source: cannot read kubeconfig gone.yaml: No such file or directory (os error 2)
      hint: name another file with --kubeconfig
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn the_file_of_the_target_is_missing() {
    let environment = TestEnvironment::with_kubeconfig();
    insta::assert_snapshot!(environment.run(&["plan", "--to-kubeconfig", "gone.yaml"]), @"
    exit: 2
    --- stderr
    error[kubeconfig-missing]: target: cannot read kubeconfig gone.yaml: No such file or directory (os error 2)
      hint: name another file with --to-kubeconfig
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn the_variable_names_files() {
    let environment = TestEnvironment::with_kubeconfig();
    environment.write("broken.yaml", "contexts: 1\n");
    let mut command = environment.command(env!("CARGO_BIN_EXE_pivotctl"), &["check", "--pre"]);
    let outcome = environment.outcome(command.env("KUBECONFIG", "gone.yaml:broken.yaml"));
    insta::assert_snapshot!(outcome, @"
    exit: 2
    --- stderr
    error[kubeconfig-malformed]: source: kubeconfig broken.yaml: line 1 column 11: expected sequence start
      hint: correct the file at that place, or name another one with --kubeconfig
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn a_malformed_file_tells_the_place_and_no_secret() {
    let environment = TestEnvironment::new();
    environment.write("bad.yaml", "users:\n- name: admin\n  user: {token: canary\n");
    let outcome = environment.run(&["plan", "--kubeconfig", "bad.yaml"]);
    assert!(!outcome.stderr.contains("canary"), "{outcome}");
    insta::assert_snapshot!(outcome, @"
    exit: 2
    --- stderr
    error[kubeconfig-malformed]: source: kubeconfig bad.yaml: line 3 column 9: not valid YAML, or not what belongs here in a kubeconfig
      hint: correct the file at that place, or name another one with --kubeconfig
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn a_context_that_does_not_exist() {
    let environment = TestEnvironment::with_kubeconfig();
    insta::assert_snapshot!(environment.run(&["plan", "--kubeconfig-context", "x"]), @"
    exit: 2
    --- stderr
    error[context-unknown]: source: no context `x` in the kubeconfig; it has: boot, mgmt
      hint: choose one of these with --kubeconfig-context
    nothing was changed: the side that was active still is
    ");
    insta::assert_snapshot!(environment.run(&["plan", "--to-kubeconfig-context", "x"]), @"
    exit: 2
    --- stderr
    error[context-unknown]: target: no context `x` in the kubeconfig; it has: boot, mgmt
      hint: choose one of these with --to-kubeconfig-context
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn no_context_is_chosen() {
    let environment = TestEnvironment::new();
    environment.write("config", &KUBECONFIG.replace("current-context: boot\n", ""));
    insta::assert_snapshot!(environment.run(&["plan", "--kubeconfig", "config"]), @"
    exit: 2
    --- stderr
    error[context-missing]: source: the kubeconfig sets no current-context; it has: boot, mgmt
      hint: choose a context with --kubeconfig-context
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn an_entry_without_a_server() {
    let environment = TestEnvironment::new();
    environment.write("config", &KUBECONFIG.replace("server: 'https://127.0.0.1:1'", ""));
    insta::assert_snapshot!(environment.run(&["plan", "--kubeconfig", "config"]), @"
    exit: 2
    --- stderr
    error[kubeconfig-cluster]: source: cluster `boot` of the kubeconfig: `server` is missing
      hint: correct this cluster in the kubeconfig
    nothing was changed: the side that was active still is
    ");
}

#[test]
fn both_sides_are_the_same_context_of_the_same_file() {
    let environment = TestEnvironment::with_kubeconfig();
    environment.write("config", KUBECONFIG);
    let outcome = environment.run(&["move", "--kubeconfig", "config", "--to-kubeconfig", "./config"]);
    insta::assert_snapshot!(outcome, @"
    exit: 2
    --- stderr
    error[same-cluster]: source and target are the same context of the same kubeconfig
      hint: name another file with --to-kubeconfig, or another context with --to-kubeconfig-context
    nothing was changed: the side that was active still is
    ");
    for args in [
        &["plan", "--to-kubeconfig", ".kube/config"][..],
        &["check", "--kubeconfig-context", "mgmt", "--to-kubeconfig-context", "mgmt"],
        &["verify", "--kubeconfig", "config", "--to-kubeconfig", ".kube/../config"],
    ] {
        let outcome = environment.run(args);
        assert!(outcome.stderr.starts_with("error[same-cluster]: "), "{args:?} {outcome}");
        assert_eq!(outcome.code, Some(2));
    }
}

#[test]
fn a_target_is_needed_where_two_sides_take_part() {
    let environment = TestEnvironment::with_kubeconfig();
    insta::assert_snapshot!(environment.run(&["move"]), @"
    exit: 2
    --- stderr
    error[target-missing]: no target cluster named
      hint: name it with --to-kubeconfig, --to-kubeconfig-context or both
    nothing was changed: the side that was active still is
    ");
    for verb in ["check", "verify"] {
        let outcome = environment.run(&[verb]);
        assert!(outcome.stderr.starts_with("error[target-missing]: "), "{verb} {outcome}");
        assert_eq!(outcome.code, Some(2));
    }
}
