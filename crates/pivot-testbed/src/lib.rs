//! The test bed of pivotctl: real control planes, and a Metal3 management cluster to load into them.
//!
//! - [`assets`]: the real programs and CRDs;
//! - [`plane`]: etcd, kube-apiserver and kube-controller-manager as processes, alone or as a [`plane::Pair`];
//! - [`kubelet`]: pods of a plane, as processes;
//! - [`operators`]: the real managers, as such pods;
//! - [`ironic`]: real Ironic as such a pod, and machines that it can talk to;
//! - [`lan`]: a network of its own with machines on it, and the system's programs that run there;
//! - [`providers`], [`crds`], [`inventory`]: what `clusterctl init` leaves in a cluster;
//! - [`fixture`]: a Metal3 cluster as its controllers leave it, and bystanders that must never be touched;
//! - [`fake`]: an API server in memory, for tests with a paused clock;
//! - [`proxy`]: what stands between a client and a plane, and breaks their requests;
//! - [`traffic`]: requests, and what goes wrong with them;
//! - [`tool`]: the programs that move it;
//! - [`garbage`]: waiting for the garbage collector;
//! - [`client`], [`dump`], [`content`]: reading and writing raw JSON, and comparing everything before and after;
//! - [`faults`]: pivots that are killed, cut off and opposed at every instant, and what must hold afterwards.
//!
//! It does not depend on the crates it tests, so that it can bear witness against them.

#![warn(missing_docs)]

pub mod assets;
pub mod audit;
pub mod client;
pub mod content;
pub mod crds;
pub mod dump;
mod error;
pub mod fake;
pub mod faults;
pub mod fixture;
pub mod garbage;
pub mod inventory;
pub mod ironic;
pub mod kind;
pub mod kubelet;
pub mod lan;
pub mod operators;
pub mod plane;
pub mod providers;
pub mod proxy;
mod tls;
pub mod tool;
pub mod traffic;
pub mod webhook;

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
};

pub use self::error::{Error, Result};

/// A name that no other test uses on a shared plane, beginning with `prefix`; fit for a namespace.
pub fn unique_name(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{prefix}-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
