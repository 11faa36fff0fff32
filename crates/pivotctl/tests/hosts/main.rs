//! The program on machines, which are network namespaces, among the real programs that Ironic stands on.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

mod desk;
mod dhcp;
mod generate;
mod ironic;
mod keepalived;
mod leases;
mod network;
mod prepared;
