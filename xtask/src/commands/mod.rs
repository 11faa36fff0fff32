//! One module a command.

pub(crate) mod assets;
pub(crate) mod bench;
pub(crate) mod ci;
pub(crate) mod demo;
pub(crate) mod docs;
pub(crate) mod faults;
pub(crate) mod test;
