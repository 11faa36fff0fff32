//! FENCE: nobody else acts on what moves, and that is proven before anything goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::defect::Defect;
use super::effect::{Onlooker, Outcome};
use super::ledger::{Doc, sealed};
use super::notice::{Notice, Side};
use super::script::Then;
use super::step::Step;
use super::{Machine, Phase};
use crate::fence::{self, FenceScope};
use crate::plan::Origin;
use crate::record::{Ending, FenceMode, FenceProof};

/// Refusals in a row after which a fence counts as effective: the API server takes a policy up some time after it is written.
const DENIALS: u32 = 3;
/// Wait between two tries.
const POLL: Duration = Duration::from_millis(50);
/// Limit of the wait; an API server takes a policy up within a second or two.
const LIMIT: Duration = Duration::from_secs(60);

/// What is known of one side's fence.
#[derive(Clone, Debug, Default)]
struct Fence {
    denials: BTreeMap<Onlooker, u32>,
    waited: Duration,
    /// Tokens of the coordinators that we take over from. The record may name another one than the policy asks for: whoever
    /// takes over writes the record first.
    formers: BTreeSet<String>,
    proof: Option<FenceProof>,
    /// Policy and binding of that coordinator.
    left: [Option<Value>; 2],
}

/// Both fences.
#[derive(Clone, Debug, Default)]
pub(super) struct Fences {
    sides: BTreeMap<Side, Fence>,
    /// The scope stays what it was: the objects are known, but no longer what else there was beside them.
    keep_scope: bool,
}

impl Fences {
    fn get(&mut self, side: Side) -> &mut Fence {
        self.sides.entry(side).or_default()
    }

    pub(super) fn keep_scope(&mut self) {
        self.keep_scope = true;
    }

    /// Policy and binding that an earlier run left.
    pub(super) fn leave(&mut self, side: Side, left: [Option<Value>; 2]) {
        self.get(side).left = left;
    }

    /// Whoever drove the pivot before must be locked out as well.
    pub(super) fn succeed(&mut self, side: Side, token: &str) {
        self.get(side).formers.insert(token.to_owned());
    }

    /// Evidence from an earlier run.
    pub(super) fn remember(&mut self, side: Side, proof: Option<FenceProof>) {
        self.get(side).proof = proof;
    }
}

impl Machine {
    pub(super) fn is_fenced_fully(&self) -> bool {
        self.options.terms.fence == FenceMode::Full
    }

    /// True where a side takes part: a directory holds no records, and what is given up for dead none either.
    pub(super) fn has_side(&self, side: Side) -> bool {
        match side {
            Side::Source => self.blueprint.origin == Origin::Cluster && !self.gone.source,
            Side::Target => !self.gone.target,
        }
    }

    pub(super) fn source_proof(&self) -> Option<FenceProof> {
        self.fences.sides.get(&Side::Source).and_then(|fence| fence.proof.clone())
    }

    pub(super) fn begin_fence(&mut self, side: Side) {
        let waves = self.raise(side);
        self.play(waves, Then::Fenced);
    }

    pub(super) fn fenced(&mut self) {
        let side = if self.phase == Phase::FenceTarget { Side::Target } else { Side::Source };
        let fence = self.fences.get(side);
        let waited = fence.waited.as_millis();
        self.advance(format!("writes of others are refused; waited {waited} ms for the proof"));
    }

    /// What raises a fence, and proves it. Where the policy stands as it should it is proven all the same.
    pub(super) fn raise(&mut self, side: Side) -> Vec<Vec<Step>> {
        if !self.has_side(side) {
            return Vec::new();
        }
        self.entries.get_mut(side).fenced = true;
        let mut waves = vec![self.save(side), self.policy(side)];
        waves.extend(self.hold(side));
        waves.extend(self.prove(side));
        waves
    }

    /// What keeps everybody else out for the time of a rollback. No manager is taken that was not taken before.
    pub(super) fn keep_out(&mut self, side: Side) -> Vec<Vec<Step>> {
        if !self.is_fenced_fully() || !self.has_side(side) {
            return Vec::new();
        }
        let policy = self.policy(side);
        if policy.is_empty() {
            return Vec::new();
        }
        self.entries.get_mut(side).fenced = true;
        let mut waves = vec![self.save(side), policy];
        waves.extend(self.prove(side));
        waves
    }

