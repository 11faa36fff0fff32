//! What differs between the two sides, and what has not settled, for people.

use pivot::verify::VerifyReport;

use super::amount::Amount;
use super::append::append;
use crate::ui::theme::{GOOD, HEADING, QUIET, WARNING};

/// A line a difference, then what has not settled, and a summary at the end.
pub(crate) fn text(report: &VerifyReport) -> String {
    let mut text = String::new();
    for difference in &report.differences {
        let path = if difference.path.is_empty() { String::new() } else { format!(" {}", difference.path) };
        let (object, what) = (&difference.object, &difference.what);
        append(&mut text, format_args!("{WARNING}≠{WARNING:#} {object}{path}: {what}\n"));
    }
    let settlement = &report.settlement;
    if !settlement.unsettled.is_empty() {
        append(&mut text, format_args!("{HEADING}Not settled{HEADING:#}\n"));
        for unsettled in &settlement.unsettled {
            append(&mut text, format_args!("{WARNING}…{WARNING:#} {unsettled}\n"));
        }
    }
    for line in &settlement.unjudged {
        append(&mut text, format_args!("{QUIET}not judged: {line}{QUIET:#}\n"));
    }
    let (style, number) = match report.differences.len() {
        0 => (GOOD, "no differences".to_owned()),
        n => (WARNING, Amount(n, "difference").to_string()),
    };
    let compared = Amount(report.compared, "object");
    append(&mut text, format_args!("Verify: {compared} compared; {style}{number}{style:#}"));
    append(&mut text, format_args!("{}\n", settled(report)));
    text
}

/// Of a target to which nothing was brought there is nothing to say.
fn settled(report: &VerifyReport) -> String {
    let settlement = &report.settlement;
    let brought = Amount(settlement.objects, "object");
    match (settlement.objects, settlement.unsettled.len()) {
        (0, _) => String::new(),
        (_, 0) if settlement.acts => format!("; {brought} brought by pivots, {GOOD}settled{GOOD:#}"),
        (_, 0) => format!("; {brought} brought by pivots, and the target does not act on them"),
        (_, n) => format!("; {brought} brought by pivots, {WARNING}{n} not settled{WARNING:#}"),
    }
}

#[cfg(test)]
mod tests {
    use pivot_core::kind::GroupKind;
    use pivot_core::object::ObjectKey;
    use pivot_core::settled::{Aspect, Settlement, Unsettled};

    use super::*;

    fn told(settlement: Settlement) -> String {
        let report = VerifyReport { compared: 61, differences: Vec::new(), settlement };
        anstream::adapter::strip_str(&text(&report)).to_string()
    }

    #[test]
    fn a_target_is_told_by_how_far_it_is() {
        let settlement = |objects, acts| Settlement { objects, acts, ..Settlement::default() };
        let mut moved = settlement(61, true);
        moved.unsettled = vec![Unsettled {
            aspect: Aspect::Arrived,
            object: ObjectKey::new(GroupKind::new("metal3.io", "BareMetalHost"), Some("metal3"), "node-0"),
            what: "was `provisioned` when it moved, and is `deprovisioning`".to_owned(),
        }];
        moved.unjudged = vec!["who leads".to_owned()];
        let told: Vec<_> =
            [settlement(0, false), settlement(60, false), settlement(61, true), moved].map(told).into();
        insta::assert_snapshot!(told.join("--\n"), @"
        Verify: 61 objects compared; no differences
        --
        Verify: 61 objects compared; no differences; 60 objects brought by pivots, and the target does not act on them
        --
        Verify: 61 objects compared; no differences; 61 objects brought by pivots, settled
        --
        Not settled
        … BareMetalHost metal3/node-0: was `provisioned` when it moved, and is `deprovisioning`
        not judged: who leads
        Verify: 61 objects compared; no differences; 61 objects brought by pivots, 1 not settled
        ");
    }
}
