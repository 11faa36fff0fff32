//! Interfaces of a machine and their addresses, as `ip -j` tells them, and which of them a network is on.
//!
//! Ironic, its DHCP server and keepalived are told an interface by name, and people know a network by its address: the pivoting study asks for
//! the way from one to the other. The interface needs a static address before any of them starts: the endpoint address comes
//! and goes with keepalived, and an interface that serves DHCP cannot be served by it.

mod find;
mod interface;
mod net;

pub use find::{Bearing, FindError, Found, find};
pub use interface::{Assigned, Interface, Route, interfaces, route};
pub use net::{Net, NetError};
