//! The verbs that take a pivot up again or tell of one, as far as they go without clusters.

use crate::environment::TestEnvironment;

#[test]
fn help() {
    for verb in ["resume", "rollback", "finalize", "history", "whoami", "status"] {
        let help = TestEnvironment::new().run(&[verb, "-h"]).stdout;
        let own = help.split("\nGlobal options:").next().unwrap_or_default().to_owned();
        insta::allow_duplicates! {
            match verb {
                "resume" => insta::assert_snapshot!(own, @"
                Finish a pivot that was interrupted, by what both clusters remember of it

                Usage: pivotctl resume [OPTIONS]

                Options:
                      --id <ID>                    Id of the pivot [default: the one that is open, else the last
                                                   one]
                      --attest-source-dead <NAME>  Vouch that the source of this name is gone for good; nobody else
                                                   can know
                      --attest-target-dead <NAME>  Vouch that the target of this name is gone for good, or has
                                                   forgotten the pivot; nobody else can know
                      --wait <DURATION>            Longest wait for controllers, each time [default: 10m]
                      --silence <DURATION>         How long a cluster may be silent before it counts as unreachable
                                                   [default: 10s]
                  -o, --output <FORMAT>            How to tell what happens [default: text] [possible values: text,
                                                   json]
                      --on-failure <HOW>           What a failure before the pivot is prepared leads to [default:
                                                   rollback] [possible values: rollback, suspend]
                  -h, --help                       Print help (see more with '--help')
                "),
                "rollback" => insta::assert_snapshot!(own, @"
                Undo a pivot that is not decided yet, by what both clusters remember of it

                Usage: pivotctl rollback [OPTIONS]

                Options:
                      --id <ID>                    Id of the pivot [default: the one that is open, else the last
                                                   one]
                      --attest-source-dead <NAME>  Vouch that the source of this name is gone for good; nobody else
                                                   can know
                      --attest-target-dead <NAME>  Vouch that the target of this name is gone for good, or has
                                                   forgotten the pivot; nobody else can know
                      --wait <DURATION>            Longest wait for controllers, each time [default: 10m]
                      --silence <DURATION>         How long a cluster may be silent before it counts as unreachable
                                                   [default: 10s]
                  -o, --output <FORMAT>            How to tell what happens [default: text] [possible values: text,
                                                   json]
                  -h, --help                       Print help (see more with '--help')
                "),
                "finalize" => insta::assert_snapshot!(own, @"
                Remove what a finished pivot left in the source, and close its records

                Usage: pivotctl finalize [OPTIONS]

                Options:
                      --id <ID>                    Id of the pivot [default: the one that is open, else the last
                                                   one]
                      --attest-source-dead <NAME>  Vouch that the source of this name is gone for good; nobody else
                                                   can know
                      --attest-target-dead <NAME>  Vouch that the target of this name is gone for good, or has
                                                   forgotten the pivot; nobody else can know
                      --wait <DURATION>            Longest wait for controllers, each time [default: 10m]
                      --silence <DURATION>         How long a cluster may be silent before it counts as unreachable
                                                   [default: 10s]
                  -o, --output <FORMAT>            How to tell what happens [default: text] [possible values: text,
                                                   json]
                  -h, --help                       Print help (see more with '--help')
                "),
                "history" => insta::assert_snapshot!(own, @"
                List the pivots that one or both clusters remember, without changing anything

                Usage: pivotctl history [OPTIONS]

                Options:
                  -o, --output <FORMAT>     How to print it [default: text] [possible values: text, json, yaml]
                      --silence <DURATION>  How long a cluster may be silent before it counts as unreachable
                                            [default: 10s]
                  -h, --help                Print help (see more with '--help')
                "),
                "whoami" => insta::assert_snapshot!(own, @"
                Tell what a cluster is: active, part of a pivot, or retired, without changing anything

                Usage: pivotctl whoami [OPTIONS]

                Options:
                  -o, --output <FORMAT>     How to print it [default: text] [possible values: text, json, yaml]
                      --silence <DURATION>  How long a cluster may be silent before it counts as unreachable
                                            [default: 10s]
                  -h, --help                Print help (see more with '--help')
                "),
                _ => insta::assert_snapshot!(own, @"
                Tell which side is active and where a pivot stands, without changing anything

                Usage: pivotctl status [OPTIONS]

                Options:
                  -o, --output <FORMAT>        How to print it [default: text] [possible values: text, json, yaml]
                      --silence <DURATION>     How long a cluster may be silent before it counts as unreachable
                                               [default: 10s]
                      --filter-cluster <NAME>  Move this Cluster and what belongs to it, nothing else; may be
                                               repeated
                      --links <FILE>           File with more link rules, for kinds of other providers; may be
                                               repeated
                  -h, --help                   Print help (see more with '--help')
                "),
            }
        }
    }
}

#[test]
fn that_a_rollback_that_was_asked_for_is_a_success_is_documented() {
    let help = |verb| {
        let help = TestEnvironment::new().run(&[verb, "--help"]).stdout;
        help.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(help("rollback").contains("the exit code is then 0"));
    assert!(help("resume").contains("Exit code 3"));
}

#[test]
fn no_side_that_answers_is_no_answer() {
    let environment = TestEnvironment::with_kubeconfig();
    for verb in ["status", "history", "whoami"] {
        let outcome = environment.run(&[verb, "--silence", "1ms"]);
        assert_eq!(outcome.code, Some(1), "{verb} {outcome}");
        assert!(outcome.stderr.starts_with("error[cluster-unreachable]: "), "{verb} {outcome}");
        assert!(outcome.stdout.is_empty(), "{verb} {outcome}");
    }
}

#[test]
fn unreachable_sides_are_never_taken_for_dead() {
    let environment = TestEnvironment::with_kubeconfig();
    let both = ["--to-kubeconfig-context", "mgmt", "--silence", "1ms"];
    for verb in ["resume", "rollback", "finalize"] {
        let outcome = environment.run(&[&[verb], &both[..]].concat());
        assert_eq!(outcome.code, Some(4), "{verb} {outcome}");
        assert!(outcome.stderr.starts_with("error["), "{verb} {outcome}");
        let last = outcome.stderr.lines().last().unwrap_or_default();
        assert!(last.contains("which side is active is not known"), "{verb} {outcome}");
        assert!(
            last.contains("boot (127.0.0.1:1) and mgmt (127.0.0.1:2) cannot be read"),
            "{verb} {outcome}"
        );
    }
}

#[test]
fn a_side_that_was_not_named_is_asked_for() {
    let environment = TestEnvironment::with_kubeconfig();
    let outcome = environment.run(&["resume", "--silence", "1ms"]);
    assert_eq!(outcome.code, Some(4), "{outcome}");
    assert!(outcome.stderr.contains("hint: name the target with --to-kubeconfig"), "{outcome}");
    let outcome = environment.run(&["resume", "--attest-source-dead", "boot", "--silence", "1ms"]);
    assert_eq!(outcome.code, Some(4), "{outcome}");
}

#[test]
fn machines_are_told_of_errors_too() {
    let environment = TestEnvironment::with_kubeconfig();
    let outcome = environment.run(&["rollback", "--id", "p1", "-o", "json", "--silence", "1ms"]);
    let lines: Vec<serde_json::Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["type"].as_str(), lines[0]["pivotId"].as_str()), (Some("version"), Some("p1")));
    let last = lines.last().unwrap();
    assert_eq!((last["type"].as_str(), last["exitCode"].as_u64()), (Some("error"), Some(4)));
}

#[test]
fn two_names_for_one_cluster_are_refused() {
    let environment = TestEnvironment::with_kubeconfig();
    let args = ["--kubeconfig", ".kube/config", "resume", "--to-kubeconfig", ".kube/config", "--id", "p1"];
    let outcome = environment.run(&args);
    assert!(outcome.stderr.starts_with("error[same-cluster]: "), "{outcome}");
    assert_eq!(outcome.code, Some(2));
}
