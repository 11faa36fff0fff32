//! The full fence, on a real API server.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

mod garbage;
mod identity;
mod plan;
mod scene;
mod scope;
mod writes;
