//! LOCK, PREPARE and COMMIT: what the two records say, and when.

use serde_json::Value;

use super::defect::Defect;
use super::ledger::Doc;
use super::notice::Side;
use super::proof::Committed;
use super::script::Then;
use super::step::Step;
use super::{Machine, Phase};
use crate::ironic::Stack;
use crate::object::Manifest;
use crate::plan::ClusterIdentity;
use crate::record::{Document as _, FORMAT, Ownership, Pause, PivotRecord, SnapshotMark, Standing, State};

/// What an earlier run of this pivot, or an earlier pivot, left in one cluster.
#[derive(Clone, Debug, Default)]
pub struct PastSide {
    /// The ownership record, with what it says.
    pub ownership: Option<(Ownership, Manifest)>,
    /// The record of this pivot.
    pub record: Option<(PivotRecord, Manifest)>,
    /// The admission policy of this pivot.
    pub policy: Option<Manifest>,
    /// Its binding.
    pub binding: Option<Manifest>,
    /// Chunks of the snapshot, in their order.
    pub chunks: Vec<Manifest>,
    /// The Ironic of this side as it was when an earlier pivot stopped it and left it so.
    pub ironic: Option<Stack>,
}

/// What there is to know from before.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// In the source.
    pub source: PastSide,
    /// In the target.
    pub target: PastSide,
    /// Pauses of ours and the values before, where the target's snapshot tells them.
    pub pauses: Vec<Pause>,
}

/// What one side's record says beyond the pivot itself.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) state: State,
    /// Ownership before the pivot.
    before: Option<Ownership>,
    /// Another pivot has the cluster.
    taken: bool,
    pub(super) fenced: bool,
}

/// Both entries and what they share.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    source: Entry,
    target: Entry,
    epoch: u64,
    pub(super) snapshot: Option<SnapshotMark>,
    pub(super) cause: Option<String>,
}

impl Entries {
    pub(super) fn of(past: &Past, pivot_id: &str) -> Self {
        let entry = |side: &PastSide| {
            let owned = side.ownership.as_ref().map(|(ownership, _)| ownership);
            let taken = owned.is_some_and(|owned| {
                owned.pivot != pivot_id
                    && matches!(owned.standing, Standing::HandingOver | Standing::Receiving)
            });
            if let Some((record, _)) = &side.record {
                let (before, fenced) = (record.before.clone(), record.fenced);
                Entry { state: record.state, before, taken, fenced }
            } else {
                let before = owned.filter(|owned| owned.pivot != pivot_id).cloned();
                Entry { state: State::Locked, before, taken, fenced: false }
            }
        };
        let records = [&past.source.record, &past.target.record].into_iter().flatten();
        let open = records.map(|(record, _)| record.epoch).max();
        let owned = [&past.source.ownership, &past.target.ownership].into_iter().flatten();
        let last = owned.map(|(ownership, _)| ownership.epoch).max().unwrap_or(0);
        Self {
            source: entry(&past.source),
            target: entry(&past.target),
            epoch: open.unwrap_or(last + 1),
            snapshot: past.target.record.as_ref().and_then(|(record, _)| record.snapshot.clone()),
            cause: None,
        }
    }

    pub(super) fn get(&self, side: Side) -> &Entry {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    pub(super) fn get_mut(&mut self, side: Side) -> &mut Entry {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }
}

impl Machine {
    /// What is written before anything else is: what has to be undone, and by whom it is done.
    pub(super) fn begin_lock(&mut self) {
        self.note_asked();
        self.note_captures();
        let fenced = self.is_fenced_fully();
        for side in [Side::Source, Side::Target] {
            self.entries.get_mut(side).fenced |= fenced;
        }
        let state = |side: Side| self.entries.get(side).state;
        let (source, target) = (state(Side::Source), state(Side::Target));
        let waves = vec![
            self.enter(Side::Source, source),
            self.enter(Side::Target, target),
            self.own(Side::Source, Standing::HandingOver)
                .into_iter()
                .chain(self.own(Side::Target, Standing::Receiving))
                .collect(),
        ];
        self.play(waves, Then::Locked);
    }

    /// The step that brings a side's record up to date, in this state.
    pub(super) fn enter(&mut self, side: Side, state: State) -> Vec<Step> {
        self.entries.get_mut(side).state = state;
        let content = self.record(side).to_object(&self.doc_key(Doc::Record));
        self.want(side, Doc::Record, Some(content)).into_iter().collect()
    }

    /// The same without another state.
    pub(super) fn save(&mut self, side: Side) -> Vec<Step> {
        let state = self.entries.get(side).state;
        self.enter(side, state)
    }

    /// The step that says what a cluster is.
    pub(super) fn own(&mut self, side: Side, standing: Standing) -> Vec<Step> {
        let (cluster, peer) = match side {
            Side::Source => (self.source_identity(), self.target_identity()),
            Side::Target => (self.target_identity(), self.source_identity()),
        };
        let ownership = Ownership {
            format: FORMAT,
            cluster: cluster.id,
            standing,
            epoch: self.entries.epoch,
            pivot: self.options.pivot_id.clone(),
            peer: Some(peer),
        };
        let content = ownership.to_object(&self.doc_key(Doc::Ownership));
        self.want(side, Doc::Ownership, Some(content)).into_iter().collect()
    }

