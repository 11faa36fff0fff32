//! Whole pivots between two API servers in memory, in virtual time: every request goes wrong in every way.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

mod controllers;
mod crashes;
mod dataflow;
mod drift;
mod interrupts;
mod judge;
mod namespaces;
mod objects;
mod outages;
mod records;
mod refusals;
mod replaced;
mod replies;
mod scene;
mod whole;
