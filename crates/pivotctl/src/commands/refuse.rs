//! A plan that its own checks refuse.

use pivot_core::check::CheckId;
use pivot_core::plan::PlanReport;

use crate::report::amount::Amount;
use crate::ui::last_line;

/// The last line for a plan that was not carried out.
pub(super) fn last_line(plan: &PlanReport, next: &str) -> String {
    let errors = plan.counts().errors;
    // With nothing to move, nothing says that the source is the active side.
    let source = plan
        .errors()
        .all(|finding| finding.id != CheckId::NothingToMove)
        .then_some(plan.source.name.as_str());
    let line = match source {
        Some(source) => last_line::untouched(source),
        None => last_line::NOTHING_CHANGED.to_owned(),
    };
    let advice = match errors {
        0 => String::new(),
        1 => "once the error above is corrected, ".to_owned(),
        _ => format!("once the {} above are corrected, ", Amount(errors, "error")),
    };
    format!("{line}; {advice}{}", last_line::next(next))
}
