//! DHCP leases as dnsmasq keeps them: who has which address, and until when.
//!
//! Ironic's dnsmasq reads its lease file once, when it starts. A dnsmasq that starts without the file of the one before it gives addresses
//! that are in use to newcomers; so the file is carried along. dnsmasq reads by words and not by lines: one word too few, and every lease
//! behind it is lost without a message. [`LeaseFile::parse`] sets such a line aside instead, with what is wrong with it, and keeps the rest.

mod configmap;
mod entry;
mod file;
mod merge;

pub use configmap::{
    CONFIG_MAP, ConfigMapError, KEY, PARTS, PartsError, count, joined, part_key, part_name, parts,
    parts_to_apply,
};
pub use entry::{Client, Expiry, Lease, LineProblem};
pub use file::{Aside, LeaseFile, Likeness};
pub use merge::{Dropped, Merged, Why, merge};

/// Leases that dnsmasq reads before it gives up: with one more it does not start, unless `dhcp-lease-max` allows more.
pub const DNSMASQ_LIMIT: usize = 1000;
