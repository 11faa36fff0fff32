//! Whether a host stands still: nothing is under way, and nothing would begin as soon as an operator sees it. What begins when is
//! decided by the state machine of baremetal-operator.

use serde_json::Value;

use super::steadiness::WAIT;
use super::{CheckId, Finding};
use crate::condition::Condition;
use crate::host::{self, DETACHED};
use crate::inventory::{Inventory, Object};
use crate::object::ObjectKey;

/// `status.provisioning.state` of a host at rest (`ready` is the old name of `available`).
const STEADY_STATES: [&str; 6] =
    ["", "unmanaged", "available", "ready", "provisioned", "externally provisioned"];
/// Asks for a reboot, also with a suffix: every requester has its own.
const REBOOT: &str = "reboot.metal3.io";
/// Asks for an inspection, unless it says `disabled`.
const INSPECT: &str = "inspect.metal3.io";

pub(super) fn check(object: &Object, findings: &mut Vec<Finding>) {
    let host = Host(object);
    let reasons = [
        host.state(),
        host.operation(),
        host.error(),
        host.reboot(),
        host.inspection(),
        host.attachment(),
        host.management(),
        host.image(),
        host.power(),
    ];
    for Reason { what, hint } in reasons.into_iter().flatten() {
        findings.push(Finding::error(CheckId::HostNotSteady, Some(&object.key), what, hint));
    }
    findings.extend(host.agent());
}

/// What a host is in error about, in words.
pub(crate) fn in_error(host: &Object) -> Option<String> {
    Host(host).error().map(|reason| reason.what)
}

/// Firmware that is to be changed. The operator does it to a host that is free, and where it takes the change for valid; elsewhere the change
/// waits, in the target as well. Components are called changed also where the operator has only read other versions: without a wish nothing is
/// to be done.
pub(super) fn check_firmware(firmware: &Object, inventory: &Inventory, findings: &mut Vec<Finding>) {
    let is_true = |name: &str| Condition::find(&firmware.manifest, name).is_some_and(|found| found.is_true());
    let key = ObjectKey { kind: host::kind(), ..firmware.key.clone() };
    let host = inventory.get(&key).map(Host);
    let wishes = ["/spec/settings", "/spec/updates"].map(|place| firmware.manifest.pointer(place));
    let is_wished = wishes.into_iter().flatten().any(|wish| match wish {
        Value::Object(settings) => !settings.is_empty(),
        Value::Array(updates) => !updates.is_empty(),
        _ => false,
    });
    if let Some(host) = host
        && is_wished
        && is_true("ChangeDetected")
        && is_true("Valid")
    {
        let what = "a change of firmware waits to be applied";
        let key = Some(&firmware.key);
        findings.push(if host.is_available() && !host.is_detached() {
            Finding::error(CheckId::HostNotSteady, key, what, format!("{WAIT}; or take the change back"))
        } else {
            let hint =
                "nothing to do; it waits in the target too, until the host is rebooted or deprovisioned";
            Finding::warning(CheckId::HostNotSteady, key, what, hint)
        });
    }
}

/// Why a host does not stand still, and what helps.
struct Reason {
    what: String,
    hint: String,
}

impl Reason {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    fn wait(what: impl Into<String>) -> Self {
        Self::new(what, WAIT)
    }
}

struct Host<'a>(&'a Object);

