//! The plan for people: every object with what happens to it and why, what the checks say, and one summary line at the end.

use anstyle::Style;
use pivot_core::plan::{PlanItem, PlanReport};
use pivot_core::record::FenceMode;
use pivot_core::select::Action;

use super::amount::Amount;
use super::append::append;
use super::finding;
use super::group::{ByNamespace, Groups};
use crate::ui::theme::{GOOD, HEADING, HINT, QUIET};

/// Renders the plan. `all` lists also what lies in namespaces that are not selected.
pub(crate) fn text(plan: &PlanReport, all: bool) -> String {
    let mut text = String::new();
    head(&mut text, plan);
    let groups = Groups::of(plan, all);
    for (cluster, objects) in &groups.clusters {
        append(&mut text, format_args!("\n{HEADING}Cluster {cluster}{HEADING:#}\n"));
        tree(&mut text, objects);
    }
    if !groups.others.is_empty() {
        append(&mut text, format_args!("\n{HEADING}Of no Cluster{HEADING:#}\n"));
        tree(&mut text, &groups.others);
    }
    if !groups.not_selected.is_empty() {
        append(&mut text, format_args!("\n{HEADING}Outside the selected namespaces{HEADING:#}\n"));
        for (namespace, count) in &groups.not_selected {
            let objects = Amount(*count, "object");
            append(&mut text, format_args!("  namespace {namespace}: {objects} (-v lists them)\n"));
        }
    }
    if !plan.findings.is_empty() {
        append(&mut text, format_args!("\n{HEADING}Checks{HEADING:#}\n"));
        for found in &plan.findings {
            append(&mut text, format_args!("{}\n", finding::as_error(found)));
        }
    }
    if !plan.kinds.is_empty() {
        append(&mut text, format_args!("\n{HEADING}Kinds{HEADING:#}\n"));
        for kind in &plan.kinds {
            append(&mut text, format_args!("  {} {}\n", kind.kind, kind.version));
        }
    }
    append(&mut text, format_args!("\n{}\n", summary(plan)));
    text
}

/// The summary line.
pub(crate) fn summary(plan: &PlanReport) -> String {
    let counts = plan.counts();
    format!(
        "Plan: {} to move, {} to copy, {} kept, {} skipped; {}, {}",
        counts.moved,
        counts.copied,
        counts.kept,
        counts.skipped,
        Amount(counts.errors, "error"),
        Amount(counts.warnings, "warning")
    )
}

/// What becomes of Ironic, a line each; nothing where it is left alone.
pub(crate) fn ironic(plan: &PlanReport) -> Vec<String> {
    let Some(ironic) = &plan.ironic else { return Vec::new() };
    let endpoint =
        ironic.endpoint.map(|endpoint| format!(", endpoint address {endpoint}")).unwrap_or_default();
    let least = match ironic.silence_seconds {
        0 => String::new(),
        seconds => format!(", {seconds} s at least, in which the networks are listened to"),
    };
    vec![
        format!("source {}: {} stopped, proven down{endpoint}", ironic.source, ironic.stops.join(", ")),
        format!("target {}: {} started", ironic.target, ironic.starts.join(", ")),
        format!(
            "{} carried; no DHCP and no Ironic from fence-source until the target's is up in activate{least}: its start is \
             waited for, and each container or pod of the source has a minute to end",
            Amount(ironic.leases, "lease")
        ),
    ]
}

/// Style and symbol of an action.
pub(crate) fn mark(action: Action) -> (Style, &'static str) {
    match action {
        Action::Move => (GOOD, "→"),
        Action::Copy => (HINT, "+"),
        Action::Keep => (QUIET, "="),
        Action::Skip => (QUIET, "·"),
    }
}

/// What the fence does, and what `--fence=pause` leaves open.
pub(crate) fn fence(plan: &PlanReport) -> &'static str {
    match plan.fence.mode {
        FenceMode::Full => "full: a policy refuses the writes of others to what moves, in both clusters",
        FenceMode::Pause => {
            "pause: controllers keep running and obey the pause; a write by one that does not is seen, and the snapshot taken again"
        }
    }
}

