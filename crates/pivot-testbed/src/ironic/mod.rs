//! Real Ironic, and machines that it can talk to.
//!
//! [`Ironic`] is the Ironic of one plane: a Deployment named as users' are, whose pod is a process of the [`kubelet`](crate::kubelet). What keepalived does for
//! users the pod does itself: it takes the endpoint's address when it starts, and the address goes with it. Every pod begins with an empty
//! database, as in the image of Metal3, and the files of those that are gone stay to be looked at. [`Bmcs`] are the machines: `sushy-emulator`
//! with its fake driver, on an address of its own that the pods of every plane reach. They can be registered, adopted and switched; nothing
//! boots on them.
//!
//! What it is not: there is no authentication, no TLS, no DHCP server and no web server for images, and the machines' network is not the
//! provisioning network.

mod ask;
mod bmc;
mod deployment;

pub use self::bmc::{Bmcs, Machine, Order};
pub use self::deployment::{CONFIG_MAP, CONTAINER, DEPLOYMENT, Ironic, NAMESPACE, Node, Standing};

use std::io::Write;

use crate::assets::{Assets, Program};

/// True where Ironic is among the assets and pods can run; otherwise says loudly why not.
///
/// Use it through [`ironic_or_skip!`](crate::ironic_or_skip).
pub fn can_run(test: &str, assets: &Assets) -> bool {
    let programs = [Program::Ironic, Program::SushyEmulator];
    let Some(error) = programs.into_iter().find_map(|program| assets.program(program).err()) else {
        return crate::plane::pods_can_run(test);
    };
    // Not `eprintln!`: the test harness captures that and shows it only when a test fails.
    let line = format!("SKIPPED: {test}: no Ironic: {error}, which says why it cannot be had\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
    false
}

/// Ends the surrounding test with a loud line where Ironic is not among the assets, or pods cannot run.
#[macro_export]
macro_rules! ironic_or_skip {
    ($assets:expr) => {
        if !$crate::ironic::can_run(concat!(module_path!(), ":", line!()), $assets) {
            return;
        }
    };
}
