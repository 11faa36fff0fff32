//! Ironic: finding it, stopping it with evidence, starting it again.

mod containers;
mod error;

pub use containers::{Found, FoundContainer, Owner, Still, find, start, stop, who_answers};
pub use error::IronicError;
