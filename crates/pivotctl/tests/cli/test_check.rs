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
