//! Whether what moves stands still.

use serde_json::Value;

use super::{BLOCK_MOVE, CheckId, Finding, host, rollout};
use crate::condition::Condition;
use crate::inventory::Object;
use crate::object::Manifest;
use crate::pause::PauseField;
use crate::plan::Blueprint;
use crate::select::Action;

/// What helps where something ends by itself.
pub(super) const WAIT: &str = "wait until it has ended; `pivotctl move --wait-steady=30m` does";

pub(super) fn check(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    for (_, object) in blueprint.with(Action::Move) {
        match (object.key.kind.group.as_str(), object.key.kind.kind.as_str()) {
            ("cluster.x-k8s.io", "Cluster") => cluster(object, findings),
            ("cluster.x-k8s.io", "Machine") => machine(object, findings),
            ("metal3.io", "BareMetalHost") => host::check(object, findings),
            ("metal3.io", "HostFirmwareSettings" | "HostFirmwareComponents") => {
                host::check_firmware(object, &blueprint.source.inventory, findings);
            }
            _ => {}
        }
        rollout::check(object, findings);
        paused(object, findings);
        if object.manifest.annotation(BLOCK_MOVE).is_some() {
            findings.push(Finding::warning(
                CheckId::MoveBlocked,
                Some(&object.key),
                format!("carries {BLOCK_MOVE}; the move waits until its controller takes that away"),
                "CAPM3 does so once its Cluster is paused; for others see the controller that set it",
            ));
        }
    }
}

fn is_true(manifest: &Manifest, pointer: &str) -> bool {
    manifest.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

fn incomplete(object: &Object, what: &str, findings: &mut Vec<Finding>) {
    findings.push(Finding::error(
        CheckId::ProvisioningIncomplete,
        Some(&object.key),
        what,
        "wait until provisioning has finished; `pivotctl move --wait-steady=30m` does",
    ));
}

fn cluster(object: &Object, findings: &mut Vec<Finding>) {
    let manifest = &object.manifest;
    if !is_true(manifest, "/status/initialization/infrastructureProvisioned")
        && !is_true(manifest, "/status/infrastructureReady")
    {
        incomplete(object, "its infrastructure is still being provisioned", findings);
    }
    if !Condition::find(manifest, "ControlPlaneInitialized").is_some_and(|initialized| initialized.is_true())
    {
        incomplete(object, "its control plane is not initialized yet", findings);
    } else if manifest.pointer("/spec/controlPlaneRef").is_some()
        && !is_true(manifest, "/status/initialization/controlPlaneInitialized")
        && !is_true(manifest, "/status/controlPlaneReady")
    {
        incomplete(object, "its control plane is not ready yet", findings);
    }
}

fn machine(object: &Object, findings: &mut Vec<Finding>) {
    if object.manifest.pointer("/status/nodeRef").is_none() {
        incomplete(object, "it has no node yet", findings);
    }
}

fn paused(object: &Object, findings: &mut Vec<Finding>) {
    let Some(field) = PauseField::of(&object.key.kind) else { return };
    if field.is_paused(&field.read(&object.manifest)) {
        findings.push(Finding::warning(
            CheckId::AlreadyPaused,
            Some(&object.key),
            "is paused already and will be paused in the target too",
            "unpause it first if that was left over from an earlier move",
        ));
    }
}
