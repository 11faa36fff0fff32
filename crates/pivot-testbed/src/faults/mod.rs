//! Pivots that are killed, cut off and opposed at every instant, and what must hold afterwards.
//!
//! A case is one pivot and what happens to it. A lane runs cases one after the other on two clusters behind
//! [proxies](crate::proxy): `pivotctl move` as a process, the trouble, then what the tool itself says is to be done, until it
//! claims an end. A witness then compares everything in both clusters with what was there before, by its [`Invariant`]s.
//!
//! After an end the same objects are used by the next case, wherever they are: a pivot may come back as well as go.

mod case;
mod disturb;
mod draw;
mod ground;
mod lane;
mod person;
mod point;
mod report;
mod role;
mod seed;
mod suite;
mod tool_run;
mod trouble;
mod verdict;
mod witness;

pub use self::{
    case::Fence,
    report::{Report, Writes},
    suite::{News, Plan, run},
    tool_run::Ended,
    verdict::Verdict,
    witness::{Invariant, Terminal, Violation},
};
