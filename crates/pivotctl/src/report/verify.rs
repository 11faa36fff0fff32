//! What differs between the two sides, for people.

use pivot::verify::VerifyReport;

use super::amount::Amount;
use super::append::append;
use crate::ui::theme::{GOOD, WARNING};

/// A line a difference, and a summary at the end.
pub(crate) fn text(report: &VerifyReport) -> String {
    let mut text = String::new();
    for difference in &report.differences {
        let path = if difference.path.is_empty() { String::new() } else { format!(" {}", difference.path) };
        let (object, what) = (&difference.object, &difference.what);
        append(&mut text, format_args!("{WARNING}≠{WARNING:#} {object}{path}: {what}\n"));
    }
    let (style, number) = match report.differences.len() {
        0 => (GOOD, "no differences".to_owned()),
        n => (WARNING, Amount(n, "difference").to_string()),
    };
    let compared = Amount(report.compared, "object");
    append(&mut text, format_args!("Verify: {compared} compared; {style}{number}{style:#}\n"));
    text
}