    fn prove(&mut self, side: Side) -> Vec<Vec<Step>> {
        let fence = self.fences.get(side);
        fence.denials.clear();
        fence.waited = Duration::ZERO;
        let mut onlookers = vec![Onlooker::Anybody];
        onlookers.extend(fence.formers.iter().cloned().map(Onlooker::Former));
        let tries = onlookers.into_iter().map(|onlooker| Step::Canary(side, onlooker));
        vec![tries.collect(), vec![Step::Canary(side, Onlooker::Ourselves)]]
    }

    /// The same where the policy no longer covers what it should; else nothing.
    pub(super) fn raise_again(&mut self, side: Side) -> Vec<Vec<Step>> {
        if !self.is_fenced_fully() || !self.has_side(side) || self.policy(side).is_empty() {
            return Vec::new();
        }
        self.raise(side)
    }

    /// The steps that bring the policy up to date.
    fn policy(&mut self, side: Side) -> Vec<Step> {
        let (id, token) = (self.options.pivot_id.as_str(), self.options.token.as_str());
        let left = self.fences.sides.get(&side).map(|fence| &fence.left);
        let (policy, binding) = match left {
            Some([Some(policy), Some(binding)]) if self.fences.keep_scope => {
                (fence::handed_over(bare(policy), id, token), bare(binding))
            }
            _ => {
                let scope = FenceScope::of(&self.blueprint, side);
                (fence::policy(&scope, id, token), fence::binding(&scope, id))
            }
        };
        let steps = [
            self.want(side, Doc::Policy, Some(sealed(policy))),
            self.want(side, Doc::Binding, Some(sealed(binding))),
        ];
        steps.into_iter().flatten().collect()
    }

    /// What lets everybody act again. The policy goes last: while it stands, the fence is known to have stood.
    pub(super) fn lower(&mut self, side: Side, ending: Ending) -> Vec<Vec<Step>> {
        self.entries.get_mut(side).fenced = false;
        let mut waves = self.free(side, ending);
        waves.push(self.want(side, Doc::Binding, None).into_iter().collect());
        waves.push(self.want(side, Doc::Policy, None).into_iter().collect());
        waves
    }

    pub(super) fn settle_canary(&mut self, side: Side, onlooker: Onlooker, outcome: Outcome) {
        let denied = match outcome {
            Outcome::Canary { denied } => denied,
            other => return self.refused("trying the fence", other),
        };
        let fence = self.fences.get(side);
        let count = fence.denials.entry(onlooker.clone()).or_default();
        let proven = match (&onlooker, denied) {
            _ if Defect::SkipFenceCheck.is_made() => true,
            (Onlooker::Ourselves, denied) => !denied,
            (_, true) => {
                *count += 1;
                *count >= DENIALS
            }
            (_, false) => {
                *count = 0;
                false
            }
        };
        if proven {
            if onlooker == Onlooker::Anybody {
                let token = self.options.token.clone();
                let (leases, stopped) = (self.captures.leases(side), self.captures.stopped(side));
                let pods = self.captures.pods(side);
                let ironic = if side == Side::Source { self.ironic.evidence().to_vec() } else { Vec::new() };
                self.fences.get(side).proof =
                    Some(FenceProof { token, denials: DENIALS, leases, stopped, pods, ironic });
            }
            self.scripted();
            return;
        }
        if fence.waited >= LIMIT {
            let what = match onlooker {
                Onlooker::Ourselves => "refuses our own writes",
                Onlooker::Anybody => "does not refuse the writes of others",
                Onlooker::Former(_) => {
                    "does not refuse the writes of the pivotctl that drove this pivot before"
                }
            };
            self.fail(format!("the fence on the {side} {what}"));
            return;
        }
        if fence.waited.is_zero() {
            let what = format!("the fence on the {side} to take effect");
            self.notices.push(Notice::Waiting { what, objects: Vec::new() });
        }
        self.fences.get(side).waited += POLL;
        self.push(Step::Canary(side, onlooker).delayed(POLL));
    }
}

/// What an earlier coordinator left, without what the server added to its metadata.
fn bare(left: &Value) -> Value {
    let mut object = left.clone();
    let (name, annotations) = (object["metadata"]["name"].take(), object["metadata"]["annotations"].take());
    object["metadata"] = serde_json::json!({"name": name, "annotations": annotations});
    object
}
