//! Errors of `wait`: where it waited in vain, and where waiting cannot help.

use pivot_core::record::PivotRecord;

use super::CommandError;
use crate::exit::Exit;

/// Of a pivot that was undone.
const ROLLED_BACK: u8 = 3;

impl CommandError {
    /// The time is up.
    pub(crate) fn wait_timeout(limit: impl std::fmt::Display, left: Vec<String>) -> Self {
        Self::failed("wait-timeout", format!("after {limit} this is still to come:"))
            .with_details(left)
            .hinted("wait once more, or look at what is named; `pivotctl status` tells how far the pivot is")
    }

    /// Neither side remembers such a pivot.
    pub(crate) fn nothing_to_wait_for(id: Option<&str>) -> Self {
        let message = match id {
            Some(id) => format!("the clusters remember no pivot {id}"),
            None => "the clusters remember no pivot".to_owned(),
        };
        Self::failed("no-pivot", message)
            .hinted("`pivotctl history` lists what the clusters remember; check which ones are named")
    }

    /// The pivot was undone.
    pub(crate) fn waits_for_undone(id: &str, cause: Option<&str>) -> Self {
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        let error = Self::failed("pivot-rolled-back", format!("pivot {id} was undone{cause}"));
        Self { exit: Exit::Pivot(ROLLED_BACK), ..error }.hinted("correct the cause, then move again")
    }

    /// Nobody drives the pivot on.
    pub(crate) fn waits_for_nobody(record: &PivotRecord, in_doubt: bool) -> Self {
        let PivotRecord { id, phase, .. } = record;
        let (id_of_error, exit) =
            if in_doubt { ("pivot-in-doubt", Exit::InDoubt) } else { ("pivot-suspended", Exit::Suspended) };
        let error =
            Self::failed(id_of_error, format!("pivot {id} stands in phase {phase}, and nobody is at it"));
        Self { exit, ..error }.hinted("`resume` goes on with it, `rollback` undoes it until it is decided")
    }

    /// Another pivot took the cluster on.
    pub(crate) fn waits_for_superseded(id: &str, name: &str, later: &str) -> Self {
        Self::failed("pivot-superseded", format!("pivot {id} was followed by {later}: {name} no longer acts"))
            .hinted("`pivotctl history` lists the pivots")
    }
}
