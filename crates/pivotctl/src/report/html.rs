//! The plan as one page without scripts or other files, to pass around or to print.

use std::fmt::{self, Write as _};

use pivot_core::check::Severity;
use pivot_core::plan::PlanReport;
use pivot_core::select::Action;

use super::amount::Amount;
use super::append::append;
use super::group::{ByNamespace, Groups};
use super::plan::{fence, ironic, mark, summary};

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1f2328;background:#fff}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{font-weight:600}dd{margin:0}
details{margin:.2rem 0 .2rem 1rem}summary{cursor:pointer}body>details>summary{font-weight:600}
table{border-collapse:collapse;margin-left:1rem}td{padding:.1rem .8rem .1rem 0;vertical-align:top}
.move{color:#1a7f37}.copy{color:#0969da}.keep,.skip,.why{color:#59636e}.error{color:#cf222e}.warning{color:#9a6700}
@media(prefers-color-scheme:dark){body{color:#d1d7e0;background:#151b23}.move{color:#3fb950}.copy{color:#4493f8}
.keep,.skip,.why{color:#9198a1}.error{color:#f85149}.warning{color:#d29922}}
";

/// Renders the page; every object is listed.
pub(crate) fn page(plan: &PlanReport) -> String {
    let mut html = String::new();
    let title = Escaped("Pivot plan");
    append(
        &mut html,
        format_args!("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"),
    );
    append(
        &mut html,
        format_args!("<meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n"),
    );
    append(&mut html, format_args!("<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"));
    append(&mut html, format_args!("<p><strong>{}</strong></p>\n", Escaped(&summary(plan))));
    facts(&mut html, plan);
    findings(&mut html, plan);
    let groups = Groups::of(plan, true);
    append(&mut html, format_args!("<h2>Objects</h2>\n"));
    for (cluster, objects) in &groups.clusters {
        section(&mut html, &format!("Cluster {cluster}"), objects);
    }
    if !groups.others.is_empty() {
        section(&mut html, "Of no Cluster", &groups.others);
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn facts(html: &mut String, plan: &PlanReport) {
    let target = plan.target.as_ref().map_or("none given", |target| target.name.as_str());
    let namespaces = plan.namespaces.as_ref().map_or_else(|| "all".to_owned(), |names| names.join(", "));
    let kinds: Vec<_> = plan.kinds.iter().map(|kind| format!("{} {}", kind.kind, kind.version)).collect();
    let controllers: Vec<_> = plan.fence.controllers.iter().map(ToString::to_string).collect();
    html.push_str("<dl>\n");
    for (name, value) in [
        ("Source", plan.source.name.as_str()),
        ("Target", target),
        ("Namespaces", &namespaces),
        ("Clusters", &plan.clusters.join(", ")),
        ("Fence", fence(plan)),
        ("Controllers", &controllers.join("; ")),
        ("Ironic", &ironic(plan).join("; ")),
        ("Kinds", &kinds.join(", ")),
        ("Digest", plan.digest.as_str()),
        ("Made by", &format!("pivotctl {}", plan.tool)),
    ] {
        if !value.is_empty() {
            append(html, format_args!("<dt>{name}</dt><dd>{}</dd>\n", Escaped(value)));
        }
    }
    html.push_str("</dl>\n");
}

fn findings(html: &mut String, plan: &PlanReport) {
    if plan.findings.is_empty() {
        return;
    }
    html.push_str("<h2>Checks</h2>\n<ul>\n");
    for finding in &plan.findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let text = finding.to_string();
        let (text, hint) = (Escaped(&text), Escaped(&finding.hint));
        append(html, format_args!("<li><span class=\"{severity}\">{severity}</span> {text}"));
        append(html, format_args!("<br><span class=\"why\">{hint}</span></li>\n"));
    }
    html.push_str("</ul>\n");
}

fn section(html: &mut String, title: &str, objects: &ByNamespace<'_>) {
    let count = objects.values().flat_map(|kinds| kinds.values()).map(Vec::len).sum();
    let amount = Amount(count, "object");
    append(html, format_args!("<details open><summary>{} ({amount})</summary>\n", Escaped(title)));
    for (namespace, kinds) in objects {
        let scope = namespace.map_or_else(|| "cluster-scoped".to_owned(), |name| format!("namespace {name}"));
        append(html, format_args!("<details open><summary>{}</summary>\n", Escaped(&scope)));
        for (kind, items) in kinds {
            let kind = kind.kind.to_string();
            append(
                html,
                format_args!("<details><summary>{} ({})</summary>\n<table>\n", Escaped(&kind), items.len()),
            );
            for item in items {
                row(html, item.action, &item.key.name, &item.reason);
            }
            html.push_str("</table>\n</details>\n");
        }
        html.push_str("</details>\n");
    }
    html.push_str("</details>\n");
}

fn row(html: &mut String, action: Action, name: &str, reason: &str) {
    let symbol = mark(action).1;
    let (name, reason) = (Escaped(name), Escaped(reason));
    append(html, format_args!("<tr><td class=\"{action}\">{symbol} {action}</td><td>{name}</td>"));
    append(html, format_args!("<td class=\"why\">{reason}</td></tr>\n"));
}

/// Text as it may stand in an element or a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_object_stands_on_the_page_with_its_reason() {
        let plan = sample::plan();
        let html = page(&plan);
        for item in &plan.items {
            assert!(html.contains(&format!("<td>{}</td>", Escaped(&item.key.name))), "{}", item.key);
            assert!(html.contains(&Escaped(&item.reason).to_string()), "{}", item.reason);
        }
        assert_eq!(html.matches("<details").count(), html.matches("</details>").count());
        assert!(!html.contains("<script") && !html.contains("http"), "the page needs nothing else");
    }

    #[test]
    fn names_are_escaped() {
        let mut plan = sample::plan();
        plan.source.name = "<script>alert('&\"')</script>".to_owned();
        let html = page(&plan);
        assert!(html.contains("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"));
        assert!(!html.contains("<script>"));
    }
}
