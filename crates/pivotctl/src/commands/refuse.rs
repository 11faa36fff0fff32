//! A plan that is only shown, or that its own checks refuse.

use pivot_core::check::CheckId;
use pivot_core::machine::End;
use pivot_core::plan::PlanReport;

use super::r#move::MoveOutput;
use super::{Session, Verb};
use crate::exit::Exit;
use crate::report::amount::Amount;
use crate::report::{finding, plan};
use crate::ui::last_line;
use crate::ui::stream::EventStream;

/// The last line for a plan of a cluster that was not carried out.
pub(super) fn last_line(session: &Session, plan: &PlanReport, next: &str) -> String {
    // Everything else that was found may be the doing of the open pivot.
    if plan.errors().any(|finding| finding.id == CheckId::OpenPivot) {
        let status = session.on_clusters(Verb::Status);
        return format!("{}; {}", last_line::NOTHING_CHANGED, last_line::next(status.line()));
    }
    advised(&active(plan), plan, next)
}

/// Which side is active, as far as a plan tells.
pub(super) fn active(plan: &PlanReport) -> String {
    // With nothing to move, nothing says that the source is the active side; nor does it with records that cannot be read.
    let says_nothing = |id| matches!(id, CheckId::NothingToMove | CheckId::RecordUnreadable);
    if plan.errors().any(|finding| says_nothing(finding.id)) {
        return last_line::NOTHING_CHANGED.to_owned();
    }
    last_line::untouched(&plan.source.name)
}

/// A last line, with what to correct before the next command.
pub(super) fn advised(active: &str, plan: &PlanReport, next: &str) -> String {
    let errors = plan.counts().errors;
    let advice = match errors {
        0 => String::new(),
        1 => "once the error above is corrected, ".to_owned(),
        _ => format!("once the {} above are corrected, ", Amount(errors, "error")),
    };
    format!("{active}; {advice}{}", last_line::next(next))
}

/// Tells what the checks found; an exit code where that refuses the pivot.
pub(super) fn refused(
    session: &Session,
    output: MoveOutput,
    plan: &PlanReport,
    last_line: &str,
) -> Option<Exit> {
    for found in &plan.findings {
        session.printer.note(finding::as_error(found));
    }
    if plan.counts().errors == 0 {
        return None;
    }
    if output == MoveOutput::Json {
        let mut stream = EventStream::begin(session.printer, None);
        for found in &plan.findings {
            stream.finding(found);
        }
        stream.end(&End::Failed { cause: plan::summary(plan) }, Exit::Failed, None);
    }
    session.printer.note(last_line);
    Some(Exit::Failed)
}
