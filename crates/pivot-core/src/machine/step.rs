//! Steps: what an effect was for, so that its outcome finds its way back.

use std::sync::Arc;
use std::time::Duration;

use super::Machine;
use super::capture::Stand;
use super::effect::{Act, Onlooker, Outcome, RefusalClass};
use super::ironic::IronicStep;
use super::ledger::Doc;
use super::notice::Side;
use super::retry::Tries;
use crate::object::{Manifest, ObjectKey};
use crate::record::{Ending, NAMESPACE};

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A record, a chunk of the snapshot, the policy.
    Doc(Side, Doc),
    /// A document was written by somebody else: is the pivot still ours?
    Confirm(Side, Doc),
    /// Does the fence hold?
    Canary(Side, Onlooker),
    /// A Lease or Deployment is taken by the fence.
    Hold(Side, usize),
    /// Does it stand as it should: can its former holder still act, is it stopped, does it serve?
    Idle(Side, usize, Stand),
    /// Are pods of it left?
    Left(Side, usize, Stand),
    /// It is given back, or put to rest.
    Free(Side, usize, Ending),
    /// Something with a side's Ironic.
    Ironic(Side, IronicStep),
    /// After the commit, in another run: what is in the target.
    Rejoin,
    Pause(ObjectKey),
    Acknowledge,
    Snapshot,
    Watch,
    Unwatch,
    ListStaged,
    Namespace(String),
    Create(usize),
    Replace(usize),
    Status(usize),
    Seal(usize),
    GlanceSource,
    /// RETIRE: what came to belong to an object that is about to go.
    LastLook,
    ListTarget,
    /// VERIFY: which objects of the target are as they were when they were compared.
    GlanceTarget,
    /// VERIFY: one that is not.
    Examine(usize),
    Open(ObjectKey),
    /// OBSERVE: does anybody lead by this lease of the target?
    Leads(ObjectKey),
    Observe,
    /// DELETE or strip of one entry of the removal under way.
    Remove(usize),
    /// Rollback: what of ours is in the target.
    Sweep,
    /// Rollback: is this of ours there, although it was not listed?
    Unlisted(ObjectKey),
    /// At the end: what else is beside the records in the target.
    Leftovers,
    /// Rollback: the original pause value.
    Restore(ObjectKey),
    /// Rollback: is this namespace one that we created?
    LookUpNamespace(ObjectKey),
    /// Rollback: who else lives in a namespace that we created?
    Occupants(ObjectKey),
    /// Rollback: a namespace that we created.
    DropNamespace(ObjectKey),
    /// An outcome is unknown, or a guard did not hold: how does the object stand?
    ReadBack {
        of: Box<Self>,
        side: Side,
        key: ObjectKey,
    },
    /// The same after a wait.
    Delayed(Duration, Box<Self>),
}

impl Step {
    pub(super) fn delayed(self, delay: Duration) -> Self {
        match self {
            Self::Delayed(_, step) => Self::Delayed(delay, step),
            step => Self::Delayed(delay, Box::new(step)),
        }
    }

    pub(super) fn delay(&self) -> Duration {
        match self {
            Self::Delayed(delay, _) => *delay,
            _ => Duration::ZERO,
        }
    }

    pub(super) fn is_write(&self) -> bool {
        match self {
            Self::Delayed(_, step) => step.is_write(),
            Self::Doc(..)
            | Self::Hold(..)
            | Self::Free(..)
            | Self::Pause(_)
            | Self::Namespace(_)
            | Self::Create(_)
            | Self::Replace(_)
            | Self::Status(_)
            | Self::Seal(_)
            | Self::Open(_)
            | Self::Remove(_)
            | Self::Restore(_)
            | Self::DropNamespace(_) => true,
            Self::Confirm(..)
            | Self::Canary(..)
            | Self::Idle(..)
            | Self::Left(..)
            | Self::Ironic(..)
            | Self::Rejoin
            | Self::Acknowledge
            | Self::Snapshot
            | Self::Watch
            | Self::Unwatch
            | Self::ListStaged
            | Self::GlanceSource
            | Self::LastLook
            | Self::ListTarget
            | Self::GlanceTarget
            | Self::Examine(_)
            | Self::Leads(_)
            | Self::Observe
            | Self::Sweep
            | Self::Leftovers
            | Self::Unlisted(_)
            | Self::LookUpNamespace(_)
            | Self::Occupants(_)
            | Self::ReadBack { .. } => false,
        }
    }
}

