//! Whether Ironic can be handed over: there is one to stop, one to start, and never two.

use super::{CheckId, Finding};
use crate::ironic::IronicPlace;
use crate::plan::{Blueprint, IronicFacts, IronicSight, IronicStack};

const LEAVE: &str = "--ironic=none leaves Ironic alone, for you to stop and start";

pub(super) fn check(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    let Some(facts) = &blueprint.ironic else { return };
    if let Some(finding) = source_is_there(facts) {
        findings.push(finding);
    }
    let Some(source) = facts.source.stack().filter(|stack| stack.runs || facts.told) else {
        return;
    };
    if needed(blueprint, facts, findings) {
        return;
    }
    stoppable(blueprint, source, findings);
    if let Some(target) = &facts.target {
        target_is_ready(facts, source, target, findings);
    }
}

fn source_is_there(facts: &IronicFacts) -> Option<Finding> {
    match &facts.source {
        IronicSight::Nothing { place } if facts.told => Some(Finding::error(
            CheckId::IronicMissing,
            None,
            format!("the source's Ironic was to be {place}, and nothing of it is there"),
            format!("say where it is with --ironic and --ironic-host; {LEAVE}"),
        )),
        IronicSight::Unseen { place, problem } => {
            let message = format!("the source's Ironic could not be looked for in {place}: {problem}");
            let hint = format!("mend that, or say where it is with --ironic; {LEAVE}");
            Some(if facts.told {
                Finding::error(CheckId::IronicMissing, None, message, hint)
            } else {
                Finding::warning(CheckId::IronicMissing, None, message, hint)
            })
        }
        IronicSight::Nothing { .. } | IronicSight::Stack(_) => None,
    }
}

/// True where Ironic has to stay: hosts do.
fn needed(blueprint: &Blueprint, facts: &IronicFacts, findings: &mut Vec<Finding>) -> bool {
    let stay: Vec<_> = blueprint.hosts_that_stay().collect();
    let Some(first) = stay.first() else { return false };
    let message = format!("{} hosts stay in the source and need its Ironic, {first} among them", stay.len());
    findings.push(if facts.told {
        let hint = "move every host, or leave Ironic where it is with --ironic=none";
        Finding::error(CheckId::IronicNeeded, None, message, hint)
    } else {
        let hint = "Ironic is left alone; the target needs one of its own, with another DHCP range and endpoint address";
        Finding::warning(CheckId::IronicNeeded, None, message, hint)
    });
    true
}

fn stoppable(blueprint: &Blueprint, source: &IronicStack, findings: &mut Vec<Finding>) {
    for (problem, remedy) in &source.obstacles {
        findings.push(Finding::error(CheckId::IronicKept, None, problem.clone(), remedy.clone()));
    }
    let managers = blueprint.source.fence.iter().flat_map(|facts| &facts.controllers);
    for manager in managers.filter(|manager| source.deployments.contains(&manager.deployment)) {
        findings.push(Finding::error(
            CheckId::IronicKept,
            Some(&manager.deployment),
            "it runs Ironic and a controller in one pod: they cannot be stopped one after the other",
            format!("give Ironic a Deployment of its own, as Metal3 does today; {LEAVE}"),
        ));
    }
    if !source.aside.is_empty() {
        let shown: Vec<_> = source.aside.iter().take(3).cloned().collect();
        let message = format!(
            "{} lines of the lease file of {} are no leases and are not carried: {}",
            source.aside.len(),
            source.place,
            shown.join("; ")
        );
        let hint = "dnsmasq itself would lose every lease behind the first of them; the leases are carried";
        findings.push(Finding::warning(CheckId::LeaseMalformed, None, message, hint));
    }
}

fn target_is_ready(
    facts: &IronicFacts,
    source: &IronicStack,
    target: &IronicSight,
    findings: &mut Vec<Finding>,
) {
    let mut error =
        |id, message: String, hint: String| findings.push(Finding::error(id, None, message, hint));
    let target = match target {
        IronicSight::Nothing { place } => {
            let message = format!(
                "{} runs, and the target has none to take its place (looked for {place})",
                source.place
            );
            let hint = format!(
                "prepare one that stands still (`pivotctl generate ironic`), or say where it is with --to-ironic and --to-ironic-host; {LEAVE}"
            );
            return error(CheckId::IronicTarget, message, hint);
        }
        IronicSight::Unseen { place, problem } => {
            let message = format!("the target's Ironic could not be looked for in {place}: {problem}");
            return error(CheckId::IronicTarget, message, format!("mend that; {LEAVE}"));
        }
        IronicSight::Stack(stack) => stack,
    };
    if target.place == source.place && matches!(source.place, IronicPlace::Machine(_)) {
        let message = format!("source and target are both {}", source.place);
        return error(CheckId::IronicTarget, message, "name the target's with --to-ironic-host".to_owned());
    }
    if target.runs {
        let message =
            format!("Ironic runs in the target already ({}: {})", target.place, target.names.join(", "));
        let hint =
            format!("two Ironics power the same hosts: stop it there with `pivotctl ironic stop`; {LEAVE}");
        error(CheckId::IronicTwice, message, hint);
    }
    for (problem, remedy) in &target.obstacles {
        error(CheckId::IronicTarget, problem.clone(), remedy.clone());
    }
    network(facts, target, findings);
}

fn network(facts: &IronicFacts, target: &IronicStack, findings: &mut Vec<Finding>) {
    let place = &target.place;
    if let Some(interface) = &target.interface
        && interface.fixed.is_empty()
    {
        let endpoint = interface.endpoint;
        let message = match (&interface.name, interface.dynamic.as_slice()) {
            (None, _) => {
                format!("no interface of {place} is on the network of the endpoint address {endpoint}")
            }
            (Some(name), []) => format!("interface {name} of {place} has no address"),
            (Some(name), dynamic) => {
                format!("interface {name} of {place} has only addresses that go away: {}", dynamic.join(", "))
            }
        };
        let hint = "give the interface a static address in the provisioning network: keepalived puts the endpoint address beside it, and DHCP cannot serve it, \
             because its server starts there";
        findings.push(Finding::error(CheckId::StaticAddress, None, message, hint));
    }
    let runs = facts.source.stack().is_some_and(|source| source.runs);
    // While the source's serves, one answer is its own.
    if let Some(servers) = &target.dhcp
        && servers.len() > usize::from(runs)
    {
        let message = format!(
            "{} DHCP servers answer on the provisioning network of {place}: {}",
            servers.len(),
            servers.join(", ")
        );
        let hint = "stop the one that is not Ironic's: which of two answers a host is chance";
        findings.push(Finding::error(CheckId::DhcpSecond, None, message, hint));
    }
}
