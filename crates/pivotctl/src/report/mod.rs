//! Results as documents: for people, for machines, as graphs and as a page.

pub(crate) mod age;
pub(crate) mod amount;
pub(crate) mod append;
pub(crate) mod check;
pub(crate) mod data;
pub(crate) mod describe;
pub(crate) mod dhcp;
pub(crate) mod finding;
pub(crate) mod graph;
pub(crate) mod group;
pub(crate) mod history;
pub(crate) mod html;
pub(crate) mod ironic;
pub(crate) mod ironic_cluster;
pub(crate) mod leases;
pub(crate) mod manifests;
pub(crate) mod network;
pub(crate) mod plan;
pub(crate) mod status;
mod table;
pub(crate) mod verify;
pub(crate) mod wait;
pub(crate) mod whoami;

#[cfg(test)]
pub(crate) mod sample;