impl Machine {
    /// What a step asks to be done.
    pub(super) fn act(&self, step: &Step) -> Act {
        match step {
            Step::Doc(side, doc) => Act::Write(self.doc_write(*side, *doc)),
            Step::Confirm(side, _) => Act::Read { side: *side, key: self.doc_key(Doc::Record) },
            Step::Canary(side, onlooker) => Act::Canary { side: *side, onlooker: onlooker.clone() },
            Step::Hold(side, index) => Act::Write(self.manager_write(*side, *index, Stand::Held)),
            Step::Idle(side, index, _) => self.look_at_manager(*side, *index),
            Step::Left(side, index, _) => self.look_at_pods(*side, *index),
            Step::Free(side, index, ending) => {
                Act::Write(self.manager_write(*side, *index, Stand::Ended(*ending)))
            }
            Step::Ironic(side, step) => Act::Ironic { side: *side, job: self.ironic_job(*side, *step) },
            Step::Acknowledge | Step::Snapshot => {
                Act::Inventory { known: Arc::new(self.blueprint.source.inventory.clone()) }
            }
            Step::Watch => Act::Watch,
            Step::Unwatch => Act::Unwatch,
            Step::ListStaged | Step::ListTarget | Step::Sweep | Step::Rejoin => {
                Act::ListTarget(self.extent())
            }
            Step::GlanceSource | Step::LastLook => {
                Act::Glance { side: Side::Source, extent: self.everything() }
            }
            Step::GlanceTarget | Step::Observe => Act::Glance { side: Side::Target, extent: self.extent() },
            Step::Examine(item) => Act::Read { side: Side::Target, key: self.stage.item(*item).key.clone() },
            Step::ReadBack { side, key, .. } => Act::Read { side: *side, key: key.clone() },
            Step::Leads(key) | Step::Unlisted(key) | Step::LookUpNamespace(key) => {
                Act::Read { side: Side::Target, key: key.clone() }
            }
            Step::Occupants(key) => Act::Occupants(key.name.clone()),
            Step::Leftovers => Act::Occupants(NAMESPACE.to_owned()),
            Step::Delayed(_, step) => self.act(step),
            Step::Pause(key) => Act::Write(self.pause_write(key)),
            Step::Namespace(name) => Act::Write(self.namespace_write(name)),
            Step::Create(item) => Act::Write(self.create_write(*item)),
            Step::Replace(item) => Act::Write(self.replace_write(*item)),
            Step::Status(item) => Act::Write(self.status_write(*item)),
            Step::Seal(item) => Act::Write(self.seal_write(*item)),
            Step::Open(key) => Act::Write(self.open_write(key)),
            Step::Remove(entry) => Act::Write(self.removal().write(*entry)),
            Step::Restore(key) => Act::Write(self.restore_write(key)),
            Step::DropNamespace(key) => Act::Write(self.drop_namespace_write(key)),
        }
    }

    pub(super) fn side_of(&self, step: &Step) -> Side {
        match step {
            Step::Doc(side, _)
            | Step::Confirm(side, _)
            | Step::Canary(side, _)
            | Step::Hold(side, _)
            | Step::Idle(side, ..)
            | Step::Left(side, ..)
            | Step::Free(side, ..)
            | Step::Ironic(side, _)
            | Step::ReadBack { side, .. } => *side,
            Step::Delayed(_, step) => self.side_of(step),
            Step::Remove(_) => self.removal().side(),
            Step::Pause(_)
            | Step::Acknowledge
            | Step::Snapshot
            | Step::Watch
            | Step::Unwatch
            | Step::GlanceSource
            | Step::LastLook
            | Step::Restore(_) => Side::Source,
            Step::ListStaged
            | Step::Rejoin
            | Step::Namespace(_)
            | Step::Create(_)
            | Step::Replace(_)
            | Step::Status(_)
            | Step::Seal(_)
            | Step::ListTarget
            | Step::GlanceTarget
            | Step::Examine(_)
            | Step::Open(_)
            | Step::Leads(_)
            | Step::Observe
            | Step::Sweep
            | Step::Leftovers
            | Step::Unlisted(_)
            | Step::LookUpNamespace(_)
            | Step::Occupants(_)
            | Step::DropNamespace(_) => Side::Target,
        }
    }

