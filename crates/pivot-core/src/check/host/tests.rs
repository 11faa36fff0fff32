use serde_json::json;

use super::*;
use crate::check::Severity;
use crate::inventory::ObjectId;
use crate::kind::GroupKind;
use crate::kind::KindCatalog;
use crate::object::Manifest;

const URL: &str = "http://images/a.qcow2";

fn findings(change: impl FnOnce(&mut Value)) -> Vec<Finding> {
    let mut host = json!({
        "metadata": {"name": "h", "namespace": "n", "annotations": {}},
        "spec": {"online": true, "image": {"url": URL, "checksum": "c"}},
        "status": {"operationalStatus": "OK", "errorType": "", "poweredOn": true,
            "provisioning": {"state": "provisioned", "image": {"url": URL, "checksum": "c"}}},
    });
    change(&mut host);
    let mut findings = Vec::new();
    check(object("BareMetalHost", host).object(ObjectId(0)), &mut findings);
    findings
}

fn host(change: impl FnOnce(&mut Value)) -> Vec<String> {
    findings(change).into_iter().map(|finding| finding.message).collect()
}

fn object(kind: &str, object: Value) -> Inventory {
    let mut inventory = Inventory::new("id", KindCatalog::default());
    inventory.add(&GroupKind::new("metal3.io", kind), Manifest::new(object));
    inventory
}

fn state(state: &'static str) -> impl FnOnce(&mut Value) {
    move |host| {
        host["status"]["provisioning"] = json!({"state": state});
        host["spec"].as_object_mut().unwrap().remove("image");
        host["spec"]["online"] = false.into();
        host["spec"]["externallyProvisioned"] = (state == "externally provisioned").into();
        host["status"]["poweredOn"] = false.into();
    }
}

#[test]
fn a_host_at_rest_may_move() {
    assert_eq!(host(|_| {}), [""; 0]);
    for steady in STEADY_STATES {
        assert_eq!(host(state(steady)), [""; 0], "{steady}");
    }
    assert_eq!(host(|host| host["status"] = json!({})), [""; 0], "nobody has seen it yet");
    assert_eq!(host(|host| host["metadata"]["annotations"][INSPECT] = "disabled".into()), [""; 0]);
    let detached = |host: &mut Value| {
        host["metadata"]["annotations"][DETACHED] = "".into();
        host["status"]["operationalStatus"] = "detached".into();
        host["status"]["poweredOn"] = false.into();
    };
    assert_eq!(host(detached), [""; 0]);
}

#[test]
fn what_is_under_way_is_named() {
    for ongoing in ["registering", "inspecting", "preparing", "provisioning", "deprovisioning", "deleting"] {
        assert_eq!(host(state(ongoing)), [format!("is in state `{ongoing}`")]);
    }
    assert_eq!(host(state("powering off before delete")), ["is in state `powering off before delete`"]);
    assert_eq!(host(state("a state of tomorrow")), ["is in state `a state of tomorrow`"]);
    for operational in ["servicing", "delayed"] {
        let found = host(|host| host["status"]["operationalStatus"] = operational.into());
        assert_eq!(found, [format!("its operational status is `{operational}`")]);
    }
    let annotated = |key: &'static str| host(move |host| host["metadata"]["annotations"][key] = "".into());
    assert_eq!(annotated("reboot.metal3.io"), ["a reboot is pending (reboot.metal3.io)"]);
    assert_eq!(annotated("reboot.metal3.io/capm3"), ["a reboot is pending (reboot.metal3.io/capm3)"]);
    assert_eq!(annotated("reboot.metal3.iota"), [""; 0]);
    assert_eq!(annotated(INSPECT), [""; 0], "a host that is used is not inspected");
    let inspected = |host: &mut Value| {
        state("available")(host);
        host["metadata"]["annotations"][INSPECT] = "".into();
    };
    assert_eq!(host(inspected), ["an inspection is pending (inspect.metal3.io)"]);
    assert_eq!(annotated(DETACHED), ["is being detached"]);
    let found = host(|host| host["status"]["operationalStatus"] = "detached".into());
    assert_eq!(found, ["is being attached again"]);
}

