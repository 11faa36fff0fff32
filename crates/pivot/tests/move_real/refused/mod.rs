//! What PLAN refuses: with a stable id, the object's name and what to do, and without a single write.

mod clusters;
mod kinds;
mod objects;
mod permissions;
mod provisioning;
mod target;
