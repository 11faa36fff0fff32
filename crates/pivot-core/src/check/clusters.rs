//! The two clusters: different ones, with matching providers.

use semver::Version;

use super::{CheckId, Finding};
use crate::kind::GroupKind;
use crate::plan::{Blueprint, Provider, TargetFacts};

pub(super) fn check(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    let Some(target) = &blueprint.target else { return };
    if blueprint.source.inventory.cluster_id == target.inventory.cluster_id {
        findings.push(Finding::error(
            CheckId::SameCluster,
            None,
            format!(
                "{} and {} are one cluster (uid of kube-system {})",
                blueprint.source.name, target.name, target.inventory.cluster_id
            ),
            "check --kubeconfig, --kubeconfig-context, --to-kubeconfig and --to-kubeconfig-context",
        ));
        return;
    }
    contract(blueprint, target, findings);
    for provider in &blueprint.source.providers {
        check_provider(provider, &target.providers, findings);
    }
}

fn contract(blueprint: &Blueprint, target: &TargetFacts, findings: &mut Vec<Finding>) {
    let cluster = GroupKind::new("cluster.x-k8s.io", "Cluster");
    let stored =
        |kinds: &crate::kind::KindCatalog| kinds.get(&cluster).map(|info| info.storage_version.clone());
    if let (Some(source), Some(target)) =
        (stored(&blueprint.source.inventory.kinds), stored(&target.inventory.kinds))
        && source != target
    {
        findings.push(Finding::warning(
                CheckId::ContractDiffers,
                None,
                format!("Clusters are stored as {source} in the source and as {target} in the target"),
                "conversion webhooks must be running on the side that converts; the same provider versions on both sides avoid it",
            ));
    }
}

fn check_provider(provider: &Provider, installed: &[Provider], findings: &mut Vec<Finding>) {
    let same = installed.iter().filter(|p| p.name == provider.name && p.kind == provider.kind);
    let newest = same.max_by_key(|p| parse(&p.version));
    let Some(newest) = newest else {
        findings.push(Finding::error(
            CheckId::ProviderMissing,
            None,
            format!("provider {} ({}) is not installed in the target", provider.name, provider.kind),
            format!("install it with `clusterctl init` at version {}", provider.version),
        ));
        return;
    };
    if let (Some(have), Some(need)) = (parse(&newest.version), parse(&provider.version))
        && have < need
    {
        findings.push(Finding::error(
            CheckId::ProviderOlder,
            None,
            format!(
                "provider {} ({}) is {} in the target and {} in the source",
                provider.name, provider.kind, newest.version, provider.version
            ),
            format!("upgrade it in the target to {} or newer", provider.version),
        ));
    }
}

fn parse(version: &str) -> Option<Version> {
    Version::parse(version.trim_start_matches('v')).ok()
}
