//! Ironic: finding it, stopping it with evidence, starting it again, and reading what it was told.

mod cluster;
mod containers;
mod error;
mod evidence;
mod handover;
mod inherit;
mod pod_leases;
mod provisioning;
mod resource;
mod seed;
mod start;

pub use cluster::{ClusterIronic, ClusterIronicError};
pub use containers::{Found, FoundContainer, Still, find, stop};
pub use error::IronicError;
pub use handover::{HandOverError, Station, host_of};
pub use inherit::{InheritError, inherited};
pub use pod_leases::{FoundLeases, PodLeasesError, SavedLeases, UnreadPod};
pub use provisioning::{Owner, Served, who_answers};
pub use resource::ResourceError;
pub use seed::{Seeded, seed};
pub use start::{ApiAnswer, Order, Started, start};
