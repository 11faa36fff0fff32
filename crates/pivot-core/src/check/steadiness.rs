//! Whether what moves stands still.

use serde_json::Value;

use super::{BLOCK_MOVE, CheckId, Finding};
use crate::inventory::Object;
use crate::object::Manifest;
use crate::pause::PauseField;
use crate::plan::Blueprint;
use crate::select::Action;

/// `status.provisioning.state` of a host at rest (baremetal-operator; `ready` is the old name of `available`).
const STEADY_STATES: [&str; 6] =
    ["", "unmanaged", "available", "ready", "provisioned", "externally provisioned"];

pub(super) fn check(blueprint: &Blueprint, findings: &mut Vec<Finding>) {
    for (_, object) in blueprint.with(Action::Move) {
        match (object.key.kind.group.as_str(), object.key.kind.kind.as_str()) {
            ("cluster.x-k8s.io", "Cluster") => cluster(object, findings),
            ("cluster.x-k8s.io", "Machine") => machine(object, findings),
            ("metal3.io", "BareMetalHost") => host(object, findings),
            _ => {}
        }
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

/// Status of a condition: contract v1beta2 keeps them in `status.conditions`, v1beta1 as well.
fn condition(manifest: &Manifest, name: &str) -> Option<String> {
    let conditions = manifest.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|c| c.get("type").and_then(Value::as_str) == Some(name))?;
    found.get("status")?.as_str().map(str::to_owned)
}

fn incomplete(object: &Object, what: &str, findings: &mut Vec<Finding>) {
    findings.push(Finding::error(
        CheckId::ProvisioningIncomplete,
        Some(&object.key),
        what,
        "wait until provisioning has finished, then plan again",
    ));
}

fn cluster(object: &Object, findings: &mut Vec<Finding>) {
    let manifest = &object.manifest;
    if !is_true(manifest, "/status/initialization/infrastructureProvisioned")
        && !is_true(manifest, "/status/infrastructureReady")
    {
        incomplete(object, "its infrastructure is still being provisioned", findings);
    }
    if condition(manifest, "ControlPlaneInitialized").as_deref() != Some("True") {
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

fn host(object: &Object, findings: &mut Vec<Finding>) {
    let text = |pointer: &str| object.manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut unsteady = |what: String, hint: &str| {
        findings.push(Finding::error(CheckId::HostNotSteady, Some(&object.key), what, hint));
    };
    let state = text("/status/provisioning/state");
    if !STEADY_STATES.contains(&state) {
        unsteady(
            format!("is in state `{state}`"),
            "wait until the operation has ended; moving it now would break it",
        );
    }
    let operational = text("/status/operationalStatus");
    if matches!(operational, "servicing" | "delayed") {
        unsteady(format!("its operational status is `{operational}`"), "wait until it is OK");
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
