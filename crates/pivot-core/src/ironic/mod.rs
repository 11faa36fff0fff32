//! Ironic, as containers of a machine or as a Deployment of a cluster: what belongs to it, what has to be seen of its end, what is saved
//! of it, and the manifests of a new one.

mod deployment;
mod handover;
pub mod manifest;
mod ports;
mod resource;
mod role;
mod saved;

pub(crate) use deployment::is_ironic_alone;
pub use deployment::{
    IronicDeployment, IronicPart, STOPPED, deployments_to_start, ironic_deployments, lease_command,
};
pub use handover::{
    HandOver, IronicDone, IronicJob, IronicPlace, LeasesDamaged, Machine, PACKED_LIMIT, PackedLeases, Stack,
};
pub use ports::{Listener, Port, listeners};
pub use resource::{IronicResource, ironic_names};
pub use role::{Role, belongs};
pub use saved::{FORMAT, SavedAddress, SavedContainer, SavedError, SavedIronic};
