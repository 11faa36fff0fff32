//! Where things stand, for people.

use pivot::status::{SideStatus, StatusReport};

use super::amount::Amount;
use super::append::append;
use crate::ui::theme::HEADING;

/// A line a side and a line a pivot.
pub(crate) fn text(report: &StatusReport) -> String {
    let mut text = String::new();
    side(&mut text, "Source", &report.source, "to move or copy");
    if let Some(target) = &report.target {
        side(&mut text, "Target", target, "brought by pivots");
    }
    for (id, pivot) in &report.pivots {
        let (staged, ready) = (pivot.staged, pivot.ready);
        append(
            &mut text,
            format_args!("{HEADING}Pivot{HEADING:#}   {id}: {ready} of {staged} objects ready in the target"),
        );
        append(
            &mut text,
            format_args!(", {} still in the source, {} still paused\n", pivot.in_source, pivot.paused),
        );
    }
    text
}

fn side(text: &mut String, title: &str, side: &SideStatus, what: &str) {
    let (name, objects) = (&side.cluster.name, Amount(side.objects, "object"));
    let (paused, pausable) = (side.paused, side.pausable);
    append(
        text,
        format_args!(
            "{HEADING}{title}{HEADING:#}  {name}: {objects} {what}, {paused} of {pausable} paused\n"
        ),
    );
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pivot::status::PivotStatus;
    use pivot_core::machine::Active;
    use pivot_core::plan::ClusterIdentity;

    use super::*;

    #[test]
    fn both_sides_and_every_pivot_have_a_line() {
        let side = |name: &str, objects, paused| SideStatus {
            cluster: ClusterIdentity { name: name.to_owned(), id: format!("uid-of-{name}") },
            objects,
            paused,
            pausable: 4,
        };
        let pivot = PivotStatus { staged: 61, ready: 60, in_source: 61, paused: 4 };
        let report = StatusReport {
            source: side("boot", 61, 4),
            target: Some(side("mgmt", 61, 4)),
            pivots: BTreeMap::from([("20261121-101500-a1b2c3".to_owned(), pivot)]),
            active: Some(Active::Neither),
        };
        let text = anstream::adapter::strip_str(&text(&report)).to_string();
        insta::assert_snapshot!(text, @"
        Source  boot: 61 objects to move or copy, 4 of 4 paused
        Target  mgmt: 61 objects brought by pivots, 4 of 4 paused
        Pivot   20261121-101500-a1b2c3: 60 of 61 objects ready in the target, 61 still in the source, 4 still paused
        ");
    }
}
