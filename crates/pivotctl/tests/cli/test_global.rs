use crate::environment::TestEnvironment;

#[test]
fn help() {
    insta::assert_snapshot!(TestEnvironment::new().run(&["-h"]), @"
    exit: 0
    --- stdout
    Pivot a Metal3 / Cluster API management cluster: move it from a source to a target, all or none

    Usage: pivotctl [OPTIONS] <COMMAND>

    Commands:
      check       Check whether a pivot could begin, without changing anything
      plan        Show what a pivot would move, copy, keep and skip, and why, without changing anything
      move        Move everything that is to move from the source to the target, all or none
      verify      Compare both sides and tell what has not settled, without changing anything
      status      Tell which side is active and where a pivot stands, without changing anything
      wait        Wait until what a pivot moved has settled in the target, without changing anything
      resume      Finish a pivot that was interrupted, by what both clusters remember of it
      rollback    Undo a pivot that is not decided yet, by what both clusters remember of it
      finalize    Remove what a finished pivot left in the source, and close its records
      history     List the pivots that one or both clusters remember, without changing anything
      whoami      Tell what a cluster is: active, part of a pivot, or retired, without changing anything
      describe    Show what something consists of and how it is, without changing anything
      ironic      Look at Ironic, stop it with evidence, or start it again
      leases      Show and carry the DHCP leases of Ironic's dnsmasq
      network     Find the interface of a network, and look after the addresses on it
      generate    Write manifests for the target, for review and for `kubectl apply`
      version     Print the version of the program and of the formats it reads and writes
      completion  Print a script that completes the command line in a shell
      help        Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

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
fn without_arguments_help_is_shown() {
    let outcome = TestEnvironment::new().run(&[]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("Usage: pivotctl [OPTIONS] <COMMAND>"), "{outcome}");
}

#[test]
fn an_unknown_verb_is_refused() {
    insta::assert_snapshot!(TestEnvironment::new().run(&["mov"]), @"
    exit: 2
    --- stderr
    error: unrecognized subcommand 'mov'

      tip: a similar subcommand exists: 'move'

    Usage: pivotctl [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn every_form_of_verbosity_is_taken() {
    let environment = TestEnvironment::new();
    for args in [
        &["-v", "version"][..],
        &["-vvv", "version"],
        &["-v", "10", "version"],
        &["-v=10", "version"],
        &["--v=10", "version"],
        &["version", "-v10"],
    ] {
        assert_eq!(environment.run(args).code, Some(0), "{args:?}");
    }
}

#[test]
fn global_flags_stand_before_or_after_the_verb() {
    let environment = TestEnvironment::new();
    for args in [
        &["--kubeconfig", "a", "version"][..],
        &["version", "--kubeconfig", "a", "--config", "b", "-n", "c,d", "-n", "e"],
    ] {
        assert_eq!(environment.run(args).code, Some(0), "{args:?}");
    }
}

#[test]
fn all_namespaces_excludes_some_wherever_they_stand() {
    let environment = TestEnvironment::with_kubeconfig();
    let outcome = environment.run(&["-n", "a", "plan", "-A"]);
    insta::assert_snapshot!(outcome, @"
    exit: 2
    --- stderr
    error[flags-conflict]: --all-namespaces cannot be used with --namespace
      hint: leave out one of --all-namespaces and --namespace
    nothing was changed: the side that was active still is
    ");
    assert_eq!(environment.run(&["plan", "-A", "-n", "a"]).to_string(), outcome.to_string());
}

#[cfg(unix)]
#[test]
fn as_a_plugin_it_is_called_by_the_name_of_the_verb() {
    let environment = TestEnvironment::new();
    for (file, name) in [("kubectl-pivot", "kubectl pivot"), ("clusterctl-pivot", "clusterctl pivot")] {
        let plugin = environment.home().join(file);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pivotctl"), &plugin).unwrap();
        let outcome = environment.outcome(&mut environment.command(&plugin, &["plan", "--help"]));
        assert!(outcome.stdout.contains(&format!("Usage: {name} plan [OPTIONS]")), "{outcome}");
    }
}
