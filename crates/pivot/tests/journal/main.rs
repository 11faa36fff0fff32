//! The local journal on real file systems.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

mod continued;
mod failing;
mod folder;
mod written;
