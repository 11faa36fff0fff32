//! The phase machine: outcomes in, effects out (DESIGN section 2).
//!
//! [`Machine::next`] hands out effects that may run at the same time; whoever performs them reports each outcome with
//! [`Machine::apply`]. The machine knows no clock: waits are part of the effects. It ends with [`Machine::end`].

mod capture;
mod defect;
mod effect;
mod end;
mod fence;
mod finish;
mod ironic;
mod item;
mod ledger;
mod lock;
mod namespace;
mod notice;
mod observe;
mod phase;
mod proof;
mod quiesce;
mod removal;
mod resume;
mod retire;
mod retry;
mod rollback;
mod script;
mod snapshot;
mod stage;
mod step;
mod verify;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[doc(hidden)]
pub use defect::Defect;
pub use effect::{Act, Effect, EffectId, Extent, Onlooker, Op, Outcome, RefusalClass, Revision, Seen, Write};
pub use end::{Active, End};
pub use lock::{Past, PastSide};
pub use notice::{Notice, Side};
pub use phase::{Phase, Reversal};

use self::capture::Captures;
use self::fence::Fences;
use self::ironic::Ironic;
use self::ledger::{Doc, Ledger};
use self::lock::Entries;
use self::proof::Committed;
use self::quiesce::Paused;
use self::removal::Removal;
use self::retry::Tries;
use self::rollback::Rollback;
use self::script::Script;
use self::stage::Stage;
use self::step::Step;
use crate::fence::Controller;
use crate::object::ObjectKey;
use crate::plan::{Blueprint, Origin};
use crate::record::{PackedSnapshot, Terms};

/// What becomes of the source's objects after the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retire {
    /// They are deleted.
    #[default]
    Delete,
    /// They stay, paused.
    Keep,
}

/// What a failure before PREPARE leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Everything is undone.
    #[default]
    Rollback,
    /// The pivot stands still until `resume` or `rollback`.
    Suspend,
}

/// How a pivot runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Id of this pivot.
    pub pivot_id: String,
    /// Version of the tool, for the records.
    pub tool: String,
    /// Who drives it, for people.
    pub coordinator: String,
    /// Fencing token of who drives it, never used before.
    pub token: String,
    /// What was asked for.
    pub terms: Terms,
    /// What a failure before PREPARE leads to.
    pub on_failure: OnFailure,
    /// `finalize`: the records are closed and the source's fence goes also where something had to be kept.
    pub close: bool,
    /// Limit of every wait for controllers.
    pub wait: Duration,
    /// Limit of the waits of one request that fails for now, added up.
    pub patience: Duration,
    /// How often a change in the source may send the run back to SNAPSHOT.
    pub snapshots: u32,
    /// From how many objects on PRE-COPY also compares and keeps what it staged: that takes longer in all, and keeps what follows
    /// the source's fence short.
    pub bulk: usize,
    /// CRD provider labels of providers whose controllers run on the source: their acknowledgement of the pause is awaited.
    pub live_providers: BTreeSet<String>,
    /// The managers of what moves, by the cluster they run in.
    pub controllers: BTreeMap<Side, Vec<Controller>>,
}

/// Sides that are given up: nothing is read from or written to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Gone {
    source: bool,
    source_attested: bool,
    target: bool,
    /// The target is gone for good, and not only out of reach.
    target_attested: bool,
}

/// The state of one pivot.
#[derive(Debug)]
pub struct Machine {
    options: Options,
    blueprint: Blueprint,
    phase: Phase,
    ready: VecDeque<(Step, Tries)>,
    in_flight: BTreeMap<EffectId, (Step, Tries)>,
    next_id: u64,
    notices: Vec<Notice>,
    end: Option<End>,
    /// Set once something failed; the phase ends when all effects in flight are accounted for.
    failing: Option<Failure>,
    ledger: Ledger,
    entries: Entries,
    script: Option<Script>,
    fences: Fences,
    ironic: Ironic,
    captures: Captures,
    gone: Gone,
    paused: BTreeMap<ObjectKey, Paused>,
    stage: Stage,
    /// Extent of all snapshots before the present one.
    reach: Extent,
    /// The snapshot as it was last stored.
    packed: PackedSnapshot,
    snapshots: u32,
    /// Objects of the source that changed since the snapshot.
    dirty: BTreeSet<ObjectKey>,
    removal: Option<Removal>,
    rollback: Option<Rollback>,
    kept: Vec<String>,
    committed: Option<Committed>,
    /// Objects that an earlier run has moved, of which this one knows no more.
    moved_before: usize,
    /// True from where the target may act.
    open: bool,
    waited: Duration,
    pending: usize,
}

