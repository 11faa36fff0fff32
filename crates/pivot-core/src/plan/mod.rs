//! The plan: decided before anything is written, and reproducible.

mod report;

pub use report::{ClusterIdentity, Counts, Drift, FORMAT, PlanFileError, PlanItem, PlanKind, PlanReport};
