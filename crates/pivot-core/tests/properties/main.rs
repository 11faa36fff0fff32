//! What holds for every inventory: selection, creation order, and indifference to what objects contain.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod content;
mod order;
mod selection;
mod world;