#[test]
fn what_would_begin_at_once_is_named() {
    let found = host(|host| host["status"]["errorType"] = "power management error".into());
    assert_eq!(found, ["is in error: power management error"]);
    let found = host(|host| host["status"]["operationalStatus"] = "error".into());
    assert_eq!(found, ["is in error"]);
    let found = host(|host| host["spec"]["online"] = false.into());
    assert_eq!(found, ["is powered on, and is to be powered off"]);
    let found = host(|host| host["spec"]["externallyProvisioned"] = true.into());
    assert_eq!(found, [""; 0], "the operator looks at it only where the host is free");
    let external = |host: &mut Value| {
        state("available")(host);
        host["spec"]["externallyProvisioned"] = true.into();
    };
    assert_eq!(host(external), ["is about to be externally provisioned"]);
    let internal = |host: &mut Value| {
        state("externally provisioned")(host);
        host["spec"]["externallyProvisioned"] = false.into();
    };
    assert!(host(internal)[0].contains("is about to be prepared"));
}

#[test]
fn another_image_is_named() {
    for field in ["url", "checksum"] {
        let found = host(|host| host["spec"]["image"][field] = "other".into());
        assert_eq!(found, [format!("`spec.image.{field}` is not what it was provisioned with")]);
    }
    let found = host(|host| drop(host["spec"].as_object_mut().unwrap().remove("image")));
    assert_eq!(found, ["is about to be deprovisioned: it has an image, and is to have none"]);
    let claimed = |online: bool| {
        host(move |host| {
            host["status"]["provisioning"] = json!({"state": "available", "image": {"url": ""}});
            host["status"]["poweredOn"] = online.into();
            host["spec"]["online"] = online.into();
        })
    };
    assert_eq!(claimed(true)[0], "is about to be provisioned");
    assert_eq!(claimed(false), [""; 0], "an operator provisions only what is to be on");
    let method = |wanted: &'static str, has: &'static str| {
        host(move |host| {
            host["spec"]["customDeploy"] = json!({"method": wanted});
            host["status"]["provisioning"]["customDeploy"] = json!({"method": has});
        })
    };
    assert_eq!(method("a", "a"), [""; 0]);
    assert_eq!(method("a", "b"), ["`spec.customDeploy.method` is not what it was provisioned with"]);
}

#[test]
fn an_agent_that_may_run_is_a_warning() {
    let findings = findings(|host| {
        state("available")(host);
        host["spec"]["online"] = true.into();
        host["status"]["poweredOn"] = true.into();
    });
    let [found] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.message.contains("an agent runs on it"));
}

#[test]
fn hints_are_commands_for_the_host_or_a_wait() {
    let hint = |change: &dyn Fn(&mut Value)| findings(change).remove(0).hint;
    let reboot = hint(&|host| host["metadata"]["annotations"]["reboot.metal3.io/a"] = "".into());
    assert!(reboot.contains("--wait-steady"), "{reboot}");
    assert!(reboot.contains("`kubectl annotate bmh -n n h reboot.metal3.io/a-`"), "{reboot}");
    let error = hint(&|host| host["status"]["errorType"] = "inspection error".into());
    assert!(error.contains("`kubectl get bmh -n n h -o jsonpath={.status.errorMessage}`"), "{error}");
}

#[test]
fn firmware_that_waits_is_named() {
    let told = |spec: Value, state: &str, changed: &str, valid: &str| {
        let host = json!({"metadata": {"name": "h"}, "status": {"provisioning": {"state": state}}});
        let conditions =
            json!([{"type": "ChangeDetected", "status": changed}, {"type": "Valid", "status": valid}]);
        let firmware = json!({"metadata": {"name": "h"}, "spec": spec, "status": {"conditions": conditions}});
        let mut inventory = object("BareMetalHost", host);
        let kind = GroupKind::new("metal3.io", "HostFirmwareSettings");
        let firmware = inventory.add(&kind, Manifest::new(firmware));
        let mut findings = Vec::new();
        check_firmware(inventory.object(firmware), &inventory, &mut findings);
        findings.into_iter().map(|finding| finding.severity).collect::<Vec<_>>()
    };
    let settings = || json!({"settings": {"ProcVirtualization": "Enabled"}});
    let updates = || json!({"updates": [{"component": "bios", "url": "http://images/bios.bin"}]});
    for wish in [settings(), updates()] {
        assert_eq!(told(wish, "available", "True", "True"), [Severity::Error]);
    }
    assert_eq!(told(settings(), "available", "True", "False"), []);
    assert_eq!(told(settings(), "available", "False", "True"), []);
    assert_eq!(told(settings(), "provisioned", "True", "True"), [Severity::Warning]);
    for nothing in [json!({"settings": {}}), json!({"updates": []}), json!({})] {
        assert_eq!(told(nothing, "available", "True", "True"), []);
    }
}