    /// The object that a write step is about.
    pub(super) fn key_of(&self, step: &Step) -> ObjectKey {
        match step {
            Step::Delayed(_, step) => self.key_of(step),
            Step::Pause(key)
            | Step::Open(key)
            | Step::Leads(key)
            | Step::Restore(key)
            | Step::Unlisted(key)
            | Step::LookUpNamespace(key)
            | Step::Occupants(key)
            | Step::DropNamespace(key)
            | Step::ReadBack { key, .. } => key.clone(),
            Step::Namespace(name) => super::stage::namespace_key(name),
            Step::Doc(_, doc) => self.doc_key(*doc),
            Step::Hold(side, index)
            | Step::Idle(side, index, _)
            | Step::Left(side, index, _)
            | Step::Free(side, index, _) => self.captures.key(*side, *index).clone(),
            Step::Create(item)
            | Step::Replace(item)
            | Step::Status(item)
            | Step::Seal(item)
            | Step::Examine(item) => self.stage.item(*item).key.clone(),
            Step::Remove(entry) => self.removal().entry(*entry).key.clone(),
            Step::Confirm(..)
            | Step::Canary(..)
            | Step::Ironic(..)
            | Step::Rejoin
            | Step::Acknowledge
            | Step::Snapshot
            | Step::Watch
            | Step::Unwatch
            | Step::ListStaged
            | Step::GlanceSource
            | Step::LastLook
            | Step::ListTarget
            | Step::GlanceTarget
            | Step::Observe
            | Step::Sweep
            | Step::Leftovers => unreachable!("BUG: {step:?} is about no single object"),
        }
    }

    /// Words for people.
    pub(super) fn describe(&self, step: &Step) -> String {
        match step {
            Step::Delayed(_, step) => self.describe(step),
            Step::ReadBack { key, .. }
            | Step::Leads(key)
            | Step::Unlisted(key)
            | Step::LookUpNamespace(key) => format!("reading {key}"),
            Step::Examine(_) => format!("reading {}", self.key_of(step)),
            Step::Doc(..) => format!("writing {}", self.key_of(step)),
            Step::Confirm(..) => "reading the record".to_owned(),
            Step::Canary(..) => "trying the fence".to_owned(),
            Step::Hold(..) => format!("taking {}", self.key_of(step)),
            Step::Idle(..) => format!("waiting for the holder of {}", self.key_of(step)),
            Step::Left(..) => format!("listing the pods of {}", self.key_of(step)),
            Step::Free(..) => format!("giving back {}", self.key_of(step)),
            Step::Ironic(_, step) => step.describe().to_owned(),
            Step::Rejoin
            | Step::Acknowledge
            | Step::Snapshot
            | Step::GlanceSource
            | Step::LastLook
            | Step::ListStaged
            | Step::ListTarget
            | Step::GlanceTarget
            | Step::Observe
            | Step::Sweep
            | Step::Leftovers => "listing".to_owned(),
            Step::Watch | Step::Unwatch => "watching".to_owned(),
            Step::Pause(key) => format!("pausing {key}"),
            Step::Open(key) | Step::Restore(key) => format!("unpausing {key}"),
            Step::Namespace(name) => format!("creating namespace {name}"),
            Step::Occupants(key) => format!("listing what is in {key}"),
            Step::DropNamespace(key) => format!("removing {key}"),
            Step::Create(_) => format!("creating {}", self.key_of(step)),
            Step::Replace(_) => format!("replacing {}", self.key_of(step)),
            Step::Status(_) => format!("writing the status of {}", self.key_of(step)),
            Step::Seal(_) => format!("completing {}", self.key_of(step)),
            Step::Remove(_) => format!("removing {}", self.key_of(step)),
        }
    }

