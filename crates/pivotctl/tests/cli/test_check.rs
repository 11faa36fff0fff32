use crate::environment::TestEnvironment;

#[test]
fn help() {
    insta::assert_snapshot!(TestEnvironment::new().run(&["check", "-h"]), @"
    exit: 0
    --- stdout
    Check whether a pivot could begin, without changing anything

    Usage: pivotctl check [OPTIONS]

    Options:
          --pre                    Check the source alone
      -o, --output <FORMAT>        How to print the result [default: text] [possible values: text, json,
                                   yaml]
          --fence <HOW>            How others are kept from acting during the pivot [default: full]
                                   [possible values: full, pause]
          --filter-cluster <NAME>  Move this Cluster and what belongs to it, nothing else; may be
                                   repeated
          --links <FILE>           File with more link rules, for kinds of other providers; may be
                                   repeated
      -h, --help                   Print help (see more with '--help')

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
