//! What clusterctl's own tests promise of discovery, object graph and move sequence, under the names of its cases.
//!
//! Each test is called like the case; its first line is the name upstream. `docs/acceptance.md` maps all cases. pivotctl moves
//! more than clusterctl: where an expectation differs on purpose, a comment says so.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod builders;
mod by_namespace;
mod discovery;
mod move_sequence;
mod object_graph;
mod superset;
mod tenants;
mod whole_move;
mod world;