    /// Takes an outcome that is neither busy nor unknown.
    pub(super) fn settle_step(&mut self, step: Step, tries: Tries, outcome: Outcome) {
        match step {
            Step::Delayed(_, step) => self.settle_step(*step, tries, outcome),
            Step::ReadBack { of, .. } => match outcome {
                Outcome::Read(found) => self.read_back(*of, tries, found.map(|boxed| *boxed)),
                other => self.refused("reading back", other),
            },
            Step::Doc(side, doc) => self.settle_doc(side, doc, tries, outcome),
            Step::Confirm(side, doc) => self.settle_confirm(side, doc, tries, outcome),
            Step::Canary(side, onlooker) => self.settle_canary(side, onlooker, outcome),
            Step::Hold(side, index) => self.settle_hold(side, index, tries, outcome),
            Step::Idle(side, index, stand) => self.settle_idle(side, index, stand, outcome),
            Step::Left(side, index, stand) => self.settle_left(side, index, stand, outcome),
            Step::Free(side, index, ending) => self.settle_free(side, index, ending, tries, outcome),
            Step::Ironic(side, step) => self.settle_ironic(side, step, outcome),
            Step::Rejoin => self.settle_rejoin(outcome),
            Step::Pause(key) => self.settle_pause(key, tries, outcome),
            Step::Acknowledge => self.settle_acknowledge(outcome),
            Step::Snapshot => self.settle_snapshot(outcome),
            Step::Watch => self.settle_watch(&outcome),
            Step::Unwatch => {}
            Step::ListStaged => self.settle_list_staged(outcome),
            Step::Namespace(name) => self.settle_namespace(&name, outcome),
            Step::Create(item) => self.settle_create(item, tries, outcome),
            Step::Replace(item) => self.settle_replace(item, tries, outcome),
            Step::Status(item) => self.settle_status(item, tries, outcome),
            Step::Seal(item) => self.settle_seal(item, tries, outcome),
            Step::GlanceSource => self.settle_glance_source(outcome),
            Step::LastLook => self.settle_last_look(outcome),
            Step::ListTarget => self.settle_list_target(outcome),
            Step::GlanceTarget => self.settle_glance_target(outcome),
            Step::Examine(item) => self.settle_examine(item, outcome),
            Step::Open(key) => self.settle_open(key, tries, outcome),
            Step::Leads(key) => self.settle_leads(key, outcome),
            Step::Observe => self.settle_observe(outcome),
            Step::Remove(entry) => self.settle_remove(entry, tries, outcome),
            Step::Sweep => self.settle_sweep(outcome),
            Step::Unlisted(key) => self.settle_unlisted(key, outcome),
            Step::Leftovers => self.settle_leftovers(outcome),
            Step::Restore(key) => self.settle_restore(key, tries, outcome),
            Step::LookUpNamespace(key) => self.settle_look_up_namespace(key, tries, outcome),
            Step::Occupants(key) => self.settle_occupants(key, tries, outcome),
            Step::DropNamespace(key) => self.settle_drop_namespace(key, tries, outcome),
        }
    }

    /// Decides by the object as it stands what became of a step.
    fn read_back(&mut self, step: Step, tries: Tries, found: Option<Manifest>) {
        match step {
            Step::Delayed(_, step) => self.read_back(*step, tries, found),
            Step::Doc(side, doc) => self.read_back_doc(side, doc, tries, found.as_ref()),
            Step::Hold(side, index) => self.read_back_hold(side, index, tries, found.as_ref()),
            Step::Free(side, index, ending) => {
                self.read_back_free(side, index, ending, tries, found.as_ref());
            }
            Step::Pause(key) => self.read_back_pause(key, tries, found.as_ref()),
            Step::Namespace(name) => self.read_back_namespace(&name, tries, found.as_ref()),
            Step::Create(item) => self.read_back_create(item, tries, found.as_ref()),
            Step::Replace(item) => self.read_back_replace(item, tries, found.as_ref()),
            Step::Status(item) => self.read_back_status(item, tries, found.as_ref()),
            Step::Seal(item) => self.read_back_seal(item, tries, found.as_ref()),
            Step::Open(key) => self.read_back_open(key, tries, found.as_ref()),
            Step::Remove(entry) => self.read_back_remove(entry, tries, found.as_ref()),
            Step::Restore(key) => self.read_back_restore(key, tries, found.as_ref()),
            Step::DropNamespace(key) => self.look_up_namespace(key, tries, found.as_ref()),
            step => unreachable!("BUG: {step:?} is no write"),
        }
    }

    /// A guard did not hold: looks at the object again.
    pub(super) fn look_again(&mut self, step: Step, mut tries: Tries, message: &str) {
        let (side, key) = (self.side_of(&step), self.key_of(&step));
        let what = self.describe(&step);
        match tries.next(self.options.patience, None) {
            Some(delay) => {
                let back = Step::ReadBack { of: Box::new(step), side, key };
                self.ready.push_back((back.delayed(delay), tries));
            }
            None => self.fail(format!("{what} on the {side} keeps failing: {message}")),
        }
    }

    /// The same step again, after another look at the object.
    pub(super) fn again(&mut self, step: Step, tries: Tries) {
        self.ready.push_back((step, tries));
    }

    /// A permanent refusal.
    pub(super) fn refused(&mut self, what: &str, outcome: Outcome) {
        let cause = match outcome {
            Outcome::Refused { class, message, .. } => {
                let hint = match class {
                    RefusalClass::Denied => "refused",
                    RefusalClass::Conflict => "in conflict",
                    RefusalClass::Exists => "already there",
                    RefusalClass::NotFound => "not found",
                    RefusalClass::Busy => "busy",
                };
                format!("{what}: {hint}: {message}")
            }
            other => format!("BUG: {what} was answered by {other:?}"),
        };
        self.fail(cause);
    }
}
