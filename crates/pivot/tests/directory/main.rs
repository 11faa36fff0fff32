//! Objects into a directory and out of it, with real planes and the real clusterctl.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

mod clusterctl;
#[path = "../move_real/content.rs"]
#[expect(dead_code, reason = "shared with the tests of moves, which use all of it")]
mod content;
mod desk;
mod export;
mod import;
mod refused;
mod unsteady;
