//! `leases` as far as it goes without clusters and machines.

use std::fs;

use crate::environment::TestEnvironment;

const FAR: &str = "4102444800";

fn leases() -> String {
    format!("{FAR} 52:54:00:00:00:01 172.22.0.10 node-0 *\n0 52:54:00:00:00:02 172.22.0.11 * *\n")
}

#[test]
fn leases_are_shown() {
    let environment = TestEnvironment::new();
    environment.write("leases", &leases());
    let outcome = environment.run(&["leases", "show", "leases"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(outcome.stdout.starts_with("ADDRESS       CLIENT"), "{outcome}");
    assert_eq!(outcome.stderr, "nothing was changed: the side that was active still is\n");
    let json = environment.run(&["leases", "show", "leases", "-o", "json"]);
    assert!(json.stdout.contains("\"expires\": 4102444800"), "{json}");
}

#[test]
fn one_source_is_named() {
    let environment = TestEnvironment::new();
    let none = environment.run(&["leases", "show"]);
    assert_eq!(none.code, Some(2), "{none}");
    assert!(none.stderr.contains("--container"), "{none}");
    let two = environment.run(&["leases", "show", "file", "--container"]);
    assert_eq!(two.code, Some(2), "{two}");
    let elsewhere = environment.run(&["leases", "show", "--configmap", "--host", "a"]);
    assert!(elsewhere.stderr.starts_with("error[flags-conflict]"), "{elsewhere}");
    let no_host = environment.run(&["leases", "show", "file", "--host", "-oProxyCommand=touch x"]);
    assert!(no_host.stderr.starts_with("error[host-name]") || no_host.code == Some(2), "{no_host}");
    assert!(!environment.home().join("x").exists());
}

#[test]
fn what_is_no_lease_file_is_told() {
    let environment = TestEnvironment::new();
    environment.write("cm.yaml", "apiVersion: v1\nkind: ConfigMap\n");
    let manifest = environment.run(&["leases", "show", "cm.yaml"]);
    assert_eq!(manifest.code, Some(2), "{manifest}");
    assert!(manifest.stderr.starts_with("error[leases-malformed]: cm.yaml is a manifest"), "{manifest}");
    environment.write("empty", "");
    let empty = environment.run(&["leases", "export", "empty"]);
    assert!(empty.stderr.starts_with("error[no-leases]"), "{empty}");
    assert_eq!(environment.run(&["leases", "export", "empty", "--allow-empty"]).code, Some(0));
    let missing = environment.run(&["leases", "show", "nothing"]);
    assert!(missing.stderr.starts_with("error[file-unreadable]"), "{missing}");
}

#[test]
fn a_configmap_for_kubectl_names_its_namespace() {
    let environment = TestEnvironment::new();
    environment.write("leases", &leases());
    let nowhere = environment.run(&["leases", "export", "leases", "-o", "configmap"]);
    assert!(nowhere.stderr.starts_with("error[one-namespace]"), "{nowhere}");
    let written = environment.run(&["leases", "export", "leases", "-o", "configmap", "-n", "metal3"]);
    assert_eq!(written.code, Some(0), "{written}");
    for expected in ["name: dnsmasq-leases-configmap", "namespace: metal3", "172.22.0.10 node-0"] {
        assert!(written.stdout.contains(expected), "{written}");
    }
}

#[test]
fn two_files_become_one() {
    let environment = TestEnvironment::new();
    environment.write("one", &leases());
    environment.write(
        "two",
        &format!("{FAR} 52:54:00:00:00:09 172.22.0.10 * *\n{FAR} 52:54:00:00:00:08 172.22.0.18 * *\n"),
    );
    let merged = environment.run(&["leases", "export", "one", "--merge", "two", "--out", "all"]);
    assert_eq!(merged.code, Some(0), "{merged}");
    assert!(merged.stderr.contains("gives way to"), "{merged}");
    let all = fs::read_to_string(environment.home().join("all")).unwrap();
    assert_eq!(all, format!("{}{FAR} 52:54:00:00:00:08 172.22.0.18 * *\n", leases()));
}

#[test]
fn an_import_asks_the_cluster_that_is_named() {
    let environment = TestEnvironment::with_kubeconfig();
    environment.write("leases", &leases());
    let source = environment.run(&["leases", "import", "leases"]);
    assert!(source.stderr.contains("error[cluster-unreachable]: boot"), "{source}");
    let target = environment.run(&[
        "leases",
        "import",
        "leases",
        "--to-kubeconfig-context",
        "mgmt",
        "--to-kubeconfig",
        ".kube/config",
    ]);
    assert!(target.stderr.contains("error[cluster-unreachable]: mgmt"), "{target}");
    let itself = environment.run(&["leases", "import", "--configmap"]);
    assert!(itself.stderr.starts_with("error[target-missing]"), "{itself}");
}