impl Host<'_> {
    fn text(&self, pointer: &str) -> &str {
        self.0.manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn flag(&self, pointer: &str) -> Option<bool> {
        self.0.manifest.pointer(pointer).and_then(Value::as_bool)
    }

    fn provisioning_state(&self) -> &str {
        host::state(&self.0.manifest)
    }

    fn operational_status(&self) -> &str {
        self.text("/status/operationalStatus")
    }

    fn is_available(&self) -> bool {
        matches!(self.provisioning_state(), "available" | "ready")
    }

    fn is_detached(&self) -> bool {
        self.operational_status() == "detached"
    }

    /// True where somebody uses it.
    fn is_provisioned(&self) -> bool {
        matches!(self.provisioning_state(), "provisioned" | "externally provisioned")
    }

    /// The command that takes an annotation from it, or changes its spec.
    fn kubectl(&self, verb: &str, what: &str) -> String {
        let key = &self.0.key;
        let namespace = key.namespace.as_deref().unwrap_or_default();
        format!("`kubectl {verb} bmh -n {namespace} {} {what}`", key.name)
    }

    fn state(&self) -> Option<Reason> {
        let state = self.provisioning_state();
        (!STEADY_STATES.contains(&state)).then(|| Reason::wait(format!("is in state `{state}`")))
    }

    fn operation(&self) -> Option<Reason> {
        let operational = self.operational_status();
        matches!(operational, "servicing" | "delayed")
            .then(|| Reason::wait(format!("its operational status is `{operational}`")))
    }

    /// The operator goes on trying.
    fn error(&self) -> Option<Reason> {
        let what = match (self.text("/status/errorType"), self.operational_status()) {
            ("", "error") => "is in error".to_owned(),
            ("", _) => return None,
            (error, _) => format!("is in error: {error}"),
        };
        let why = self.kubectl("get", "-o jsonpath={.status.errorMessage}");
        Some(Reason::new(what, format!("repair it; {why} says why")))
    }

    fn reboot(&self) -> Option<Reason> {
        let annotations = self.0.manifest.pointer("/metadata/annotations")?.as_object()?;
        let asked = annotations.keys().find(|key| {
            *key == REBOOT || key.strip_prefix(REBOOT).is_some_and(|rest| rest.starts_with('/'))
        })?;
        let take_back = self.kubectl("annotate", &format!("{asked}-"));
        Some(Reason::new(
            format!("a reboot is pending ({asked})"),
            format!("{WAIT}; {take_back} takes it back"),
        ))
    }

    /// Only a host that is free is inspected; for another one the annotation means nothing.
    fn inspection(&self) -> Option<Reason> {
        let asked = self.0.manifest.annotation(INSPECT)?;
        let take_back = self.kubectl("annotate", &format!("{INSPECT}-"));
        (asked != "disabled" && self.is_available()).then(|| {
            Reason::new(
                format!("an inspection is pending ({INSPECT})"),
                format!("{WAIT}; {take_back} takes it back"),
            )
        })
    }

    /// Being detached is a state like others; on the way there, or back, it is not. In other states the annotation waits.
    fn attachment(&self) -> Option<Reason> {
        let asked = self.0.manifest.annotation(DETACHED).is_some();
        match (asked, self.is_detached()) {
            (true, false) if self.is_available() || self.is_provisioned() => {
                Some(Reason::wait("is being detached"))
            }
            (false, true) => Some(Reason::wait("is being attached again")),
            _ => None,
        }
    }

    /// Between a host that the operator provisions, and one that it only watches.
    fn management(&self) -> Option<Reason> {
        let external = self.flag("/spec/externallyProvisioned") == Some(true);
        match (external, self.provisioning_state()) {
            (true, "available" | "ready") => Some(Reason::wait("is about to be externally provisioned")),
            (false, "externally provisioned") => {
                Some(Reason::wait("is about to be prepared: it is no longer to be externally provisioned"))
            }
            _ => None,
        }
    }

    /// An image other than the one that is on it: the operator would write it anew.
    fn image(&self) -> Option<Reason> {
        let wants = |field: &str| self.text(&format!("/spec/image/{field}"));
        let has = |field: &str| self.text(&format!("/status/provisioning/image/{field}"));
        let method = |place: &str| self.text(&format!("{place}/customDeploy/method"));
        let (wanted, deployed) = (method("/spec"), method("/status/provisioning"));
        match self.provisioning_state() {
            "available" | "ready" => {
                let pending = !wants("url").is_empty() && has("url").is_empty();
                let is_online = self.flag("/spec/online") == Some(true);
                (is_online && (pending || wanted != deployed))
                    .then(|| Reason::wait("is about to be provisioned"))
            }
            "provisioned" => {
                let is_bare = wants("url").is_empty() && wanted.is_empty();
                if is_bare && !(has("url").is_empty() && deployed.is_empty()) {
                    return Some(Reason::wait(
                        "is about to be deprovisioned: it has an image, and is to have none",
                    ));
                }
                let differs = ["url", "checksum", "checksumType"].into_iter().find(|field| {
                    !wants(field).is_empty() && !has(field).is_empty() && wants(field) != has(field)
                });
                let differs = differs.map(|field| format!("spec.image.{field}"));
                let differs = differs
                    .or_else(|| (wanted != deployed).then(|| "spec.customDeploy.method".to_owned()))?;
                Some(Reason::new(
                    format!("`{differs}` is not what it was provisioned with"),
                    "set it back, or let the operator provision the host anew",
                ))
            }
            _ => None,
        }
    }

    /// The power of a host that is detached, or that nobody manages, is nobody's concern.
    fn power(&self) -> Option<Reason> {
        let managed = self.is_available() || self.is_provisioned();
        if !managed || self.is_detached() {
            return None;
        }
        let (wanted, is) = (self.flag("/spec/online")?, self.flag("/status/poweredOn")?);
        let (wanted, is) = (switch(wanted), switch(is));
        (wanted != is).then(|| Reason::wait(format!("is powered {is}, and is to be powered {wanted}")))
    }

    /// With fast track the agent runs on, and would lose the Ironic that it talks to.
    fn agent(&self) -> Option<Finding> {
        (self.is_available() && self.flag("/status/poweredOn") == Some(true)).then(|| {
            let power_off = self.kubectl("patch", "--type=merge -p '{\"spec\":{\"online\":false}}'");
            Finding::warning(
                CheckId::HostNotSteady,
                Some(&self.0.key),
                "is available and powered on: with fast track an agent runs on it, and would lose its Ironic",
                format!("power it off first ({power_off}), unless fast track is off"),
            )
        })
    }
}

fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests;
