use crate::environment::TestEnvironment;

#[test]
fn every_shell_gets_a_script_that_knows_the_verbs() {
    let environment = TestEnvironment::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let outcome = environment.run(&["completion", shell]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert!(
            outcome.stdout.contains("--filter-cluster") || outcome.stdout.contains("filter-cluster"),
            "{shell}"
        );
    }
}

#[test]
fn an_unknown_shell_is_refused() {
    insta::assert_snapshot!(TestEnvironment::new().run(&["completion", "tcsh"]), @"
    exit: 2
    --- stderr
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    ");
}
