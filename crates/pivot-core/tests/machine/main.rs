//! The phase machine against two small API servers: effects in any order, outcomes of any kind, people in between, and coordinators
//! that die, are taken for dead, or are cut off.
//!
//! Whatever happens, it comes to an end, and the end is one of the two that are promised.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod admission;
mod chance;
mod clusters;
mod content;
mod crash;
#[cfg(feature = "defects")]
mod defects;
mod ends;
mod exhaustive;
mod fates;
mod hand;
mod ironic;
mod judge;
mod laws;
mod prepare;
mod race;
mod recover;
mod run;
mod server;
mod survey;
mod tally;
mod undead;
mod world;
