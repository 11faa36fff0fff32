//! Ironic: finding it, stopping it with evidence, starting it again.

mod cluster;
mod containers;
mod error;
mod handover;

pub use cluster::{ClusterIronic, ClusterIronicError};
pub use containers::{Found, FoundContainer, Owner, Still, find, start, stop, who_answers};
pub use error::IronicError;
pub use handover::{HandOverError, Station, host_of};