    /// Before a rollback by somebody else than began it: what an earlier coordinator may still have under way for the ownership
    /// record meets another revision.
    pub(super) fn claim(&mut self, side: Side) -> Vec<Step> {
        if self.entries.get(side).taken || self.ledger.is_ours(side, Doc::Ownership) {
            return Vec::new();
        }
        self.own(side, if side == Side::Source { Standing::HandingOver } else { Standing::Receiving })
    }

    /// After a rollback: what a cluster was before, at the epoch that it has reached.
    pub(super) fn disown(&mut self, side: Side) -> Vec<Step> {
        if !self.ledger.is_ours(side, Doc::Ownership) {
            return Vec::new();
        }
        let content: Option<Value> = match (side, &self.entries.get(side).before) {
            (Side::Target, None) => None,
            (_, before) => {
                let standing = before.as_ref().map_or(Standing::Active, |before| before.standing);
                let mut ownership = Ownership {
                    format: FORMAT,
                    cluster: String::new(),
                    standing: if side == Side::Source { Standing::Active } else { standing },
                    epoch: self.entries.epoch,
                    pivot: self.options.pivot_id.clone(),
                    peer: before.as_ref().and_then(|before| before.peer.clone()),
                };
                ownership.cluster = match side {
                    Side::Source => self.source_identity().id,
                    Side::Target => self.target_identity().id,
                };
                Some(ownership.to_object(&self.doc_key(Doc::Ownership)))
            }
        };
        self.want(side, Doc::Ownership, content).into_iter().collect()
    }

    fn source_identity(&self) -> ClusterIdentity {
        let source = &self.blueprint.source;
        ClusterIdentity { name: source.name.clone(), id: source.inventory.cluster_id.clone() }
    }

    fn target_identity(&self) -> ClusterIdentity {
        let target = self.blueprint.target.as_ref();
        target.map_or_else(
            || ClusterIdentity { name: String::new(), id: String::new() },
            |target| ClusterIdentity { name: target.name.clone(), id: target.inventory.cluster_id.clone() },
        )
    }

    /// The pauses of ours, with the values before.
    pub(super) fn pauses(&self) -> Vec<Pause> {
        let pause = |(key, paused): (&_, &super::quiesce::Paused)| Pause {
            key: Clone::clone(key),
            original: paused.original.clone(),
        };
        self.paused.iter().map(pause).collect()
    }

    fn record(&self, side: Side) -> PivotRecord {
        let entry = self.entries.get(side);
        let here = |target: bool| target == (side == Side::Target);
        PivotRecord {
            format: FORMAT,
            tool: self.options.tool.clone(),
            id: self.options.pivot_id.clone(),
            side,
            epoch: self.entries.epoch,
            source: self.source_identity(),
            target: self.target_identity(),
            origin: self.blueprint.origin,
            state: entry.state,
            phase: self.phase,
            coordinator: self.options.coordinator.clone(),
            token: self.options.token.clone(),
            terms: self.options.terms.clone(),
            before: entry.before.clone(),
            reach: here(true).then(|| self.extent()),
            asked: if here(true) {
                self.stage.asked_namespaces.iter().map(|key| key.name.clone()).collect()
            } else {
                std::collections::BTreeSet::new()
            },
            pauses: if here(false) && !Defect::ForgetOriginals.is_made() {
                self.pauses()
            } else {
                Vec::new()
            },
            captured: if entry.fenced { self.captures.of(side).to_vec() } else { Vec::new() },
            fenced: entry.fenced,
            source_fence: if here(true) { self.source_proof() } else { None },
            ironic: self.recorded_ironic(side),
            snapshot: if here(true) { self.entries.snapshot.clone() } else { None },
            cause: self.entries.cause.clone(),
        }
    }

    pub(super) fn begin_prepare(&mut self) {
        if Defect::CommitUnprepared.is_made() {
            return self.prepared();
        }
        let waves = vec![self.enter(Side::Source, State::Prepared)];
        self.play(waves, Then::Prepared);
    }

    pub(super) fn prepared(&mut self) {
        if self.dirty.is_empty() {
            self.advance("the source waits for the target's answer".to_owned());
            return;
        }
        // A change after VERIFY. Prepared, the source may act again only once the target's record says that it may (R2).
        let names: Vec<_> = self.dirty.iter().take(5).map(ToString::to_string).collect();
        self.entries.cause = Some(format!("the source changed after it was compared: {}", names.join(", ")));
        let waves = vec![self.enter(Side::Target, State::Aborted)];
        self.play(waves, Then::CalledOff);
    }

    pub(super) fn called_off(&mut self) {
        let cause = self.entries.cause.clone().unwrap_or_default();
        self.begin_rollback(self.phase, cause);
    }

    pub(super) fn begin_commit(&mut self) {
        let waves = vec![self.enter(Side::Target, State::Committed)];
        self.play(waves, Then::Committed);
    }

    pub(super) fn decided(&mut self) {
        self.committed = Committed::of(&self.record(Side::Target));
        self.advance("the pivot is decided".to_owned());
    }

    /// True where a side holds a record of this pivot, or may hold one.
    pub(super) fn is_recorded(&self, side: Side) -> bool {
        self.has_side(side) && self.ledger.may_have(side, Doc::Record)
    }

    /// True where the target's record may say that the pivot is decided.
    pub(super) fn is_prepared(&self) -> bool {
        self.entries.get(Side::Source).state == State::Prepared && self.phase <= Phase::Commit
    }
}
