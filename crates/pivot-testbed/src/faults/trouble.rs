//! What can happen to a pivot.

use std::fmt;

use super::{case::Instant, person::Deed, role::Role};
use crate::{plane::Component, proxy::Link, traffic::Fault};

/// What happens to one pivot.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// SIGKILL.
    Kill(Instant),
    /// SIGTERM.
    Interrupt(Instant),
    /// SIGSTOP; another process takes over and comes to an end; SIGCONT, and the write that it was about is let go on.
    Replaced(Instant),
    /// Another process is started while it is at work.
    Rival(Instant, Verb),
    /// A request of this side meets a fault.
    Reply(Role, Spoiled),
    /// The line to a side is cut, or stalls, for some seconds.
    Line(Instant, Role, Link),
    /// A program of a side is killed and started again, or frozen for some seconds.
    Outage(Instant, Role, Component, Outage),
    /// The target's etcd is restored from a backup that was made before the pivot.
    Restored(Instant),
    /// A person does something.
    Person(Instant, Deed),
    /// The local journal cannot be written.
    NoJournal(Disk),
    /// SIGKILL, and then something happens to the local journal.
    KillAndJournal(Instant, Harm),
}

/// What a second process is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Move,
    Resume,
    Rollback,
}

/// A fault and its words.
#[derive(Debug, Clone)]
pub(super) struct Spoiled {
    pub(super) words: String,
    pub(super) fault: Fault,
}

/// How a program is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outage {
    Killed,
    Frozen,
}

/// Why a journal cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// Its folder cannot be made.
    NoFolder,
    /// Writing fails after some kilobytes.
    Full,
}

/// What happens to a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    Deleted,
    CutOff,
    Flipped,
}

impl Verb {
    pub(super) const ALL: [Self; 3] = [Self::Move, Self::Resume, Self::Rollback];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Move => "move",
            Self::Resume => "resume",
            Self::Rollback => "rollback",
        }
    }
}

impl Trouble {
    /// The group of cases it is counted in.
    pub(super) fn group(&self) -> &'static str {
        match self {
            Self::Kill(_) => "tool killed (SIGKILL)",
            Self::Interrupt(_) => "tool interrupted (SIGTERM)",
            Self::Replaced(_) => "tool stopped, replaced, continued",
            Self::Rival(..) => "a second tool at the same time",
            Self::Reply(..) => "a request or a reply is spoiled",
            Self::Line(..) => "a side cannot be reached for some seconds",
            Self::Restored(_) => "the target's etcd restored from a backup",
            Self::Outage(_, _, Component::Etcd, _) => "etcd killed or frozen",
            Self::Outage(..) => "API server killed or frozen",
            Self::Person(_, Deed::Quota) => "a quota is set in the target",
            Self::Person(_, Deed::Webhook(_)) => "a webhook in the target denies, adds or alters",
            Self::Person(_, deed) if deed.role() == Role::Source => "a person writes to the source",
            Self::Person(..) => "a person writes to the target",
            Self::NoJournal(_) => "no journal can be written",
            Self::KillAndJournal(..) => "tool killed, journal damaged",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(instant) => write!(f, "killed {instant}"),
            Self::Interrupt(instant) => write!(f, "interrupted {instant}"),
            Self::Replaced(instant) => write!(f, "stopped and replaced {instant}"),
            Self::Rival(instant, verb) => write!(f, "a second `{}` {instant}", verb.word()),
            Self::Reply(role, spoiled) => write!(f, "{role}: {}", spoiled.words),
            Self::Line(instant, role, Link::Stalled) => write!(f, "{role} does not answer {instant}"),
            Self::Line(instant, role, _) => write!(f, "{role} cut off {instant}"),
            Self::Outage(instant, role, component, outage) => {
                let outage = if *outage == Outage::Killed { "killed" } else { "frozen" };
                write!(f, "{component} of the {role} {outage} {instant}")
            }
            Self::Restored(instant) => write!(f, "the target restored from a backup {instant}"),
            Self::Person(instant, deed) => write!(f, "a person {deed} {instant}"),
            Self::NoJournal(Disk::NoFolder) => f.write_str("no folder for the journal"),
            Self::NoJournal(Disk::Full) => f.write_str("no space for the journal"),
            Self::KillAndJournal(instant, harm) => {
                let harm = match harm {
                    Harm::Deleted => "deleted",
                    Harm::CutOff => "cut off",
                    Harm::Flipped => "with a flipped bit",
                };
                write!(f, "killed, its journal {harm}, {instant}")
            }
        }
    }
}
