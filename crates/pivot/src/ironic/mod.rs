//! Ironic: finding it, stopping it with evidence, starting it again.

mod cluster;
mod containers;
mod error;
mod evidence;
mod handover;
mod provisioning;
mod seed;
mod start;

pub use cluster::{ClusterIronic, ClusterIronicError};
pub use containers::{Found, FoundContainer, Still, find, stop};
pub use error::IronicError;
pub use handover::{HandOverError, Station, host_of};
pub use provisioning::{Owner, Served, who_answers};
pub use seed::{Seeded, seed};
pub use start::{ApiAnswer, Order, Started, start};
