//! `generate` as far as it goes without clusters and machines. What it writes is kept as a whole in `snapshots/`.

use crate::environment::{Outcome, TestEnvironment};

const RANGE: &str = "172.22.0.10,172.22.0.100";
const LEASES: &str = "\
4102444800 52:54:00:00:00:01 172.22.0.10 node-0 *
no lease at all
0 52:54:00:00:00:02 172.22.0.200 * 01:52:54:00:00:00:02
";

fn generate(environment: &TestEnvironment, more: &[&str]) -> Outcome {
    environment.run(&[&["generate", "ironic"], more].concat())
}

/// The flags of a network that fits, and more.
fn fit(more: &[&str]) -> Outcome {
    let fit = ["--endpoint", "172.22.0.2/24", "--interface", "eth2", "--dhcp-range", RANGE];
    generate(&TestEnvironment::new(), &[&fit, more].concat())
}

#[track_caller]
fn refused(outcome: &Outcome, id: &str) {
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.starts_with(&format!("error[{id}]: ")), "{outcome}");
    assert!(outcome.stderr.contains("hint: "), "{outcome}");
    assert_eq!(outcome.stdout, "", "nothing half done is written");
}

#[test]
fn the_deployment_is_written_as_it_was_reviewed() {
    let environment = TestEnvironment::new();
    environment.write("dnsmasq.leases", LEASES);
    let flags = [
        "--endpoint=172.22.0.2/24",
        "--interface=eth2",
        "--dhcp-range",
        RANGE,
        "--leases=dnsmasq.leases",
        "--image=quay.io/metal3-io/ironic:v38.0",
    ];
    insta::assert_snapshot!("deployment", generate(&environment, &flags));
}

#[test]
fn the_plainest_deployment_is_written_as_it_was_reviewed() {
    let plain = ["--without-leases", "--no-auth", "--no-tls", "--run", "-n", "metal3"];
    insta::assert_snapshot!("plain_deployment", fit(&plain));
}

#[test]
fn the_resource_of_the_operator_is_written_as_it_was_reviewed() {
    let flags =
        ["--form=irso", "--endpoint=fd2e::2/64", "--interface=eth2", "--dhcp-range=fd2e::10,fd2e::ff"];
    insta::assert_snapshot!("irso", generate(&TestEnvironment::new(), &flags));
}

#[test]
fn what_is_written_does_not_depend_on_the_order_of_flags() {
    let one = fit(&["--without-leases", "--no-tls"]);
    let other = generate(
        &TestEnvironment::new(),
        &[
            "--no-tls",
            "--without-leases",
            "--dhcp-range",
            RANGE,
            "--interface=eth2",
            "--endpoint=172.22.0.2/24",
        ],
    );
    assert_eq!(one.stdout, other.stdout);
}

#[test]
fn what_does_not_fit_is_refused() {
    let environment = TestEnvironment::new();
    let with = |endpoint: &str, interface: &str, ranges: &[&str]| {
        let mut args = vec!["--without-leases", "--endpoint", endpoint, "--interface", interface];
        args.extend(ranges.iter().flat_map(|range| ["--dhcp-range", range]));
        generate(&environment, &args)
    };
    for (endpoint, interface, ranges, id) in [
        ("172.22.0.2", "eth2", vec![RANGE], "endpoint-alone"),
        ("172.22.0.2/32", "eth2", vec![RANGE], "endpoint-alone"),
        ("172.22.0.50/24", "eth2", vec![RANGE], "endpoint-in-range"),
        ("172.22.0.255/24", "eth2", vec![RANGE], "endpoint-unfit"),
        ("172.22.0.2/33", "eth2", vec![RANGE], "address-malformed"),
        ("eth2", "eth2", vec![RANGE], "address-malformed"),
        ("172.23.0.2/24", "eth2", vec![RANGE], "dhcp-range-network"),
        ("fd2e::2/64", "eth2", vec![RANGE], "dhcp-range-network"),
        ("172.22.0.2/24", "eth2", vec!["172.22.0.10,172.22.1.10"], "dhcp-range-network"),
        ("172.22.0.2/24", "eth2", vec!["172.22.0.100,172.22.0.10"], "dhcp-range-malformed"),
        ("172.22.0.2/24", "eth2", vec!["172.22.0.10"], "dhcp-range-malformed"),
        ("172.22.0.2/24", "eth2", vec!["172.22.0.10,fd2e::10"], "dhcp-range-malformed"),
        ("172.22.0.2/24", "eth2", vec![RANGE, "172.22.0.90,172.22.0.110"], "dhcp-range-overlap"),
        ("172.22.0.2/24", "eth2", vec![], "dhcp-range-missing"),
        ("172.22.0.2/24", "eth 2", vec![RANGE], "interface-name"),
        ("172.22.0.2/24", "eth*", vec![RANGE], "interface-name"),
        ("172.22.0.2/24", "$(reboot)", vec![RANGE], "interface-name"),
        ("172.22.0.2/24", "an-interface-of-20-b", vec![RANGE], "interface-name"),
    ] {
        refused(&with(endpoint, interface, &ranges), id);
    }
    refused(&generate(&environment, &["--interface=eth2", "--dhcp-range", RANGE]), "endpoint-missing");
    refused(
        &generate(&environment, &["--endpoint=172.22.0.2/24", "--dhcp-range", RANGE]),
        "interface-missing",
    );
}

#[test]
fn names_and_images_go_into_no_other_field() {
    refused(&fit(&["-n", "metal3,other"]), "one-namespace");
    refused(&fit(&["-n", "Metal3"]), "name-malformed");
    refused(&fit(&["--auth-secret", "a\nb: c"]), "name-malformed");
    refused(&fit(&["--image", "ironic; reboot"]), "image-malformed");
    refused(&fit(&["--form=irso", "--run"]), "flags-conflict");
    refused(&fit(&["--form=irso", "--keepalived-image=mine"]), "flags-conflict");
    refused(&fit(&["--form=irso", "--dhcp-range=172.22.0.110,172.22.0.120"]), "dhcp-range-irso");
    for conflict in [["--no-dhcp", "-v"], ["--network=172.22.0.0/24", "-v"]] {
        assert_eq!(fit(&conflict).code, Some(2), "{conflict:?}");
    }
}

#[test]
fn leases_are_looked_at() {
    let environment = TestEnvironment::new();
    let with = |text: &str| {
        environment.write("leases", text);
        let flags =
            ["--endpoint=172.22.0.2/24", "--interface=eth2", "--dhcp-range", RANGE, "--leases=leases"];
        generate(&environment, &flags)
    };
    refused(&with("0 52:54:00:00:00:01 172.22.0.2 * *\n"), "endpoint-leased");
    refused(&with("apiVersion: v1\n"), "leases-malformed");
    let none = with("");
    assert_eq!(none.code, Some(1), "{none}");
    assert!(
        none.stderr.starts_with("error[no-leases]") && none.stderr.contains("--without-leases"),
        "{none}"
    );
    let missing = fit(&["--leases=nothing"]);
    refused(&missing, "file-unreadable");
}
