//! Refusals, in the words of kube-apiserver.

use serde_json::{Value, json};

use super::resource::Resource;
use crate::traffic::status;

/// A refused request: the HTTP code and the `Status` object.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: u16,
    pub(super) status: Value,
}

/// What is wrong with one field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) field: String,
    pub(super) message: String,
}

impl Cause {
    pub(super) fn new(reason: &'static str, field: &str, message: String) -> Self {
        Self { reason, field: field.to_owned(), message }
    }
}

impl Failure {
    pub(super) fn new(code: u16, reason: &str, message: &str, details: Value) -> Self {
        Self { code, status: status(code, reason, message, details) }
    }

    /// 404: the path names nothing.
    pub(super) fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource", json!({}))
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::new(400, "BadRequest", message, Value::Null)
    }

    pub(super) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self::new(404, "NotFound", &message, details(resource, name))
    }

    pub(super) fn already_exists(resource: &Resource, name: &str, generated: bool) -> Self {
        let mut message = format!("{} \"{name}\" already exists", resource.qualified());
        let mut details = details(resource, name);
        if generated {
            message.push_str(", the server was not able to generate a unique name for the object");
            details["retryAfterSeconds"] = 1.into();
        }
        Self::new(409, "AlreadyExists", &message, details)
    }

    pub(super) fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Self::new(409, "Conflict", &message, details(resource, name))
    }

    /// 409: a delete whose precondition does not hold. The message names the kind, not the resource.
    pub(super) fn precondition(resource: &Resource, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified_kind());
        let mut details = details(resource, name);
        details["kind"] = resource.kind.clone().into();
        Self::new(409, "Conflict", &message, details)
    }

    /// 422: a replace that does not name the version it replaces. The message names the resource, not the kind.
    pub(super) fn version_required(resource: &Resource, name: &str) -> Self {
        let why = "Invalid value: 0: must be specified for an update";
        let field = "metadata.resourceVersion";
        let message = format!("{} \"{name}\" is invalid: {field}: {why}", resource.qualified());
        let mut details = details(resource, name);
        details["causes"] = json!([{"reason": "FieldValueInvalid", "message": why, "field": field}]);
        Self::new(422, "Invalid", &message, details)
    }

    pub(super) fn modified(resource: &Resource, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    pub(super) fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let message = format!("{}{named} is forbidden: {why}", resource.qualified());
        Self::new(403, "Forbidden", &message, details(resource, name))
    }

    pub(super) fn terminating(resource: &Resource, name: &str, namespace: &str) -> Self {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut failure = Self::forbidden(resource, name, &why);
        failure.status["details"]["causes"] = json!([{"reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"), "field": "metadata.namespace"}]);
        failure
    }

    pub(super) fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> Self {
        let texts: Vec<_> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let text = if texts.len() == 1 { texts.concat() } else { format!("[{}]", texts.join(", ")) };
        let message = format!("{} \"{name}\" is invalid: {text}", resource.qualified_kind());
        let mut details = details(resource, name);
        details["kind"] = resource.kind.clone().into();
        details["causes"] = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        Self::new(422, "Invalid", &message, details)
    }

    pub(super) fn immutable(resource: &Resource, name: &str, field: &str, value: &Value) -> Self {
        let message = format!("Invalid value: {value}: field is immutable");
        Self::invalid(resource, name, &[Cause::new("FieldValueInvalid", field, message)])
    }

    /// 410: the version asked for is no longer kept.
    pub(super) fn expired(message: &str) -> Self {
        Self::new(410, "Expired", message, Value::Null)
    }
}

fn details(resource: &Resource, name: &str) -> Value {
    let mut details = json!({"kind": resource.plural});
    for (field, value) in [("name", name), ("group", resource.group.as_str())] {
        if !value.is_empty() {
            details[field] = value.into();
        }
    }
    details
}
