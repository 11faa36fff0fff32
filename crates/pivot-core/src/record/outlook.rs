//! What the records of a pivot tell whoever only looks: which side acts, and what is to be done next.

use serde::Serialize;

use super::ownership::{Ownership, Standing};
use super::pivot::{PivotRecord, State};
use crate::machine::{Active, Phase, Retire};
use crate::plan::Origin;

/// What could be learned of one side.
#[derive(Clone, Copy, Debug, Default)]
pub struct View<'a> {
    /// Its ownership record, where it answered and has one.
    pub ownership: Option<&'a Ownership>,
    /// Its record of the pivot. Nothing follows from there being none (DESIGN I4).
    pub record: Option<&'a PivotRecord>,
}

impl View<'_> {
    fn state(&self) -> Option<State> {
        self.record.map(|record| record.state)
    }

    fn is_active_by(&self, pivot: &str) -> bool {
        self.ownership.is_some_and(|o| o.standing == Standing::Active && o.pivot == pivot)
    }
}

/// Which side acts, as far as can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acting {
    /// The source.
    Source,
    /// The target.
    Target,
    /// Neither, until the pivot goes on.
    Neither,
    /// The source is prepared, and the target's answer is not known.
    InDoubt,
    /// What there is to read does not tell.
    Unknown,
}

impl From<Active> for Acting {
    fn from(active: Active) -> Self {
        match active {
            Active::Source => Self::Source,
            Active::Target => Self::Target,
            Active::Neither => Self::Neither,
        }
    }
}

impl Acting {
    /// Seen with the two sides exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Self::Source => Self::Target,
            Self::Target => Self::Source,
            Self::Neither | Self::InDoubt | Self::Unknown => self,
        }
    }
}

/// What is to be done with a pivot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// It is not finished.
    Resume,
    /// It went through, and the source keeps its objects (`--retire=keep`).
    Finalize,
}

/// Which side acts, by the records of a pivot that both sides are known to take part in.
#[expect(clippy::match_same_arms, reason = "the cases stand in the order of the protocol")]
pub fn acting(pivot: &str, source: &View<'_>, target: &View<'_>) -> Acting {
    // With another ownership the right to act has gone on since.
    match (source.state(), target.state()) {
        (_, Some(State::Committed | State::Finished)) if target.is_active_by(pivot) => Acting::Target,
        (_, Some(State::Committed)) => Acting::Neither,
        (_, Some(State::Finished)) => Acting::Unknown,
        (Some(State::Prepared), Some(State::Locked)) => Acting::Neither,
        (Some(State::Prepared), None) => Acting::InDoubt,
        // Nothing can be decided before the source is prepared: the target need not be asked.
        (Some(State::Locked), _) if phase(source) <= Phase::PreCopy => Acting::Source,
        (Some(State::Locked), _) => Acting::Neither,
        (Some(State::Aborting | State::Aborted), _) if source.is_active_by(pivot) => Acting::Source,
        (Some(State::Aborting | State::Prepared), _) => Acting::Neither,
        // A directory does not act, and its target does not yet.
        (None, Some(State::Locked | State::Aborting)) if is_import(target) => Acting::Neither,
        (Some(State::Aborted | State::Finished | State::Committed) | None, _) => Acting::Unknown,
    }
}

fn is_import(target: &View<'_>) -> bool {
    target.record.is_some_and(|record| record.origin == Origin::Directory)
}

fn phase(view: &View<'_>) -> Phase {
    view.record.map_or(Phase::Plan, |record| record.phase)
}

/// What is to be done next; `None` where the pivot has ended.
pub fn next(source: &View<'_>, target: &View<'_>) -> Option<Next> {
    let records = || [source, target].into_iter().filter_map(|view| view.record);
    if records().any(|record| !record.state.is_closed()) {
        return Some(Next::Resume);
    }
    let is_kept = |record: &PivotRecord| {
        let finished = record.state == State::Finished && record.origin == Origin::Cluster;
        finished && record.terms.retire == Retire::Keep
    };
    if records().any(is_kept) {
        return Some(Next::Finalize);
    }
    // Its last step was still to come: it holds Secrets that nobody needs any more.
    let keeps_snapshot = target.record.is_some_and(|record| record.snapshot.is_some());
    keeps_snapshot.then_some(Next::Resume)
}

#[cfg(test)]
mod tests {
    use super::super::{FORMAT, FenceMode, SnapshotMark, Terms};
    use super::*;
    use crate::digest::Digest;
    use crate::machine::Side;
    use crate::plan::{ClusterIdentity, Origin};

    const PIVOT: &str = "p1";

