//! The plan: decided before anything is written, and reproducible.

mod blueprint;
mod facts;
mod fence;
mod ironic;
mod report;

pub use blueprint::{Blueprint, Origin};
pub use facts::{Claim, Permission, Provider, QuotaRoom, SourceFacts, Stray, TargetFacts};
pub use fence::{PlanController, PlanFence, Treatment};
pub use ironic::{IronicFacts, IronicSight, IronicStack, PlanIronic, ProvisioningInterface};
pub use report::{
    ClusterIdentity, Counts, Drift, FORMAT, PlanFileError, PlanItem, PlanKind, PlanLink, PlanReport, PlanRole,
};
