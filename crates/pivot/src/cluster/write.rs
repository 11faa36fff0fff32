//! Writes: the one way in which anything is changed in a cluster.
//!
//! Each is guarded by what it carries (create-if-absent, a uid, a resourceVersion) and classed as done, refused or unknown.

use http::Method;
use pivot_core::kind::KindInfo;
use pivot_core::machine::{Op, Outcome, RefusalClass, Revision};
use pivot_core::object::{Manifest, ObjectKey};
use serde_json::{Value, json};

use super::path::{add_query, resource_path};
use super::request::{JSON, MERGE_PATCH, METADATA_ONLY, RawRequest};
use super::{Cluster, Failure};

impl Cluster {
    /// Writes once and says what came of it.
    pub async fn write(&self, kind: &KindInfo, version: &str, key: &ObjectKey, op: &Op) -> Outcome {
        match self.request(request(kind, version, key, op)).await {
            Ok(reply) => match reply.json::<Value>() {
                Ok(answer) => applied(op, &Manifest::new(answer)),
                Err(failure) => Outcome::Unknown(failure.to_string()),
            },
            Err(failure) => write_failure(&failure),
        }
    }
}

fn request(kind: &KindInfo, version: &str, key: &ObjectKey, op: &Op) -> RawRequest {
    let path = |name: bool, subresource| {
        let name = name.then_some(key.name.as_str());
        resource_path(kind, version, key.namespace.as_deref(), name, subresource)
    };
    let (method, mut path, content_type, body, manager) = match op {
        Op::Create { body, manager } => {
            (Method::POST, path(false, None), JSON, body.to_string(), Some(manager))
        }
        Op::Replace { body, manager } => {
            (Method::PUT, path(true, None), JSON, body.to_string(), Some(manager))
        }
        Op::Status { body, manager } => {
            (Method::PUT, path(true, Some("status")), JSON, body.to_string(), Some(manager))
        }
        Op::Merge { patch, manager } => {
            (Method::PATCH, path(true, None), MERGE_PATCH, patch.to_string(), Some(manager))
        }
        Op::Delete { uid, resource_version } => {
            let mut preconditions = json!({"uid": uid});
            if let Some(version) = resource_version {
                preconditions["resourceVersion"] = version.as_str().into();
            }
            let options =
                json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
            (Method::DELETE, path(true, None), JSON, options.to_string(), None)
        }
    };
    if let Some(manager) = manager {
        add_query(&mut path, "fieldManager", manager);
        // A field that the server does not know is an answer, not something to drop in silence.
        add_query(&mut path, "fieldValidation", "Strict");
    }
    RawRequest::new(method, path, body).content_type(content_type).accept(METADATA_ONLY)
}

/// A delete answers with a Status or with the object; a patch that takes the last finalizer answers with the object as it was
/// when it vanished.
fn applied(op: &Op, answer: &Manifest) -> Outcome {
    let held = answer.finalizers().next().is_some();
    match op {
        Op::Delete { .. } if answer.kind() == "Status" || !held => Outcome::Removed,
        Op::Delete { .. } => Outcome::Terminating(Revision::of(answer)),
        Op::Merge { .. } if answer.is_terminating() && !held => Outcome::Removed,
        Op::Create { .. } | Op::Replace { .. } | Op::Status { .. } | Op::Merge { .. } => {
            Outcome::Written(Revision::of(answer))
        }
    }
}

fn write_failure(failure: &Failure) -> Outcome {
    if failure.leaves_write_unknown() {
        return Outcome::Unknown(failure.to_string());
    }
    refused(failure)
}

/// A failure of something that may be tried again without harm.
pub(crate) fn read_failure(failure: &Failure) -> Outcome {
    if failure.leaves_write_unknown() {
        let retry_after = failure.refusal().and_then(|refusal| refusal.retry_after);
        return Outcome::Refused { class: RefusalClass::Busy, message: failure.to_string(), retry_after };
    }
    refused(failure)
}

fn refused(failure: &Failure) -> Outcome {
    let class = if failure.is_already_exists() {
        RefusalClass::Exists
    } else if failure.is_conflict() {
        RefusalClass::Conflict
    } else if failure.is_not_found() {
        RefusalClass::NotFound
    } else {
        match failure.status() {
            // Never sent, throttled, or credentials that a plugin may renew.
            None | Some(429 | 401) => RefusalClass::Busy,
            Some(_) => RefusalClass::Denied,
        }
    };
    let retry_after = failure.refusal().and_then(|refusal| refusal.retry_after);
    Outcome::Refused { class, message: failure.to_string(), retry_after }
}