fn head(text: &mut String, plan: &PlanReport) {
    let target = plan.target.as_ref().map_or("none given", |target| target.name.as_str());
    let namespaces = plan.namespaces.as_ref().map_or_else(|| "all".to_owned(), |names| names.join(", "));
    append(
        text,
        format_args!("Source      {}\nTarget      {target}\nNamespaces  {namespaces}\n", plan.source.name),
    );
    if !plan.clusters.is_empty() {
        append(text, format_args!("Clusters    {}\n", plan.clusters.join(", ")));
    }
    append(text, format_args!("Fence       {}\n", fence(plan)));
    for controller in &plan.fence.controllers {
        append(text, format_args!("            {controller}\n"));
    }
    for (index, line) in ironic(plan).iter().enumerate() {
        append(text, format_args!("{:<12}{line}\n", if index == 0 { "Ironic" } else { "" }));
    }
    append(text, format_args!("\nSymbols: "));
    for (index, action) in [Action::Move, Action::Copy, Action::Keep, Action::Skip].into_iter().enumerate() {
        let (style, symbol) = mark(action);
        let separator = if index == 0 { "" } else { "  " };
        append(text, format_args!("{separator}{style}{symbol}{style:#} {action}"));
    }
    text.push('\n');
}

fn tree(text: &mut String, objects: &ByNamespace<'_>) {
    for (namespace, kinds) in objects {
        match namespace {
            Some(namespace) => append(text, format_args!("  namespace {namespace}\n")),
            None => append(text, format_args!("  cluster-scoped\n")),
        }
        for (kind, items) in kinds {
            append(text, format_args!("    {}\n", kind.kind));
            let width = items.iter().map(|item| item.key.name.len()).max().unwrap_or_default();
            for item in items {
                line(text, item, width);
            }
        }
    }
}

fn line(text: &mut String, item: &PlanItem, width: usize) {
    let (style, symbol) = mark(item.action);
    let (name, reason) = (&item.key.name, &item.reason);
    append(text, format_args!("      {style}{symbol}{style:#} {name:<width$}  {QUIET}{reason}{QUIET:#}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn plain(all: bool) -> String {
        anstream::adapter::strip_str(&text(&sample::plan(), all)).to_string()
    }

    #[test]
    fn every_object_has_a_symbol_and_a_reason() {
        insta::assert_snapshot!(plain(false), @"
        Source      boot (127.0.0.1:6443)
        Target      mgmt (127.0.0.1:7443)
        Namespaces  metal3
        Fence       full: a policy refuses the writes of others to what moves, in both clusters
                    source managers/capi-controller-manager: loses its leader lease; stopped once the target acts
                    source managers/baremetal-operator: stopped (it elects no leader)
                    target managers/capi-controller-manager: started again (an earlier pivot stopped it)

        Symbols: → move  + copy  = keep  · skip

        Cluster metal3/test1
          namespace metal3
            Cluster.cluster.x-k8s.io
              → test1  every object of this kind moves
            BareMetalHost.metal3.io
              → node-0  every object of this kind moves
            Secret
              → node-0-bmc  needed by BareMetalHost metal3/node-0 (bmc credentials)

        Of no Cluster
          cluster-scoped
            Metal3ClusterIdentity.infrastructure.cluster.x-k8s.io
              + shared  needed by Cluster metal3/test1 (identity); cluster-scoped, so the source keeps its own
          namespace metal3
            BareMetalHost.metal3.io
              → spare  every object of this kind moves
            ConfigMap
              = own  nothing that moves owns or names it
            Secret
              · bootstrap-token-a  bootstrap token, valid in this cluster only

        Outside the selected namespaces
          namespace other: 2 objects (-v lists them)

        Checks
        error[target-conflict]: Cluster metal3/test1: the target has another object of this name
          hint: delete it in the target, or move it away
        warning[limited-view]: objects of other namespaces cannot be listed
          hint: ask for the permission to list in all namespaces

        Kinds
          BareMetalHost.metal3.io v1alpha1
          Secret v1

        Plan: 4 to move, 1 to copy, 3 kept, 1 skipped; 1 error, 1 warning
        ");
    }

    #[test]
    fn namespaces_that_are_not_selected_are_listed_on_demand() {
        let (short, long) = (plain(false), plain(true));
        assert!(short.contains("  namespace other: 2 objects (-v lists them)"));
        assert!(!long.contains("-v lists them"));
        assert!(long.contains(
            "  namespace other\n    BareMetalHost.metal3.io\n      = a  outside the selected namespaces\n"
        ));
    }

    #[test]
    fn the_summary_is_the_last_line_and_stands_there_once() {
        let text = plain(false);
        assert_eq!(text.matches("Plan: ").count(), 1);
        let last = text.lines().last().unwrap();
        assert_eq!(last, "Plan: 4 to move, 1 to copy, 3 kept, 1 skipped; 1 error, 1 warning");
    }
}
