//! The result of the checks: categories, a line a check, and under it what it found.

use pivot_core::check::{Category, CheckId, Finding, Severity};
use pivot_core::plan::PlanReport;
use serde::Serialize;

use super::amount::Amount;
use super::append::append;
use super::finding::DOCS;
use crate::ui::theme::{ERROR, GOOD, HEADING, HINT, WARNING};

/// Findings of one check that are listed where nobody asks for all.
const LISTED: usize = 10;

/// The checks that ran, and what they found.
#[derive(Debug, Serialize)]
pub(crate) struct CheckReport<'a> {
    success: bool,
    errors: usize,
    warnings: usize,
    categories: Vec<CategoryResult<'a>>,
}

#[derive(Debug, Serialize)]
struct CategoryResult<'a> {
    category: &'static str,
    checks: Vec<CheckResult<'a>>,
}

#[derive(Debug, Serialize)]
struct CheckResult<'a> {
    id: CheckId,
    description: &'static str,
    result: Outcome,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<&'a Finding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Success,
    Warning,
    Error,
}

impl<'a> CheckReport<'a> {
    /// From a plan, which ran the checks. Without a target only those of the source count as run.
    pub(crate) fn of(plan: &'a PlanReport) -> Self {
        let counts = plan.counts();
        let alone = plan.target.is_none();
        let categories = Category::ALL.into_iter().map(|category| CategoryResult {
            category: category.title(),
            checks: CheckId::ALL
                .iter()
                .filter(|id| id.category() == category)
                .map(|id| CheckResult::of(*id, &plan.findings))
                .filter(|check| !alone || runs_alone(check.id) || !check.findings.is_empty())
                .collect(),
        });
        Self {
            success: counts.errors == 0,
            errors: counts.errors,
            warnings: counts.warnings,
            categories: categories.filter(|category| !category.checks.is_empty()).collect(),
        }
    }

    /// For people. `all` lists every finding.
    pub(crate) fn text(&self, all: bool) -> String {
        let mut text = String::new();
        for category in &self.categories {
            let rule = "-".repeat(category.category.len());
            append(&mut text, format_args!("{HEADING}{}{HEADING:#}\n{rule}\n", category.category));
            for check in &category.checks {
                check.write(&mut text, all);
            }
            text.push('\n');
        }
        let result = if self.errors > 0 {
            Outcome::Error
        } else if self.warnings > 0 {
            Outcome::Warning
        } else {
            Outcome::Success
        };
        let (errors, warnings) = (Amount(self.errors, "error"), Amount(self.warnings, "warning"));
        append(&mut text, format_args!("Check results are {}: {errors}, {warnings}\n", result.mark()));
        text
    }
}

/// True for checks that run without a target.
fn runs_alone(id: CheckId) -> bool {
    id.category().source_alone() || matches!(id, CheckId::SourcePermission | CheckId::LimitedView)
}

impl<'a> CheckResult<'a> {
    fn of(id: CheckId, findings: &'a [Finding]) -> Self {
        let findings: Vec<_> = findings.iter().filter(|finding| finding.id == id).collect();
        let worst = findings.iter().map(|finding| match finding.severity {
            Severity::Error => Outcome::Error,
            Severity::Warning => Outcome::Warning,
        });
        let result = worst.max().unwrap_or(Outcome::Success);
        Self { id, description: id.about(), result, findings }
    }

    fn write(&self, text: &mut String, all: bool) {
        let mark = self.result.mark();
        append(text, format_args!("{mark} {}\n", self.description.trim_end_matches('.')));
        let shown = if all { self.findings.len() } else { self.findings.len().min(LISTED) };
        let mut hint = "";
        for finding in &self.findings[..shown] {
            // Many objects mostly share one hint: it is told after the last of them.
            if finding.hint != hint {
                write_hint(text, hint);
            }
            hint = &finding.hint;
            let object = finding.object.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
            append(text, format_args!("    {object}{}\n", finding.message));
        }
        write_hint(text, hint);
        if shown < self.findings.len() {
            append(text, format_args!("    and {} more (-v lists them)\n", self.findings.len() - shown));
        }
        if !self.findings.is_empty() {
            append(text, format_args!("    see {DOCS}#{}\n", self.id));
        }
    }
}

fn write_hint(text: &mut String, hint: &str) {
    if !hint.is_empty() {
        append(text, format_args!("    {HINT}hint{HINT:#}: {hint}\n"));
    }
}

