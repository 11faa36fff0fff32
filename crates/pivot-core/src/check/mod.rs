//! Checks: everything that can be known before the first write.

mod finding;

pub use finding::{Category, CheckId, Finding, Severity};
