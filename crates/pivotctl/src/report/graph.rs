//! The plan as a graph: what is staged, what it is linked to, and by which rule. Arrows go from the dependent to what it depends on.

use pivot_core::plan::{PlanItem, PlanLink, PlanReport, PlanRole};
use pivot_core::select::Action;
use std::collections::{BTreeMap, BTreeSet};

use super::append::append;

/// Part of a plan that is worth drawing.
struct Drawing<'a> {
    /// Objects by their index, grouped under the Cluster they belong to.
    groups: BTreeMap<Option<&'a str>, Vec<(usize, &'a PlanItem)>>,
    links: Vec<&'a PlanLink>,
}

impl<'a> Drawing<'a> {
    fn of(plan: &'a PlanReport) -> Self {
        let is_staged = |index: usize| {
            plan.items.get(index).is_some_and(|item| matches!(item.action, Action::Move | Action::Copy))
        };
        let known = |link: &&PlanLink| link.from.max(link.to) < plan.items.len();
        let links: Vec<_> = plan
            .links
            .iter()
            .filter(known)
            .filter(|link| is_staged(link.from) || is_staged(link.to))
            .collect();
        let linked: BTreeSet<_> = links.iter().flat_map(|link| [link.from, link.to]).collect();
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, item) in plan.items.iter().enumerate() {
            if is_staged(index) || linked.contains(&index) {
                groups.entry(item.cluster.as_deref()).or_default().push((index, item));
            }
        }
        Self { groups, links }
    }
}

/// For Graphviz.
pub(crate) fn dot(plan: &PlanReport) -> String {
    let drawing = Drawing::of(plan);
    let mut text =
        String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (number, (cluster, items)) in drawing.groups.iter().enumerate() {
        if let Some(cluster) = cluster {
            let label = dot_quoted(&format!("Cluster {cluster}"));
            append(&mut text, format_args!("  subgraph cluster_{number} {{\n    label={label};\n"));
        }
        for (index, item) in items {
            let label = dot_quoted(&format!("{}\n{}", item.key.kind.kind, item.key.path()));
            let style = match item.action {
                Action::Move => "solid",
                Action::Copy => "dashed",
                Action::Keep | Action::Skip => "dotted",
            };
            append(&mut text, format_args!("    n{index} [label={label}, style={style}];\n"));
        }
        if cluster.is_some() {
            text.push_str("  }\n");
        }
    }
    for link in &drawing.links {
        let style = match link.role {
            PlanRole::Owner => "bold",
            PlanRole::Part => "solid",
            PlanRole::Reference => "dashed",
        };
        let label = dot_quoted(&link.rule);
        append(&mut text, format_args!("  n{} -> n{} [label={label}, style={style}];\n", link.from, link.to));
    }
    text.push_str("}\n");
    text
}

/// For Mermaid, which many viewers of Markdown draw.
pub(crate) fn mermaid(plan: &PlanReport) -> String {
    let drawing = Drawing::of(plan);
    let mut text = String::from("flowchart LR\n");
    for (number, (cluster, items)) in drawing.groups.iter().enumerate() {
        if let Some(cluster) = cluster {
            let label = mermaid_quoted(&format!("Cluster {cluster}"));
            append(&mut text, format_args!("  subgraph g{number} [{label}]\n"));
        }
        for (index, item) in items {
            let label = mermaid_quoted(&format!("{}\n{}", item.key.kind.kind, item.key.path()));
            append(&mut text, format_args!("    n{index}[{label}]:::{}\n", item.action));
        }
        if cluster.is_some() {
            text.push_str("  end\n");
        }
    }
    for link in &drawing.links {
        let arrow = match link.role {
            PlanRole::Owner => "==>",
            PlanRole::Part => "-->",
            PlanRole::Reference => "-.->",
        };
        let label = mermaid_quoted(&link.rule);
        append(&mut text, format_args!("  n{} {arrow}|{label}| n{}\n", link.from, link.to));
    }
    for (action, style) in [
        (Action::Move, "stroke:#1a7f37,stroke-width:2px"),
        (Action::Copy, "stroke:#0969da,stroke-dasharray:4"),
        (Action::Keep, "stroke:#8c959f,stroke-dasharray:1"),
        (Action::Skip, "stroke:#8c959f,stroke-dasharray:1"),
    ] {
        append(&mut text, format_args!("  classDef {action} {style}\n"));
    }
    text
}

fn dot_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Mermaid knows entities but no escapes.
fn mermaid_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '\n' => quoted.push_str("<br/>"),
            '"' | '&' | '<' | '>' | '#' | '`' | '|' => {
                append(&mut quoted, format_args!("#{};", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn dot_draws_what_is_staged_and_its_links() {
        insta::assert_snapshot!(dot(&sample::plan()), @r#"
        digraph plan {
          rankdir=LR;
          node [shape=box, fontname="sans-serif"];
            n2 [label="BareMetalHost\nmetal3/spare", style=solid];
            n4 [label="Metal3ClusterIdentity\nshared", style=dashed];
          subgraph cluster_1 {
            label="Cluster metal3/test1";
            n0 [label="Cluster\nmetal3/test1", style=solid];
            n1 [label="BareMetalHost\nmetal3/node-0", style=solid];
            n3 [label="Secret\nmetal3/node-0-bmc", style=solid];
          }
          n1 -> n0 [label="host of a Cluster", style=solid];
          n1 -> n3 [label="bmc credentials", style=dashed];
          n0 -> n4 [label="identity", style=bold];
        }
        "#);
    }

    #[test]
    fn mermaid_draws_the_same() {
        insta::assert_snapshot!(mermaid(&sample::plan()), @r#"
        flowchart LR
            n2["BareMetalHost<br/>metal3/spare"]:::move
            n4["Metal3ClusterIdentity<br/>shared"]:::copy
          subgraph g1 ["Cluster metal3/test1"]
            n0["Cluster<br/>metal3/test1"]:::move
            n1["BareMetalHost<br/>metal3/node-0"]:::move
            n3["Secret<br/>metal3/node-0-bmc"]:::move
          end
          n1 -->|"host of a Cluster"| n0
          n1 -.->|"bmc credentials"| n3
          n0 ==>|"identity"| n4
          classDef move stroke:#1a7f37,stroke-width:2px
          classDef copy stroke:#0969da,stroke-dasharray:4
          classDef keep stroke:#8c959f,stroke-dasharray:1
          classDef skip stroke:#8c959f,stroke-dasharray:1
        "#);
    }

    #[test]
    fn names_cannot_break_out_of_their_label() {
        assert_eq!(dot_quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
        assert_eq!(mermaid_quoted("a\"<b>|"), "\"a#34;#60;b#62;#124;\"");
    }

    #[test]
    fn links_of_a_file_that_point_nowhere_are_left_out() {
        let mut plan = sample::plan();
        plan.links[0].to = usize::MAX;
        assert!(!dot(&plan).contains("host of a Cluster"));
    }
}
