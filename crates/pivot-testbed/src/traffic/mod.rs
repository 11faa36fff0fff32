//! What passes between a client and an API server: what a request means, what goes wrong with it, and what became of it.
//!
//! The [server in memory](crate::fake) and a proxy in front of a real one speak of it in these words.

mod call;
mod fault;
mod history;
mod target;

pub use self::{
    call::{Call, Verb},
    fault::{Action, Fault, FaultId},
    history::{Entry, Outcome},
    target::Target,
};
pub(crate) use self::{fault::Faults, history::History};
