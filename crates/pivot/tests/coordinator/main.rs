//! The coordinator's seat: against API servers in memory, in virtual time, and against a real one.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

mod keeping;
mod plane;
mod releasing;
mod scene;
mod taking;
