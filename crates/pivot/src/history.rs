//! The pivots that clusters remember.

use std::collections::BTreeSet;

use pivot_core::machine::Phase;
use pivot_core::plan::ClusterIdentity;
use pivot_core::record::State;
use serde::Serialize;

use crate::memory::{Memory, Recall};

/// A pivot, as the records of one or both of its sides tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PastPivot {
    /// Its id.
    pub id: String,
    /// The cluster it led from.
    pub from: ClusterIdentity,
    /// The cluster it led to.
    pub to: ClusterIdentity,
    /// How far it is.
    pub state: State,
    /// The last phase that wrote a record.
    pub phase: Phase,
    /// Epoch that it ends with.
    pub epoch: u64,
    /// Objects in its snapshot, while that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<usize>,
    /// When its first record was made, by that cluster's clock: for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// Why it was undone, or what was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// All pivots that the sides which answered know of, oldest first.
pub fn history(memory: &Memory) -> Vec<PastPivot> {
    let sides = || [&memory.source, &memory.target].into_iter().filter_map(Recall::read);
    let ids: BTreeSet<&str> =
        sides().flat_map(|read| &read.records.pivots).map(|(record, _)| record.id.as_str()).collect();
    ids.into_iter().filter_map(|id| past(memory, id)).collect()
}

fn past(memory: &Memory, id: &str) -> Option<PastPivot> {
    let sides = [&memory.source, &memory.target].into_iter().filter_map(Recall::read);
    let found: Vec<_> =
        sides.flat_map(|read| &read.records.pivots).filter(|(record, _)| record.id == id).collect();
    let (record, _) = found.first()?;
    let began = found.iter().map(|(_, object)| object.creation_timestamp()).filter(|time| !time.is_empty());
    Some(PastPivot {
        id: id.to_owned(),
        from: record.source.clone(),
        to: record.target.clone(),
        state: together(found.iter().map(|(record, _)| record.state))?,
        phase: found.iter().map(|(record, _)| record.phase).max()?,
        epoch: record.epoch,
        objects: found.iter().find_map(|(record, _)| record.snapshot.as_ref()).map(|mark| mark.objects),
        began: began.min().map(str::to_owned),
        cause: found.iter().find_map(|(record, _)| record.cause.clone()),
    })
}

/// What two records say together: the one that is open tells more than the one that is closed, and what was decided more than what
/// was not.
fn together(states: impl Iterator<Item = State>) -> Option<State> {
    states.max_by_key(|state| match state {
        State::Finished => 0,
        State::Aborted => 1,
        State::Locked => 2,
        State::Prepared => 3,
        State::Aborting => 4,
        State::Committed => 5,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pivot_that_is_open_on_one_side_is_open() {
        let both = |a, b| together([a, b].into_iter()).unwrap();
        assert_eq!(both(State::Locked, State::Prepared), State::Prepared);
        assert_eq!(both(State::Prepared, State::Committed), State::Committed);
        assert_eq!(both(State::Finished, State::Committed), State::Committed);
        assert_eq!(both(State::Aborting, State::Locked), State::Aborting);
        assert_eq!(both(State::Aborted, State::Aborted), State::Aborted);
        assert_eq!(together(std::iter::empty()), None);
    }
}