#[derive(Clone, Debug)]
struct Failure {
    phase: Phase,
    cause: String,
    why: Why,
}

/// Why a phase cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Something went wrong.
    Failed,
    /// The user wants to stop.
    Interrupted,
    /// Somebody else drives the pivot now.
    Deposed,
}

impl Machine {
    /// A pivot along a blueprint whose checks found no error. `past` is what earlier pivots left in both clusters.
    pub fn new(blueprint: Blueprint, options: Options, past: &Past) -> Self {
        let mut machine = Self::idle(blueprint, options, past);
        machine.advance("checked".to_owned());
        machine
    }

    fn idle(blueprint: Blueprint, options: Options, past: &Past) -> Self {
        let entries = Entries::of(past, &options.pivot_id);
        let mut machine = Self {
            options,
            blueprint,
            phase: Phase::Plan,
            ready: VecDeque::new(),
            in_flight: BTreeMap::new(),
            next_id: 0,
            notices: Vec::new(),
            end: None,
            failing: None,
            ledger: Ledger::default(),
            entries,
            script: None,
            fences: Fences::default(),
            ironic: Ironic::default(),
            captures: Captures::default(),
            gone: Gone::default(),
            paused: BTreeMap::new(),
            stage: Stage::default(),
            reach: Extent::default(),
            packed: PackedSnapshot::default(),
            snapshots: 0,
            dirty: BTreeSet::new(),
            removal: None,
            rollback: None,
            kept: Vec::new(),
            committed: None,
            moved_before: 0,
            open: false,
            waited: Duration::ZERO,
            pending: 0,
        };
        machine.remember(past);
        machine
    }

    /// The phase in which the pivot stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How it ended; `None` while it runs.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The blueprint, as of the last snapshot.
    pub fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    /// What there is to tell since the last call.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// At most `room` effects that may start now.
    pub fn next(&mut self, room: usize) -> Vec<Effect> {
        let mut effects = Vec::new();
        while effects.len() < room && self.end.is_none() {
            let Some((step, tries)) = self.ready.pop_front() else { break };
            let delay = step.delay();
            let id = EffectId(self.next_id);
            self.next_id += 1;
            effects.push(Effect { id, delay, act: self.act(&step) });
            self.in_flight.insert(id, (step, tries));
        }
        effects
    }

    /// Takes the outcome of an effect.
    pub fn apply(&mut self, id: EffectId, outcome: Outcome) {
        let Some((step, tries)) = self.in_flight.remove(&id) else { return };
        if self.end.is_some() {
            return;
        }
        if self.failing.is_some() {
            self.fail_when_idle();
            return;
        }
        if self.is_giving_up() {
            self.give_up_when_idle();
            return;
        }
        self.settle(step, tries, outcome);
        self.go_on();
    }

    /// Takes a change that the watch saw in the source.
    pub fn changed(&mut self, seen: &Seen) {
        if self.phase > Phase::Prepare || self.phase < Phase::Snapshot || self.rollback.is_some() {
            return;
        }
        if self.concerns(seen) {
            self.dirty.insert(seen.key.clone());
        }
    }

    /// The watch broke: what it would have seen is looked up at VERIFY, which lists the source again.
    pub fn watch_lost(&mut self, reason: &str) {
        self.notices.push(Notice::Warning {
            object: None,
            message: format!("the watch on the source ended ({reason}); VERIFY compares the source again"),
        });
    }

    /// The user wants to stop: the pivot stands still, and can go on or back later. Without records nothing could: an import is undone.
    pub fn interrupt(&mut self) {
        if self.failing.is_some() || self.end.is_some() {
            return;
        }
        let (phase, cause) = (self.phase, "interrupted".to_owned());
        self.failing = Some(Failure { phase, cause, why: Why::Interrupted });
        self.fail_when_idle();
    }

    /// Nobody may write any more: somebody else drives the pivot now.
    pub fn depose(&mut self, cause: String) {
        if self.end.is_none() {
            self.failing = Some(Failure { phase: self.phase, cause, why: Why::Deposed });
            self.fail_when_idle();
        }
    }

    fn push(&mut self, step: Step) {
        self.ready.push_back((step, Tries::default()));
    }

