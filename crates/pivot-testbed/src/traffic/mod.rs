//! What passes between a client and an API server: what a request means, what goes wrong with it, and what became of it.
//!
//! The [server in memory](crate::fake) and the [proxy](crate::proxy) in front of a real one speak of it in these words.

mod call;
mod fault;
mod history;
mod reply;
mod target;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::{
    call::{Call, Verb},
    fault::{Action, Fault, FaultId},
    history::{Entry, Outcome},
    reply::ReplyBody,
    target::Target,
};
pub(crate) use self::{
    fault::{Faults, Meeting},
    history::{History, Ticket},
    reply::{Chunks, deliver, head, refusal, status, whole},
};

/// A failed assertion in one task leaves the others able to go on.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
