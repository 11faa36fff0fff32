//! Hosts: none leaves its state because it moved, and the operator of the target has met the machine.

use serde_json::Value;

use super::Aspect;
use crate::check;
use crate::host::{DETACHED, is_host, state};
use crate::inventory::{Inventory, Object};
use crate::kind::GroupKind;
use crate::marks;
use crate::object::ObjectKey;
use crate::pause::HOST_PAUSED;

fn text<'a>(host: &'a Object, pointer: &str) -> &'a str {
    host.manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn arrived(host: &Object, tell: &mut impl FnMut(Aspect, String)) {
    if !is_host(&host.key.kind) {
        return;
    }
    let state = state(&host.manifest);
    if let Some(before) = host.manifest.annotation(marks::ARRIVED_AS)
        && modern(before) != modern(state)
        && !is_taken_into_use(host, before, state)
    {
        let now = if state.is_empty() { "in no state".to_owned() } else { format!("`{state}`") };
        tell(Aspect::Arrived, format!("was `{before}` when it moved, and is {now}"));
    }
    if let Some(error) = check::in_error(host) {
        tell(Aspect::Arrived, error);
    }
}

/// `available` was once called `ready`, and operators rename it.
fn modern(state: &str) -> &str {
    if state == "ready" { "available" } else { state }
}

/// A free host that somebody claims is provisioned: that is what it is there for.
fn is_taken_into_use(host: &Object, before: &str, now: &str) -> bool {
    let is_claimed = host.manifest.pointer("/spec/consumerRef").is_some_and(Value::is_object);
    let is_on_its_way = matches!(now, "preparing" | "provisioning" | "provisioned");
    modern(before) == "available" && is_claimed && is_on_its_way
}

/// The operator notes the revision of the Secret with which it reached the BMC, and a Secret has another revision in every cluster.
pub(super) fn not_registered(host: &Object, there: &Inventory) -> Option<String> {
    let is_managed = !text(host, "/spec/bmc/address").is_empty()
        && state(&host.manifest) != "unmanaged"
        && text(host, "/status/operationalStatus") != "detached"
        && [DETACHED, HOST_PAUSED].iter().all(|mark| host.manifest.annotation(mark).is_none());
    if !is_host(&host.key.kind) || !is_managed {
        return None;
    }
    let name = text(host, "/spec/bmc/credentialsName");
    let key = ObjectKey::new(GroupKind::new("", "Secret"), host.key.namespace.as_deref(), name);
    let secret = there.get(&key)?;
    (text(host, "/status/goodCredentials/credentialsVersion") != secret.manifest.resource_version())
        .then(|| "the operator of the target has not reached its BMC yet".to_owned())
}
