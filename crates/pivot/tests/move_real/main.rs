//! Whole pivots between two real planes.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

mod blocking;
mod content;
mod disturbed;
mod garbage;
mod identity;
mod interrupted;
mod kept;
mod namespaces;
mod pivot;
mod quiet;
mod read_only;
mod refused;
mod scene;
mod secrets;
mod selection;
mod side_by_side;
mod there_and_back;