impl Outcome {
    fn mark(self) -> String {
        match self {
            Self::Success => format!("{GOOD}√{GOOD:#}"),
            Self::Warning => format!("{WARNING}‼{WARNING:#}"),
            Self::Error => format!("{ERROR}×{ERROR:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{data, sample};

    #[test]
    fn failing_checks_say_what_and_what_to_do() {
        let plan = sample::plan();
        let text = anstream::adapter::strip_str(&CheckReport::of(&plan).text(false)).to_string();
        insta::assert_snapshot!(text, @"
        clusters
        --------
        √ Source and target are two clusters
        √ Neither cluster takes part in another pivot that is not finished
        √ The records of earlier pivots can be read
        √ Both clusters store Cluster API objects at a version of one contract
        √ The target has every provider of the source, at the same or a newer version
        √ The target's providers are not older than the source's

        permissions
        -----------
        √ The user may do on the source what the pivot does there
        √ The user may do on the target what the pivot does there
        ‼ Objects could be listed everywhere, so that sharing across namespaces is seen
            objects of other namespaces cannot be listed
            hint: ask for the permission to list in all namespaces
            see docs/checks.md#limited-view

        fence
        -----
        √ Where the full fence is asked for, the clusters serve what it takes
        √ Where the full fence is asked for, the user may raise it
        √ Where the full fence is asked for, no other pivot's stands
        √ Nothing starts the controllers again that the pivot stops

        objects
        -------
        √ There is something to move
        √ The Clusters named by --filter-cluster exist
        √ No object that moves is being deleted
        √ No object that stays belongs to one that leaves
        √ Nothing that acts is shared between what moves and what stays
        √ Every owner of an object that moves goes with it
        √ Every object that is named exists
        √ Nothing that stays needs an object that leaves
        √ Objects keep within the limits of the API server

        steadiness
        ----------
        √ Clusters that are paused already stay paused after the pivot
        √ Clusters and Machines have finished provisioning
        √ No host is in the middle of an operation
        √ No Machines are being replaced, added or removed
        √ Nothing is being remediated
        √ No object asks to be left where it is

        ironic
        ------
        √ Ironic is where it was said to be, and can be looked at
        √ Where Ironic runs in the source, the target has one that can take its place
        √ Ironic runs on one side alone
        √ Ironic can be stopped, and started again
        √ Ironic goes along only with every host of the source
        √ Every line of the lease file is a lease
        √ The newest leases can be read

        network
        -------
        √ The target's interface to the provisioning network has a static address
        √ No other DHCP server answers on the provisioning network

        target
        ------
        √ The target serves every kind that moves
        √ The target serves a version of every kind that the source serves too
        √ The target keeps every field
        × The names are free in the target
            Cluster metal3/test1: the target has another object of this name
            hint: delete it in the target, or move it away
            see docs/checks.md#target-conflict
        √ Shared objects that exist in the target already are equal there
        √ Where hosts carry their status in an annotation, it can be read
        √ No namespace in the target is being deleted
        √ The quotas of the target's namespaces leave room

        Check results are ×: 1 error, 1 warning
        ");
    }

    #[test]
    fn without_a_target_only_the_source_is_judged() {
        let plan = PlanReport { target: None, findings: vec![], ..sample::plan() };
        let report = CheckReport::of(&plan);
        let categories: Vec<_> = report.categories.iter().map(|c| c.category).collect();
        assert_eq!(categories, ["permissions", "fence", "objects", "steadiness"]);
        assert!(report.success);
    }

    #[test]
    fn long_lists_end_unless_all_is_asked_for() {
        let mut plan = sample::plan();
        let finding = plan.findings[0].clone();
        plan.findings = vec![finding; 25];
        let report = CheckReport::of(&plan);
        assert!(report.text(false).contains("and 15 more (-v lists them)"));
        assert!(!report.text(true).contains("more"));
    }

    #[test]
    fn machines_read_every_check_with_its_id() {
        let plan = sample::plan();
        let value: serde_json::Value = serde_json::from_str(&data::json(&CheckReport::of(&plan))).unwrap();
        assert_eq!(value["success"], false);
        let checks =
            value["categories"].as_array().unwrap().iter().flat_map(|c| c["checks"].as_array().unwrap());
        let checks: Vec<_> = checks.collect();
        assert_eq!(checks.len(), CheckId::ALL.len());
        let conflict = checks.iter().find(|check| check["id"] == "target-conflict").unwrap();
        assert_eq!(conflict["result"], "error");
        assert_eq!(conflict["findings"][0]["object"]["name"], "test1");
    }
}
