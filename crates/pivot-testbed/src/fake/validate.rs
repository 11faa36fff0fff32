//! Checks of a whole object before it is stored.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Call,
    failure::{Cause, Failure},
    resource::{Resource, items},
    schema,
    selector::Selector,
    store::World,
};

/// All annotations of an object, in bytes.
const MAX_ANNOTATIONS: usize = 256 * 1024;
/// All data of a Secret or ConfigMap, in bytes.
const MAX_DATA: usize = 1024 * 1024;
/// One request to etcd, in bytes.
const MAX_STORED: usize = 1536 * 1024;
/// A request's body, in bytes.
pub(super) const MAX_BODY: usize = 3 * 1024 * 1024;

/// Sets what the server sets by itself, then checks the content.
pub(super) fn complete(
    call: &Call,
    resource: &Resource,
    object: &mut Value,
    name: &str,
) -> Result<(), Failure> {
    let schema = resource.version(&call.version).and_then(|version| version.schema.as_ref());
    schema::default(schema, object);
    let mut causes = metadata_causes(object);
    causes.extend(schema::validate(schema, object));
    if resource.is("", "Secret") {
        complete_secret(object);
    }
    if resource.is("", "Secret") || resource.is("", "ConfigMap") {
        let size: usize = sizes(&object["data"]).chain(sizes(&object["binaryData"])).sum();
        if size > MAX_DATA {
            let message = format!("Too long: may not be more than {MAX_DATA} bytes");
            causes.push(Cause::new("FieldValueTooLong", "data", message));
        }
    }
    if causes.is_empty() { Ok(()) } else { Err(Failure::invalid(resource, name, &causes)) }
}

fn metadata_causes(object: &Value) -> Vec<Cause> {
    let metadata = &object["metadata"];
    let mut causes = Vec::new();
    let mut controllers = 0;
    for owner in items(&metadata["ownerReferences"]) {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or_default().is_empty() {
                causes.push(Cause::new(
                    "FieldValueInvalid",
                    &format!("metadata.ownerReferences.{field}"),
                    "Invalid value: \"\": must not be empty".to_owned(),
                ));
            }
        }
        controllers += usize::from(owner["controller"] == true);
    }
    if controllers > 1 {
        let message = "Invalid value: only one reference can have Controller set to true".to_owned();
        causes.push(Cause::new("FieldValueInvalid", "metadata.ownerReferences", message));
    }
    let annotations = metadata["annotations"].as_object();
    let names: usize = annotations.into_iter().flatten().map(|(key, _)| key.len()).sum();
    if names + sizes(&metadata["annotations"]).sum::<usize>() > MAX_ANNOTATIONS {
        let message = format!("Too long: may not be more than {MAX_ANNOTATIONS} bytes");
        causes.push(Cause::new("FieldValueTooLong", "metadata.annotations", message));
    }
    causes
}

fn sizes(map: &Value) -> impl Iterator<Item = usize> {
    map.as_object().into_iter().flatten().map(|(_, value)| value.as_str().map_or(0, str::len))
}

fn complete_secret(secret: &mut Value) {
    let plain = secret.as_object_mut().and_then(|fields| fields.remove("stringData"));
    for (key, value) in plain.as_ref().and_then(Value::as_object).into_iter().flatten() {
        secret["data"][key] = STANDARD.encode(value.as_str().unwrap_or_default()).into();
    }
    if secret["type"].is_null() {
        secret["type"] = "Opaque".into();
    }
}

/// What may not change from `live` to `new`.
pub(super) fn check_transition(
    resource: &Resource,
    name: &str,
    live: &Value,
    new: &Value,
) -> Result<(), Failure> {
    let deleting = live["metadata"]["deletionTimestamp"].is_string();
    let before: Vec<_> = items(&live["metadata"]["finalizers"]).collect();
    let added: Vec<_> =
        items(&new["metadata"]["finalizers"]).filter(|finalizer| !before.contains(finalizer)).collect();
    if deleting && !added.is_empty() {
        let message = format!(
            "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \
             {added:?}"
        );
        let cause = Cause::new("FieldValueForbidden", "metadata.finalizers", message);
        return Err(Failure::invalid(resource, name, &[cause]));
    }
    let secret = resource.is("", "Secret");
    if secret && live["type"] != new["type"] {
        return Err(Failure::immutable(resource, name, "type", &new["type"]));
    }
    if (secret || resource.is("", "ConfigMap")) && live["immutable"] == true {
        for field in ["immutable", "data", "binaryData"] {
            if live[field] != new[field] {
                let message = "Forbidden: field is immutable when `immutable` is set".to_owned();
                let cause = Cause::new("FieldValueForbidden", field, message);
                return Err(Failure::invalid(resource, name, &[cause]));
            }
        }
    }
    Ok(())
}

/// Refuses what etcd refuses.
pub(super) fn check_size(object: &Value) -> Result<(), Failure> {
    if object.to_string().len() > MAX_STORED {
        return Err(Failure::new(500, "", "etcdserver: request is too large", Value::Null));
    }
    Ok(())
}

impl World {
    /// Refuses one object more than a `ResourceQuota` of the namespace allows.
    pub(super) fn check_quota(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<(), Failure> {
        let Some(quotas) = self.resource("", "resourcequotas").filter(|_| resource.namespaced) else {
            return Ok(());
        };
        for (slot, quota) in self.select(&quotas, namespace, &Selector::default()) {
            for counted in counted_as(resource) {
                let Some(hard) = quota["spec"]["hard"].get(&counted).and_then(quantity) else { continue };
                let used = self.select(resource, namespace, &Selector::default()).len();
                if used + 1 > hard {
                    let why = format!(
                        "exceeded quota: {}, requested: {counted}=1, used: {counted}={used}, limited: \
                         {counted}={hard}",
                        slot.name
                    );
                    return Err(Failure::forbidden(resource, name, &why));
                }
            }
        }
        Ok(())
    }

    /// Writes into every quota's status what is used, as the quota controller does.
    pub(super) fn count_quotas(&mut self) {
        let Some(quotas) = self.resource("", "resourcequotas") else { return };
        for (slot, quota) in self.select(&quotas, "", &Selector::default()) {
            let mut used = json!({});
            for counted in quota["spec"]["hard"].as_object().into_iter().flatten().map(|(key, _)| key) {
                let resource =
                    self.resources.values().find(|r| counted_as(r).contains(counted)).map(Arc::clone);
                if let Some(resource) = resource {
                    let count = self.select(&resource, &slot.namespace, &Selector::default()).len();
                    used[counted] = count.to_string().into();
                }
            }
            let status = json!({"hard": quota["spec"]["hard"], "used": used});
            if quota["status"] != status {
                let mut quota = (*quota).clone();
                quota["status"] = status;
                self.put(&slot, quota);
            }
        }
    }
}

/// The names under which quotas count a resource.
fn counted_as(resource: &Resource) -> Vec<String> {
    let mut names = vec![format!("count/{}", resource.qualified())];
    if matches!(
        resource.qualified().as_str(),
        "configmaps" | "secrets" | "services" | "pods" | "resourcequotas"
    ) {
        names.push(resource.plural.clone());
    }
    names
}

fn quantity(value: &Value) -> Option<usize> {
    value
        .as_str()
        .map_or_else(|| value.as_u64().and_then(|n| usize::try_from(n).ok()), |text| text.parse().ok())
}
