//! `move` as far as it goes without clusters.

use crate::environment::TestEnvironment;

#[test]
fn help() {
    insta::assert_snapshot!(TestEnvironment::new().run(&["move", "-h"]), @"
    exit: 0
    --- stdout
    Move everything that is to move from the source to the target, all or none

    Usage: pivotctl move [OPTIONS]

    Options:
          --dry-run                    Show the plan and change nothing
          --plan <FILE>                Carry out this saved plan, and refuse where the clusters changed
                                       since
      -y, --yes                        Do not ask
          --fence <HOW>                How others are kept from acting during the pivot [default: full]
                                       [possible values: full, pause]
          --retire <HOW>               What becomes of the objects in the source [default: delete]
                                       [possible values: delete, keep]
          --on-failure <HOW>           What a failure before the pivot is prepared leads to [default:
                                       rollback] [possible values: rollback, suspend]
          --no-pre-copy                Stage nothing while the source still acts
          --wait <DURATION>            Longest wait for controllers, each time [default: 10m]
          --wait-steady <DURATION>     Longest wait until every host, Machine and Cluster stands still,
                                       before anything is written
          --to-directory <DIR>         Write the objects into this folder instead of a cluster
          --from-directory <DIR>       Take the objects from this folder instead of a cluster
      -o, --output <FORMAT>            How to tell what happens [default: text] [possible values: text,
                                       json]
          --hide-api-warnings <WHICH>  Taken so that command lines of clusterctl work; warnings of the
                                       API servers are never shown [default: default] [possible values:
                                       default, all, none]
          --filter-cluster <NAME>      Move this Cluster and what belongs to it, nothing else; may be
                                       repeated
          --links <FILE>               File with more link rules, for kinds of other providers; may be
                                       repeated
      -h, --help                       Print help (see more with '--help')

    Ironic:
          --ironic <FORM>                 Where the source's Ironic is. It is stopped there, and the
                                          target's is started in its place [default: auto] [possible
                                          values: auto, none, containers, deployment, irso]
          --ironic-host <[USER@]HOST>     Machine with the source's Ironic containers, reached by your
                                          own `ssh` [default: this one]
          --ironic-netns <NAME>           Network namespace there
          --ironic-sudo                   Run commands there by `sudo`, which must not ask for a
                                          password
          --to-ironic <FORM>              Where the target's Ironic is: prepared, and standing still
                                          [default: auto] [possible values: auto, containers,
                                          deployment, irso]
          --to-ironic-host <[USER@]HOST>  Machine with the target's Ironic containers
          --to-ironic-netns <NAME>        Network namespace there
          --to-ironic-sudo                Run commands there by `sudo`, which must not ask for a
                                          password
          --ironic-ssh-config <FILE>      Configuration file of `ssh` for both machines instead of your
                                          own
          --dhcp-wait <DURATION>          How long DHCP servers on the networks of both machines may
                                          take to answer [default: 6s]
          --endpoint <ADDRESS>            Endpoint address of Ironic [default: the PROVISIONING_IP that
                                          its containers were told]

    Global options:
          --kubeconfig <FILE>             Kubeconfig of the source [default: the files of KUBECONFIG,
                                          else ~/.kube/config]
          --kubeconfig-context <NAME>     Context of the source [default: the current one]
          --to-kubeconfig <FILE>          Kubeconfig of the target [default: with
                                          --to-kubeconfig-context, that of the source]
          --to-kubeconfig-context <NAME>  Context of the target [default: the current one]
      -n, --namespace <NAME>              Namespace to move; repeat it or write a list [default: that of
                                          the source's context, else default]
      -A, --all-namespaces                All namespaces
      -v[=<LEVEL>]                        Say more; repeat it or give a number (-v 5)
          --color <WHEN>                  When to use colors; NO_COLOR and TERM=dumb turn them off too
                                          [default: auto] [possible values: auto, always, never]
          --config <FILE>                 Configuration file of clusterctl; taken so that its command
                                          lines work, and read by no verb of this version
    ");
}

#[test]
fn flags_that_exclude_each_other() {
    let environment = TestEnvironment::with_kubeconfig();
    for (args, one, other) in [
        (&["move", "--to-directory", "d", "--to-kubeconfig", "k"][..], "--to-directory", "--to-kubeconfig"),
        (&["--to-kubeconfig", "k", "move", "--to-directory", "d"], "--to-directory", "--to-kubeconfig"),
        (&["move", "--to-directory", "d", "--from-directory", "d"], "--to-directory", "--from-directory"),
        (&["--kubeconfig", "k", "move", "--from-directory", "d"], "--from-directory", "--kubeconfig"),
        (&["move", "--plan", "p", "--to-directory", "d"], "--plan", "--to-directory or --from-directory"),
        (
            &["move", "--wait-steady", "1m", "--from-directory", "d"],
            "--wait-steady",
            "--to-directory or --from-directory",
        ),
    ] {
        let outcome = environment.run(args);
        assert_eq!(outcome.code, Some(2), "{args:?} {outcome}");
        let expected = format!("error[flags-conflict]: {one} cannot be used with {other}\n");
        assert!(outcome.stderr.starts_with(&expected), "{args:?} {outcome}");
    }
}

#[test]
fn waits_need_a_unit() {
    insta::assert_snapshot!(TestEnvironment::new().run(&["move", "--wait", "10"]), @"
    exit: 2
    --- stderr
    error: invalid value '10' for '--wait <DURATION>': write a number with a unit, such as 90s, 10m or 1h30m

    For more information, try '--help'.
    ");
}

#[test]
fn the_flags_of_clusterctl_are_taken() {
    let environment = TestEnvironment::with_kubeconfig();
    let args =
        "--config c.yaml move -v 10 --hide-api-warnings=all --namespace metal3 --to-kubeconfig gone.yaml";
    let outcome = environment.run(&args.split(' ').collect::<Vec<_>>());
    // Past the flags, on the way to the target.
    assert!(outcome.stderr.starts_with("error[kubeconfig-missing]: target: "), "{outcome}");
}

#[test]
fn a_directory_that_does_not_exist_is_named() {
    let environment = TestEnvironment::with_kubeconfig();
    insta::assert_snapshot!(environment.run(&["move", "--from-directory", "gone"]), @"
    exit: 1
    --- stderr
    error[directory-unusable]: cannot open gone: No such file or directory (os error 2)
      hint: check the path, its permissions and the free space
    nothing was changed: the side that was active still is
    ");
    insta::assert_snapshot!(environment.run(&["move", "--to-directory", "gone"]), @"
    exit: 1
    --- stderr
    error[directory-unusable]: cannot open gone: No such file or directory (os error 2)
      hint: check the path, its permissions and the free space
    source boot (127.0.0.1:1) is active, nothing was changed
    ");
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let environment = TestEnvironment::with_kubeconfig();
    let file = environment.write("mine/notes.txt", "mine");
    insta::assert_snapshot!(environment.run(&["move", "--to-directory", "mine"]), @"
    exit: 2
    --- stderr
    error[directory-occupied]: mine is neither empty nor an export of pivotctl: notes.txt does not belong there
      hint: name an empty directory, or one that holds an earlier export unchanged
    source boot (127.0.0.1:1) is active, nothing was changed
    ");
    insta::assert_snapshot!(environment.run(&["move", "--from-directory", "mine"]), @"
    exit: 2
    --- stderr
    error[directory-refused]: mine is refused: notes.txt does not belong there
      hint: write it again with --to-directory
    nothing was changed: the side that was active still is
    ");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn machines_are_told_of_errors_too() {
    let environment = TestEnvironment::with_kubeconfig();
    insta::assert_snapshot!(environment.run(&["move", "-o", "json"]), @r#"
    exit: 2
    --- stdout
    {"type":"version","schema":"1.0","tool":"0.1.0"}
    {"type":"error","id":"target-missing","message":"no target cluster named","details":[],"hint":"name it with --to-kubeconfig, --to-kubeconfig-context or both","exitCode":2}
    --- stderr
    error[target-missing]: no target cluster named
      hint: name it with --to-kubeconfig, --to-kubeconfig-context or both
    nothing was changed: the side that was active still is
    "#);
}
