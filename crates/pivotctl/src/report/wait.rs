//! What was waited for, and came.

use pivot_core::settled::Settlement;
use serde::Serialize;

use super::amount::Amount;
use crate::ui::theme::GOOD;

/// The end of a wait.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaitReport<'a> {
    /// The pivot.
    pub(crate) pivot: &'a str,
    /// The cluster it led to.
    pub(crate) to: &'a str,
    /// What came.
    pub(crate) reached: &'static str,
    #[serde(flatten)]
    pub(crate) settlement: &'a Settlement,
}

/// One line.
pub(crate) fn text(report: &WaitReport<'_>) -> String {
    let WaitReport { pivot, to, reached, settlement } = report;
    let objects = Amount(settlement.objects, "object");
    format!("Wait: {objects} of pivot {pivot} in {to} {GOOD}{reached}{GOOD:#}\n")
}
