//! The I/O library of `pivotctl`: clusters, engine, stores, hosts.
//!
//! It performs what [`pivot_core`] decides. It never prints and never reads the environment: whoever calls it passes paths and
//! settings in and turns what comes back into words. Every wait uses tokio's clock and has an end.

#![warn(missing_docs)]

pub mod cluster;
pub mod coordinator;
pub mod describe;
pub mod directory;
mod engine;
pub mod event;
pub mod history;
pub mod host;
pub mod ironic;
pub mod journal;
pub mod leases;
pub mod memory;
pub mod records;
pub mod recover;
pub mod run;
pub mod settled;
pub mod status;
pub mod survey;
pub mod verify;
