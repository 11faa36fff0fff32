//! Whether Ironic can be handed over: there is one to stop, one to start, and never two.

use super::{CheckId, Finding};
use crate::ironic::IronicPlace;
use crate::lease::CONFIG_MAP;
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
    carried(source, findings);
}

/// Leases that stay behind.
fn carried(source: &IronicStack, findings: &mut Vec<Finding>) {
    for problem in &source.unread {
        let message = format!("{problem}; only those in ConfigMap {CONFIG_MAP} are carried");
        let hint = "see to it that the leases can be read: a host whose lease is left behind may lose its address to another";
        findings.push(Finding::warning(CheckId::LeasesUnread, None, message, hint));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::check::Severity;
    use crate::ironic::Machine;
    use crate::plan::ProvisioningInterface;

    fn stack(host: &str, runs: bool) -> IronicStack {
        IronicStack {
            place: IronicPlace::Machine(Machine { ssh: Some(host.to_owned()), ..Machine::default() }),
            names: vec!["dnsmasq".to_owned(), "ironic".to_owned()],
            runs,
            deployments: BTreeSet::new(),
            leases: 1,
            aside: Vec::new(),
            unread: Vec::new(),
            obstacles: Vec::new(),
            interface: None,
            dhcp: None,
        }
    }

    fn facts(told: bool, source: IronicSight) -> IronicFacts {
        IronicFacts { told, source, target: None, endpoint: None, elsewhere: Vec::new() }
    }

    /// What is found with an Ironic on `here` and this target.
    fn found(target: &IronicSight, source_runs: bool) -> Vec<(CheckId, String)> {
        let source = stack("here", source_runs);
        let facts = facts(true, IronicSight::Stack(Box::new(source.clone())));
        let mut findings = Vec::new();
        target_is_ready(&facts, &source, target, &mut findings);
        findings.into_iter().map(|finding| (finding.id, finding.message)).collect()
    }

    fn there(change: impl FnOnce(&mut IronicStack)) -> IronicSight {
        let mut stack = stack("there", false);
        change(&mut stack);
        IronicSight::Stack(Box::new(stack))
    }

    fn ids(target: &IronicSight) -> Vec<CheckId> {
        found(target, true).into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn a_place_that_was_told_has_to_hold_one() {
        let severity = |told, sight| source_is_there(&facts(told, sight)).map(|finding| finding.severity);
        let nothing = || IronicSight::Nothing { place: "containers of here".to_owned() };
        let unseen = || IronicSight::Unseen { place: "here".to_owned(), problem: "denied".to_owned() };
        assert_eq!(severity(true, nothing()), Some(Severity::Error));
        assert_eq!(severity(false, nothing()), None);
        assert_eq!(severity(true, unseen()), Some(Severity::Error));
        assert_eq!(severity(false, unseen()), Some(Severity::Warning));
    }

    #[test]
    fn leases_that_stay_behind_are_told() {
        let mut source = stack("here", true);
        source.unread = vec!["the leases of pod metal3/ironic-0 cannot be read: refused".to_owned()];
        source.aside = vec!["line 1: too few words".to_owned()];
        let mut findings = Vec::new();
        carried(&source, &mut findings);
        let found: Vec<_> = findings.iter().map(|finding| (finding.id, finding.severity)).collect();
        let warning = Severity::Warning;
        assert_eq!(found, [(CheckId::LeasesUnread, warning), (CheckId::LeaseMalformed, warning)]);
        assert!(findings[0].message.contains("metal3/ironic-0"), "{:?}", findings[0]);
    }

    #[test]
    fn the_target_takes_over_only_what_stands_still_elsewhere() {
        assert_eq!(ids(&there(|_| {})), []);
        assert_eq!(ids(&IronicSight::Nothing { place: String::new() }), [CheckId::IronicTarget]);
        assert_eq!(ids(&there(|stack| stack.runs = true)), [CheckId::IronicTwice]);
        let same = |stack: &mut IronicStack| stack.place = self::stack("here", false).place;
        assert_eq!(ids(&there(same)), [CheckId::IronicTarget], "it would start what it has just stopped");
    }

    #[test]
    fn the_interface_keeps_an_address_of_its_own() {
        let interface = |name: Option<&str>, fixed: &[&str], dynamic: &[&str]| {
            let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
            let interface = ProvisioningInterface {
                name: name.map(str::to_owned),
                endpoint: "172.22.0.2".parse().unwrap(),
                fixed: owned(fixed),
                dynamic: owned(dynamic),
            };
            let found = found(&there(|stack| stack.interface = Some(interface)), true);
            found.into_iter().map(|(id, message)| format!("{id}: {message}")).collect::<Vec<_>>()
        };
        assert_eq!(interface(Some("eth1"), &["172.22.0.3/24"], &["172.22.0.4/24"]), [""; 0]);
        assert_eq!(
            interface(Some("eth1"), &[], &["172.22.0.4/24"]),
            [
                "static-address: interface eth1 of containers of there has only addresses that go away: 172.22.0.4/24"
            ]
        );
        assert!(
            interface(None, &[], &[])[0].contains("no interface of containers of there is on the network")
        );
    }

    #[test]
    fn the_sources_own_server_may_answer_while_it_runs() {
        let servers = |count: usize, runs| {
            let servers = vec!["172.22.0.1".to_owned(); count];
            found(&there(|stack| stack.dhcp = Some(servers)), runs).len()
        };
        assert_eq!([servers(0, true), servers(1, true), servers(2, true)], [0, 0, 1]);
        assert_eq!([servers(0, false), servers(1, false)], [0, 1]);
    }
}
