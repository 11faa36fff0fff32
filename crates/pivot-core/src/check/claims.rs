//! What earlier pivots left: a cluster takes part in one pivot at a time.

use super::{CheckId, Finding};
use crate::machine::Side;
use crate::plan::{Blueprint, Claim};

pub(super) fn check(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    let source = &blueprint.source;
    findings.extend(source.claim.as_ref().map(|claim| finding(Side::Source, &source.name, claim)));
    if let Some(target) = &blueprint.target {
        findings.extend(target.claim.as_ref().map(|claim| finding(Side::Target, &target.name, claim)));
    }
}

fn finding(side: Side, name: &str, claim: &Claim) -> Finding {
    match claim {
        Claim::OpenPivot(id) => Finding::error(
            CheckId::OpenPivot,
            None,
            format!("{name} (the {side}) takes part in pivot {id}, which is not finished"),
            format!("`pivotctl resume --id {id}` finishes it, `pivotctl rollback --id {id}` undoes it"),
        ),
        Claim::Unreadable(why) => Finding::error(
            CheckId::RecordUnreadable,
            None,
            format!("{name} (the {side}): {why}"),
            "use the version of pivotctl that wrote it; a damaged record can be restored from a backup of the cluster",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::link::LinkRules;
    use crate::plan::{SourceFacts, TargetFacts};
    use crate::select::Request;

    #[test]
    fn both_sides_are_asked() {
        let claimed = |name: &str, claim: Claim| {
            let source = SourceFacts { name: name.to_owned(), claim: Some(claim), ..SourceFacts::default() };
            let target = TargetFacts {
                name: "mgmt".to_owned(),
                claim: Some(Claim::OpenPivot("p2".to_owned())),
                ..TargetFacts::default()
            };
            let rules = Arc::new(LinkRules::builtin());
            let blueprint =
                Blueprint::new(source, Some(Arc::new(target)), rules, Request::default(), BTreeMap::new());
            let mut findings = Vec::new();
            check(&blueprint, &mut findings);
            findings
        };
        let open = claimed("boot", Claim::OpenPivot("p1".to_owned()));
        let messages: Vec<_> = open.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "boot (the source) takes part in pivot p1, which is not finished",
                "mgmt (the target) takes part in pivot p2, which is not finished"
            ]
        );
        assert!(open[0].hint.contains("rollback --id p1"), "{}", open[0].hint);
        let unreadable = claimed("boot", Claim::Unreadable("format 9".to_owned()));
        assert_eq!(unreadable[0].id, CheckId::RecordUnreadable);
    }
}
