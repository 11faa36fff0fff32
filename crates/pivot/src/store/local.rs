//! Records that live as long as the process.

use std::collections::BTreeMap;

use pivot_core::machine::{RecordState, Side};

/// The records of one run. They survive nothing: an interrupted run is undone by the run itself.
#[derive(Debug, Default)]
pub(crate) struct LocalRecords {
    states: BTreeMap<Side, RecordState>,
}

impl LocalRecords {
    /// Writes one side's record.
    pub(crate) fn write(&mut self, side: Side, state: RecordState) {
        self.states.insert(side, state);
    }
}
