//! The program on two real planes: pivots that are killed, and what becomes of them.

#![expect(clippy::unwrap_used, reason = "clippy exempts tests, but not the functions they share")]

mod adoption;
mod describe;
mod generate;
mod handover;
mod imports;
mod ironic;
mod irso;
mod leases;
mod operators;
mod pod_leases;
mod refused;
mod scene;
mod settled;
mod steady;
mod stories;
