//! The full fence: what keeps everybody else from acting on what moves, while the tool itself goes on writing (DESIGN section 2).
//!
//! On each side a ValidatingAdmissionPolicy lets only requests pass whose user carries the id of the pivot and the token of its
//! coordinator ([`Identity`]). It is as wide as the move ([`FenceScope`]). The controllers that would act are stopped besides:
//! those that elect a leader lose the election ([`captured_spec`]), the others are scaled to zero.
//!
//! A policy takes effect a moment after it was written, in each replica of the API server by itself. That it has is proven by
//! [`canary`], a create that is only ever tried (dry run): refused to everybody else, let through for the tool.

mod access;
mod controllers;
mod identity;
mod policy;
mod reach;
mod rescaler;
mod scope;
#[cfg(test)]
mod world;

pub use access::{FenceFacts, permissions};
pub use controllers::{
    CAPTURED_SECONDS, Controller, LeaderLease, captured_by, captured_spec, controllers, original,
};
pub use identity::{ID_EXTRA, Identity, TOKEN_EXTRA};
pub use policy::{
    BINDING, POLICY, binding, binding_key, canary, canary_key, denial_in, denied_by, handed_over, pivot_of,
    policy, policy_key, token_of,
};
pub use reach::{is_stopped, provider_kinds};
pub use rescaler::Rescaler;
pub use scope::{FenceRule, FenceScope, Spared};
