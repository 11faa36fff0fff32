//! Styles belong on terminals only.

use crate::environment::TestEnvironment;

const ESCAPE: char = '\u{1b}';
/// Help, errors of clap, our own errors, and results.
const CALLS: [&[&str]; 5] =
    [&["--help"], &["nothing"], &["plan", "--kubeconfig", "gone"], &["version"], &["completion", "bash"]];

#[test]
fn without_a_terminal_there_are_none() {
    let environment = TestEnvironment::new();
    for args in CALLS {
        let outcome = environment.run(args);
        assert!(!outcome.stdout.contains(ESCAPE) && !outcome.stderr.contains(ESCAPE), "{args:?}");
    }
}

#[test]
fn they_can_be_asked_for() {
    let environment = TestEnvironment::new();
    let outcome = environment.run(&["plan", "--kubeconfig", "gone", "--color", "always"]);
    assert!(outcome.stderr.contains(ESCAPE), "{outcome}");
    let outcome = environment.run(&["plan", "--kubeconfig", "gone", "--color", "never"]);
    assert!(!outcome.stderr.contains(ESCAPE), "{outcome}");
}

#[test]
fn the_flag_counts_more_than_the_variable() {
    let environment = TestEnvironment::new();
    for (flag, colored) in [("auto", false), ("always", true)] {
        let args = ["plan", "--kubeconfig", "gone", "--color", flag];
        let mut command = environment.command(env!("CARGO_BIN_EXE_pivotctl"), &args);
        let outcome = environment.outcome(command.env("NO_COLOR", "1").env("TERM", "xterm-256color"));
        assert_eq!(outcome.stderr.contains(ESCAPE), colored, "{flag}");
    }
}
