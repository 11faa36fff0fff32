//! A Cluster as a tree, for people.

use anstyle::Style;
use pivot_core::condition::Condition;
use pivot_core::describe::{HostState, Node, Role};

use super::age::Age;
use super::append::append;
use crate::ui::theme::{ERROR, GOOD, HEADING, QUIET, WARNING};

const HEAD: [&str; 7] = ["NAME", "REPLICAS", "READY", "SEVERITY", "REASON", "SINCE", "MESSAGE"];
/// Columns that are left out where nothing stands in them.
const OPTIONAL: [&str; 3] = ["REPLICAS", "SEVERITY", "MESSAGE"];
/// Characters of a message that are shown.
const MESSAGE: usize = 100;

/// What leads from a line to those below it.
#[derive(Clone, Copy)]
struct Branches {
    child: &'static str,
    last: &'static str,
    past: &'static str,
    none: &'static str,
}

const UNICODE: Branches = Branches { child: "├─", last: "└─", past: "│ ", none: "  " };
const ASCII: Branches = Branches { child: "|-", last: "`-", past: "| ", none: "  " };

/// One line.
struct Row {
    cells: [String; 7],
    style: Style,
}

/// A line an object. `echo` shows also what Machines are made of where that is ready.
pub(crate) fn text(root: &Node, echo: bool, unicode: bool) -> String {
    let branches = if unicode { UNICODE } else { ASCII };
    let mut rows = vec![Row { cells: HEAD.map(str::to_owned), style: HEADING }];
    write(&mut rows, root, echo, branches, "", "");
    let width = |column: usize| rows.iter().map(|row| row.cells[column].chars().count()).max().unwrap_or(0);
    let is_shown = |column: usize| {
        !OPTIONAL.contains(&HEAD[column]) || rows[1..].iter().any(|row| !row.cells[column].is_empty())
    };
    let columns: Vec<(usize, usize)> =
        (0..HEAD.len()).filter(|&column| is_shown(column)).map(|column| (column, width(column))).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for &(column, width) in &columns {
            let (cell, style) = (&row.cells[column], row.style);
            let gap = " ".repeat(width - cell.chars().count() + 3);
            // The name of an object has no color of its own.
            if (column == 0 && style != HEADING) || cell.is_empty() {
                append(&mut line, format_args!("{cell}{gap}"));
            } else {
                append(&mut line, format_args!("{style}{cell}{style:#}{gap}"));
            }
        }
        append(&mut text, format_args!("{}\n", line.trim_end()));
    }
    text
}

/// Adds a line for the node and those below it. `lead` stands before the node, `below` before what is below it.
fn write(rows: &mut Vec<Row>, node: &Node, echo: bool, branches: Branches, lead: &str, below: &str) {
    rows.push(row(node, lead));
    let children: Vec<&Node> = node.children.iter().filter(|child| echo || is_told(child)).collect();
    for (index, child) in children.iter().enumerate() {
        let is_last = index + 1 == children.len();
        let (branch, past) =
            if is_last { (branches.last, branches.none) } else { (branches.child, branches.past) };
        write(rows, child, echo, branches, &format!("{below}{branch}"), &format!("{below}{past}"));
    }
}

/// What a Machine is made of is told where it is not ready.
fn is_told(node: &Node) -> bool {
    let is_part = matches!(node.role, Some(Role::MachineInfrastructure | Role::Bootstrap));
    let is_ready = node.condition.as_ref().is_none_or(Condition::is_true);
    !is_part || !is_ready || node.missing || node.deleting
}

fn row(node: &Node, lead: &str) -> Row {
    let condition = node.condition.clone().unwrap_or_default();
    let replicas = node.replicas.map(|replicas| format!("{}/{}", replicas.has, replicas.wants));
    let age = Age::since(&condition.last_transition_time).map(|age| age.to_string());
    let mut messages = Vec::new();
    messages.extend(node.missing.then(|| "does not exist".to_owned()));
    messages.extend(node.paused.then(|| "paused".to_owned()));
    let mut style = match condition.status.as_str() {
        "True" => GOOD,
        "False" if condition.severity.is_empty() || condition.severity == "Error" => ERROR,
        "False" | "Unknown" => WARNING,
        _ => QUIET,
    };
    let (mut severity, mut reason) = (condition.severity, condition.reason);
    if let Some(host) = &node.host {
        reason.clone_from(&host.state);
        messages.extend(about(host));
        if host.error_type.is_empty() {
            style = if condition.status.is_empty() { GOOD } else { style };
        } else {
            (severity, style) = ("Error".to_owned(), ERROR);
        }
    }
    if node.missing {
        style = ERROR;
    }
    messages.extend(Some(condition.message).filter(|message| !message.is_empty()));
    Row {
        cells: [
            format!("{lead}{}", name(node)),
            replicas.unwrap_or_default(),
            condition.status,
            severity,
            reason,
            age.unwrap_or_default(),
            shortened(&messages.join("; ")),
        ],
        style,
    }
}

