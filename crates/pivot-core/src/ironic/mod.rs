//! Ironic where it runs as containers of a machine: which containers are its own, what has to be seen of its end, and what is saved of it.

mod ports;
mod role;
mod saved;

pub use ports::{Listener, Port, listeners};
pub use role::{Role, belongs};
pub use saved::{FORMAT, SavedAddress, SavedContainer, SavedError, SavedIronic};