    /// Ends the phase and begins the next ones, until one has something to do.
    fn advance(&mut self, summary: String) {
        if self.phase != Phase::Plan {
            self.notices.push(Notice::PhaseDone { phase: self.phase, summary });
        }
        while let Some(next) = self.phase.next() {
            self.phase = next;
            self.waited = Duration::ZERO;
            if let Some(reason) = self.skip_reason(next) {
                self.notices.push(Notice::PhaseSkipped { phase: next, reason });
                continue;
            }
            self.notices.push(Notice::PhaseStarted { phase: next });
            self.begin(next);
            return;
        }
        self.finish();
    }

    fn skip_reason(&self, phase: Phase) -> Option<String> {
        let is_directory = self.blueprint.origin == Origin::Directory;
        match phase {
            Phase::FenceTarget | Phase::FenceSource
                if !(self.is_fenced_fully() || (phase == Phase::FenceSource && self.hands_over())) =>
            {
                Some("--fence=pause: the pause and the watch are the only fence".to_owned())
            }
            Phase::PreCopy | Phase::Quiesce | Phase::FenceSource | Phase::Snapshot | Phase::Prepare
                if self.gone.source =>
            {
                Some("the source is attested dead: what the target keeps of it counts".to_owned())
            }
            Phase::PreCopy if !self.options.terms.pre_copy => Some("--no-pre-copy".to_owned()),
            Phase::PreCopy if !self.is_fenced_fully() => Some("needs a fenced target".to_owned()),
            Phase::PreCopy | Phase::FenceSource | Phase::Quiesce if is_directory => {
                Some("the source is a directory: nobody acts there".to_owned())
            }
            Phase::Prepare if is_directory => {
                Some("the source is a directory: it promises nothing".to_owned())
            }
            Phase::Retire if is_directory => Some("the source is a directory: it stays as it is".to_owned()),
            Phase::Retire if self.gone.source => Some("the source cannot be reached".to_owned()),
            Phase::Retire if self.options.terms.retire == Retire::Keep => {
                Some("--retire=keep: the source's objects stay until `finalize`".to_owned())
            }
            _ => None,
        }
    }

    fn begin(&mut self, phase: Phase) {
        match phase {
            Phase::Plan => {}
            Phase::Lock => self.begin_lock(),
            Phase::FenceTarget => self.begin_fence(Side::Target),
            Phase::Quiesce => self.begin_quiesce(),
            Phase::FenceSource => self.begin_fence_source(),
            Phase::Snapshot => self.push(Step::Snapshot),
            Phase::PreCopy | Phase::Stage => self.begin_stage(),
            Phase::Verify => self.begin_verify(),
            Phase::Prepare => self.begin_prepare(),
            Phase::Commit => self.begin_commit(),
            Phase::Activate => self.begin_activate(),
            Phase::Observe => self.begin_observe(),
            Phase::Retire => self.push(Step::LastLook),
        }
    }

    /// Takes the outcome of a step that is not failing.
    fn settle(&mut self, step: Step, tries: Tries, outcome: Outcome) {
        match outcome {
            Outcome::Refused { class: RefusalClass::Busy, message, retry_after } => {
                self.retry(step, tries, &message, retry_after);
            }
            // Whether it was applied is looked up, never guessed and never blindly tried again (DESIGN section 2).
            Outcome::Unknown(message) if step.is_write() && !Defect::SkipReadBack.is_made() => {
                let key = self.key_of(&step);
                let side = self.side_of(&step);
                self.retry(Step::ReadBack { of: Box::new(step), side, key }, tries, &message, None);
            }
            Outcome::Unknown(message) => self.retry(step, tries, &message, None),
            outcome => self.settle_step(step, tries, outcome),
        }
    }

    fn retry(&mut self, step: Step, mut tries: Tries, reason: &str, asked: Option<Duration>) {
        let what = self.describe(&step);
        let side = self.side_of(&step);
        let Some(delay) = tries.next(self.options.patience, asked) else {
            let cause = format!("{what} on the {side} failed {} times: {reason}", tries.failures + 1);
            return if side == Side::Target && self.can_do_without_target() {
                self.give_up_target(&cause);
            } else {
                self.fail(cause);
            };
        };
        self.notices.push(Notice::Retrying {
            side,
            what,
            reason: reason.to_owned(),
            attempt: tries.failures,
            delay,
        });
        self.ready.push_back((step.delayed(delay), tries));
    }

