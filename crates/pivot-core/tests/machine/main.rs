//! The phase machine against two small API servers: effects in any order, outcomes of any kind, users in between.
//!
//! Whatever happens, it comes to an end, and the end is one of the two that are promised.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod chance;
mod content;
mod ends;
mod prepare;
mod run;
mod server;
mod world;
