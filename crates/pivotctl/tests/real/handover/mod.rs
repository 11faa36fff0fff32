//! Pivots that take Ironic along, between two machines with real podman, dnsmasq and keepalived: the source's containers are in a network
//! namespace of this machine, the target's on a machine that `ssh` reaches. A web server on the API's port is a stand-in for Ironic: here
//! it counts that it runs, and where.

/// Skips the test where a program of the two machines is missing.
macro_rules! machines_or_skip {
    () => {
        pivot_testbed::programs_or_skip!(
            "podman",
            "runc",
            "busybox",
            "dnsmasq",
            "keepalived",
            "arping",
            "stdbuf",
            "sshd",
            "ssh",
            "ssh-keygen",
            "python3"
        )
    };
}

mod killed;
mod refused;
mod yard;

use pivot_testbed::assets_or_skip;

use self::yard::{Place, Yard};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ironic_goes_along_and_back() {
    let assets = assets_or_skip!();
    machines_or_skip!();
    let yard = Yard::new(&assets).await;
    let before = [1, 2].map(|number| yard.address(number));
    assert!(before.iter().all(Option::is_some), "{before:?}");
    yard.owns(Place::Here);

    let plan = yard.pivotctl(Place::Here, &["plan"]).exits(0);
    assert!(plan.stdout.contains("2 leases carried"), "{plan:#?}");
    assert!(plan.stdout.contains("until the target's is up in activate, 6 s at least"), "{plan:#?}");
    let moved = yard.pivotctl(Place::Here, &["move", "--yes"]).exits(0);
    assert!(moved.stderr.contains("Ironic of the source:"), "{moved:#?}");
    assert!(moved.stderr.contains("Ironic of the target:"), "{moved:#?}");
    yard.owns(Place::There);
    assert_eq!([1, 2].map(|number| yard.address(number)), before, "clients keep their addresses");
    let newcomer = yard.address(3);
    assert!(newcomer.is_some() && !before.contains(&newcomer), "{newcomer:?}");

    // What was given out meanwhile comes back as well.
    yard.pivotctl(Place::There, &["move", "--yes"]).exits(0);
    yard.owns(Place::Here);
    assert_eq!([1, 2].map(|number| yard.address(number)), before);
    assert_eq!(yard.address(3), newcomer);
    assert_eq!(yard.owners(), [Place::Here, Place::There, Place::Here], "never two at a time");
}
