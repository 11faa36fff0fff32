//! The program on two real planes: pivots that are killed, and what becomes of them.

mod refused;
mod scene;
mod stories;