    fn record(side: Side, state: State, phase: Phase) -> PivotRecord {
        let identity = |name: &str| ClusterIdentity { name: name.to_owned(), id: format!("id-of-{name}") };
        PivotRecord {
            format: FORMAT,
            tool: "0".to_owned(),
            id: PIVOT.to_owned(),
            side,
            epoch: 1,
            source: identity("boot"),
            target: identity("mgmt"),
            origin: Origin::Cluster,
            state,
            phase,
            coordinator: String::new(),
            token: String::new(),
            terms: Terms { fence: FenceMode::Full, ..Terms::default() },
            before: None,
            reach: None,
            asked: std::collections::BTreeSet::new(),
            pauses: Vec::new(),
            captured: Vec::new(),
            fenced: true,
            source_fence: None,
            ironic: None,
            snapshot: None,
            cause: None,
        }
    }

    fn owned(standing: Standing) -> Ownership {
        let (cluster, pivot) = (String::new(), PIVOT.to_owned());
        Ownership { format: FORMAT, cluster, standing, epoch: 1, pivot, peer: None }
    }

    fn view(found: Option<&(PivotRecord, Ownership)>) -> View<'_> {
        View { record: found.map(|(record, _)| record), ownership: found.map(|(_, ownership)| ownership) }
    }

    /// What is told for two states, each with the standing that goes with it; `None` for a side that does not answer.
    fn told(
        source: Option<(State, Phase, Standing)>,
        target: Option<(State, Standing)>,
    ) -> (Acting, Option<Next>) {
        let here =
            source.map(|(state, phase, standing)| (record(Side::Source, state, phase), owned(standing)));
        let there =
            target.map(|(state, standing)| (record(Side::Target, state, Phase::Stage), owned(standing)));
        let (s, t) = (view(here.as_ref()), view(there.as_ref()));
        (acting(PIVOT, &s, &t), next(&s, &t))
    }

    #[test]
    fn the_records_tell_who_acts() {
        use {Phase as P, Standing as O, State as S};
        let resume = Some(Next::Resume);
        let handing = |state, phase| Some((state, phase, O::HandingOver));
        for (source, target, expected) in [
            (handing(S::Locked, P::PreCopy), Some((S::Locked, O::Receiving)), (Acting::Source, resume)),
            (handing(S::Locked, P::Stage), Some((S::Locked, O::Receiving)), (Acting::Neither, resume)),
            (handing(S::Locked, P::PreCopy), None, (Acting::Source, resume)),
            (handing(S::Prepared, P::Prepare), Some((S::Locked, O::Receiving)), (Acting::Neither, resume)),
            (handing(S::Prepared, P::Prepare), None, (Acting::InDoubt, resume)),
            (handing(S::Prepared, P::Prepare), Some((S::Aborted, O::Receiving)), (Acting::Neither, resume)),
            (handing(S::Prepared, P::Prepare), Some((S::Committed, O::Receiving)), (Acting::Neither, resume)),
            (handing(S::Prepared, P::Prepare), Some((S::Committed, O::Active)), (Acting::Target, resume)),
            (handing(S::Aborting, P::Stage), Some((S::Locked, O::Receiving)), (Acting::Neither, resume)),
            (Some((S::Aborting, P::Stage, O::Active)), None, (Acting::Source, resume)),
            (Some((S::Aborted, P::Stage, O::Active)), None, (Acting::Source, None)),
            (
                Some((S::Finished, P::Retire, O::Retired)),
                Some((S::Finished, O::Active)),
                (Acting::Target, None),
            ),
        ] {
            assert_eq!(told(source, target), expected, "{source:?} {target:?}");
        }
    }

    #[test]
    fn a_side_that_does_not_answer_is_not_spoken_for() {
        use {Phase as P, Standing as O, State as S};
        assert_eq!(told(None, Some((S::Locked, O::Receiving))).0, Acting::Unknown);
        assert_eq!(told(Some((S::Finished, P::Retire, O::Retired)), None).0, Acting::Unknown);
        assert_eq!(told(None, Some((S::Committed, O::Active))).0, Acting::Target);
        assert_eq!(told(None, None), (Acting::Unknown, None));
    }

    #[test]
    fn what_the_source_keeps_is_still_to_be_finalized() {
        let mut kept = record(Side::Source, State::Finished, Phase::Retire);
        kept.terms.retire = Retire::Keep;
        let source = View { ownership: None, record: Some(&kept) };
        assert_eq!(next(&source, &View::default()), Some(Next::Finalize));
    }

    #[test]
    fn a_snapshot_that_nobody_needs_is_still_to_go() {
        let finished = record(Side::Source, State::Finished, Phase::Retire);
        let mut keeps = record(Side::Target, State::Finished, Phase::Retire);
        let told = |target: &PivotRecord| {
            let view = |record| View { ownership: None, record: Some(record) };
            next(&view(&finished), &view(target))
        };
        assert_eq!(told(&keeps), None);
        keeps.snapshot = Some(SnapshotMark { digest: Digest::of(b""), chunks: 1, objects: 1 });
        assert_eq!(told(&keeps), Some(Next::Resume));
    }
}