    /// The phase cannot go on.
    fn fail(&mut self, cause: String) {
        if self.failing.is_none() {
            self.failing = Some(Failure { phase: self.phase, cause, why: Why::Failed });
        }
        self.fail_when_idle();
    }

    /// True from a failure on: nothing goes forward any more.
    fn is_failing(&self) -> bool {
        self.failing.is_some() || self.rollback.is_some()
    }

    /// What is under way may still be applied: nothing is undone before all of it is accounted for.
    fn fail_when_idle(&mut self) {
        self.ready.clear();
        if !self.in_flight.is_empty() {
            return;
        }
        let Some(failure) = self.failing.take() else { return };
        self.script = None;
        let Failure { phase, cause, why } = failure;
        if let Some(rollback) = &self.rollback {
            let cause = match why {
                Why::Failed => format!("the rollback could not finish: {cause}"),
                Why::Interrupted | Why::Deposed => cause,
            };
            let phase = rollback.phase();
            self.end = Some(self.suspended(phase, cause, why));
            return;
        }
        let may_suspend = self.blueprint.origin == Origin::Cluster;
        self.end = Some(match (self.phase.reversal(), why) {
            (Reversal::Nothing, _) => End::Failed { cause },
            (Reversal::Rollback, Why::Failed) if self.options.on_failure == OnFailure::Rollback => {
                return self.begin_rollback(phase, cause);
            }
            (Reversal::Rollback, Why::Failed | Why::Interrupted) if !may_suspend => {
                return self.begin_rollback(phase, cause);
            }
            (Reversal::InDoubt, Why::Failed) => End::InDoubt { cause },
            (Reversal::Forward, Why::Failed) if self.open => End::CleanupPending { cause },
            (Reversal::Rollback | Reversal::InDoubt | Reversal::Forward, why) => {
                self.suspended(phase, cause, why)
            }
        });
    }

    fn suspended(&self, phase: Phase, cause: String, why: Why) -> End {
        End::Suspended { phase, cause, interrupted: why == Why::Interrupted, active: self.active() }
    }

    /// Which side may act now, as far as is known.
    fn active(&self) -> Active {
        if self.open {
            return Active::Target;
        }
        let may_act = match self.rollback {
            Some(_) => {
                self.paused.is_empty()
                    && !self.ironic.may_be_stopped()
                    && !self.ledger.may_have(Side::Source, Doc::Binding)
            }
            None => self.phase <= Phase::PreCopy,
        };
        if may_act { Active::Source } else { Active::Neither }
    }

    fn concerns(&self, seen: &Seen) -> bool {
        match self.blueprint.source.inventory.find(&seen.key) {
            Some(id) if self.blueprint.staged.contains(&id) => {
                self.blueprint.object(id).manifest.resource_version() != seen.resource_version
            }
            // What stays may change, unless it comes to belong to what moves.
            Some(_) => self.belongs_to_staged(seen),
            None => self.could_join(seen),
        }
    }

    /// True for a new object that may be linked to what moves. Of Secrets and ConfigMaps only those count that have an owner which
    /// moves or are named already: controllers write others all the time.
    fn could_join(&self, seen: &Seen) -> bool {
        if self.belongs_to_staged(seen) {
            return true;
        }
        if seen.key.kind.is_secret_or_config_map() {
            let mut named = self.blueprint.links.unresolved.iter();
            return named.any(|name| name.to == seen.key && self.blueprint.staged.contains(&name.from));
        }
        self.blueprint.request.covers(seen.key.namespace.as_deref())
    }

    fn belongs_to_staged(&self, seen: &Seen) -> bool {
        let owners = seen.owners.iter().filter_map(|uid| self.blueprint.source.inventory.find_uid(uid));
        owners.into_iter().any(|owner| self.blueprint.staged.contains(&owner))
    }

    /// Where anything of this pivot may be: what is staged now, and what an earlier snapshot made us stage.
    fn extent(&self) -> Extent {
        let now = self.blueprint.extent();
        Extent {
            kinds: now.kinds.union(&self.reach.kinds).cloned().collect(),
            namespaces: now.namespaces.map(|names| match &self.reach.namespaces {
                Some(earlier) => names.union(earlier).cloned().collect(),
                None => names,
            }),
        }
    }

    /// A hundred steps are enough for anybody who looks on.
    fn progress(&mut self, done: usize, total: usize) {
        if done == total || done.is_multiple_of((total / 100).max(1)) {
            self.notices.push(Notice::Progress { phase: self.phase, done, total });
        }
    }
}
