//! `describe` as far as it goes without clusters.

use crate::environment::TestEnvironment;

#[test]
fn a_cluster_is_named() {
    let outcome = TestEnvironment::with_kubeconfig().run(&["describe", "cluster"]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("<NAME>"), "{outcome}");
}

#[test]
fn a_cluster_that_does_not_answer_is_told() {
    let outcome = TestEnvironment::with_kubeconfig().run(&["describe", "cluster", "test1"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.starts_with("error[cluster-unreachable]: boot (127.0.0.1:1): "), "{outcome}");
    assert!(outcome.stdout.is_empty(), "{outcome}");
    let last = outcome.stderr.lines().last().unwrap();
    assert_eq!(last, "nothing was changed: the side that was active still is");
}

#[test]
fn namespaces_exclude_each_other() {
    let args = ["describe", "cluster", "test1", "-A", "-n", "a"];
    let outcome = TestEnvironment::with_kubeconfig().run(&args);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.starts_with("error[flags-conflict]"), "{outcome}");
}
