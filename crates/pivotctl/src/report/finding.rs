//! What a check found, for people.

use pivot_core::check::{Finding, Severity};

use crate::ui::theme::{ERROR, HINT, WARNING};

/// Folder of the pages about check and error ids.
pub(crate) const DOCS: &str = "docs/checks.md";

/// `error[id]: object: message` and what to do, as errors are printed.
pub(crate) fn as_error(finding: &Finding) -> String {
    let (style, word) = match finding.severity {
        Severity::Error => (ERROR, "error"),
        Severity::Warning => (WARNING, "warning"),
    };
    let object = finding.object.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
    let hint = if finding.hint.is_empty() {
        String::new()
    } else {
        format!("\n  {HINT}hint{HINT:#}: {}", finding.hint)
    };
    format!("{style}{word}[{}]{style:#}: {object}{}{hint}", finding.id, finding.message)
}
