//! The pure part of `pivotctl`.
//!
//! Everything here is synchronous and free of I/O: no runtime, no Kubernetes client, no clock, no file and no environment. Time
//! and randomness come in as arguments. Data flows one way: [`inventory`] > [`graph`] > [`select`] > [`plan`] > [`machine`],
//! which returns effects for the I/O library to perform and takes the outcomes back.

#![warn(missing_docs)]

pub mod bundle;
pub mod carried_status;
pub mod check;
pub mod condition;
pub mod content;
pub mod describe;
pub mod dhcp;
pub mod digest;
pub mod fence;
pub mod graph;
pub mod host;
pub mod inventory;
pub mod ironic;
pub mod kind;
pub mod lease;
pub mod link;
pub mod machine;
pub mod marks;
pub mod network;
pub mod object;
pub mod pause;
pub mod plan;
pub mod pods;
pub mod record;
pub mod rewrite;
pub mod schema;
pub mod select;
pub mod settled;