fn name(node: &Node) -> String {
    let role = match node.role {
        None => None,
        Some(Role::ClusterInfrastructure) => Some("ClusterInfrastructure"),
        Some(Role::ControlPlane) => Some("ControlPlane"),
        Some(Role::Workers) => Some("Workers"),
        Some(Role::Other) => Some("Other"),
        Some(Role::MachineInfrastructure) => Some("MachineInfrastructure"),
        Some(Role::Bootstrap) => Some("BootstrapConfig"),
        Some(Role::Host) => Some("Host"),
    };
    let object = node.object.as_ref().map(|key| format!("{}/{}", key.kind.kind, key.name));
    let name = [role.map(str::to_owned), object].into_iter().flatten().collect::<Vec<_>>().join(" - ");
    if node.deleting { format!("!! DELETED !! {name}") } else { name }
}

fn about(host: &HostState) -> Vec<String> {
    let mut told = Vec::new();
    told.extend(host.powered_on.map(|on| if on { "powered on" } else { "powered off" }.to_owned()));
    if !matches!(host.operational_status.as_str(), "" | "OK" | "error") {
        told.push(host.operational_status.clone());
    }
    told.extend([&host.error_type, &host.error_message].into_iter().filter(|text| !text.is_empty()).cloned());
    told
}

/// On one line, and no longer than a line should be.
fn shortened(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{} ...", line[..end].trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use pivot_core::describe::Replicas;

    use super::*;
    use crate::report::sample::key;

    fn node(kind: &str, name: &str, role: Option<Role>) -> Node {
        let object = Some(key(kind, Some("metal3"), name));
        Node { role, object, ..Node::default() }
    }

    fn condition(status: &str, severity: &str, reason: &str, message: &str) -> Condition {
        let text = str::to_owned;
        Condition {
            status: text(status),
            severity: text(severity),
            reason: text(reason),
            message: text(message),
            ..Condition::default()
        }
    }

    fn cluster() -> Node {
        let infrastructure =
            Node { missing: true, ..node("Metal3Cluster.x", "test1", Some(Role::ClusterInfrastructure)) };
        let host = Node {
            host: Some(HostState {
                state: "provisioned".to_owned(),
                operational_status: "error".to_owned(),
                powered_on: Some(false),
                error_type: "power management error".to_owned(),
                error_message: "no\nanswer".to_owned(),
            }),
            ..node("BareMetalHost.x", "node-0", Some(Role::Host))
        };
        let ready = Node {
            condition: Some(condition("True", "", "", "")),
            ..node("Metal3Machine.x", "m-0", Some(Role::MachineInfrastructure))
        };
        let waiting = Node {
            condition: Some(condition("False", "Info", "WaitingForInput", "")),
            ..node("KubeadmConfig.x", "m-0", Some(Role::Bootstrap))
        };
        let machine = Node {
            deleting: true,
            condition: Some(condition("Unknown", "", "", &"long ".repeat(40))),
            children: vec![ready, waiting, host],
            ..node("Machine.x", "m-0", None)
        };
        let control_plane = Node {
            replicas: Some(Replicas { has: 1, wants: 3 }),
            children: vec![machine],
            ..node("KubeadmControlPlane.x", "cp", Some(Role::ControlPlane))
        };
        let workers = Node { role: Some(Role::Workers), ..Node::default() };
        Node {
            paused: true,
            condition: Some(condition("False", "", "NotAvailable", "two of three")),
            children: vec![infrastructure, control_plane, workers],
            ..node("Cluster.x", "test1", None)
        }
    }

    fn told(echo: bool, unicode: bool) -> String {
        anstream::adapter::strip_str(&text(&cluster(), echo, unicode)).to_string()
    }

    #[test]
    fn the_tree_stands_in_columns() {
        insta::assert_snapshot!(told(false, true), @"
        NAME                                            REPLICAS   READY     SEVERITY   REASON            SINCE   MESSAGE
        Cluster/test1                                              False                NotAvailable              paused; two of three
        ├─ClusterInfrastructure - Metal3Cluster/test1                                                             does not exist
        ├─ControlPlane - KubeadmControlPlane/cp         1/3
        │ └─!! DELETED !! Machine/m-0                              Unknown                                        long long long long long long long long long long long long long long long long long long long long ...
        │   ├─BootstrapConfig - KubeadmConfig/m-0                  False     Info       WaitingForInput
        │   └─Host - BareMetalHost/node-0                                    Error      provisioned               powered off; power management error; no answer
        └─Workers
        ");
    }

    #[test]
    fn parts_that_are_ready_are_told_on_demand_and_in_plain_characters() {
        let told = told(true, false);
        assert!(told.contains("\n|   |-MachineInfrastructure - Metal3Machine/m-0"), "{told}");
        assert!(told.contains("\n|   `-Host - BareMetalHost/node-0"), "{told}");
        assert!(told.is_ascii(), "{told}");
    }

    #[test]
    fn columns_without_content_are_left_out() {
        let alone = node("Cluster.x", "test1", None);
        assert_eq!(
            anstream::adapter::strip_str(&text(&alone, false, true)).to_string(),
            "NAME            READY   REASON   SINCE\nCluster/test1\n"
        );
    }
}
